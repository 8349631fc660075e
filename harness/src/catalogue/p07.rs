//! P07 `acks-1-leader-crash`: the leader answers after its own append; a follower without the record becomes leader; the
//! old leader truncates to the new leader's history when it returns.
//!
//! ```text
//! both followers SIGSTOP ── wave 1 (parked fetches may still take it) ── wave 2 (on the leader alone) ── leader SIGKILL
//!     ── followers SIGCONT, one is elected ── old leader starts, truncates: wave 2 is gone
//! ```
//! With `acks=1` wave 2 was acknowledged: lost. With `acks=all` and two in-sync replicas it was not: retried, kept.
//! Needs followers that still count as in sync and alive at the kill, so lag and session timeouts are longer than the pause.

use super::{Effect, Entry, Expected, Side};
use crate::scenario::{ClusterShape, Faults, Load, Scenario, preset};
use crate::settings::Owner;
use crate::systems::Capability;
use history::LogId;
use nemesis::plan::Planned;
use nemesis::{Aim, FaultKind, Harm};
use results::autopsy::Stage;
use std::time::Duration;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P07",
    slug: "acks-1-leader-crash",
    what: "acks=1 loses what only the killed leader had; acks=all with min.insync.replicas=2 loses nothing",
    needs: &[Capability::Replication],
    sides,
};

fn episodes() -> Vec<Planned> {
    let fault = FaultKind::new(Harm::KillLagging, Aim::Leader);
    fault.map(|fault| Planned { fault, log: LogId(0), gap_ms: 1000, hold_ms: 300, pick: 0 }).into_iter().collect()
}

const BROKER: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "2500"),
    ("broker.heartbeat.interval.ms", "200"),
    ("replica.lag.time.max.ms", "10000"),
    ("replica.fetch.wait.max.ms", "100"),
];

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, acks: &str, idempotence: &str, expected| {
        let scenario = scenario(&format!("P07-{name}"), seed).with(Owner::Producer, "acks", acks).with(
            Owner::Producer,
            "enable.idempotence",
            idempotence,
        );
        Side { name, setting: format!("acks={acks}"), scenario, expected }
    };
    vec![
        side("losing", "1", "false", Expected::shows(&[Effect::Lost]).and_dies_at(Stage::B2)),
        side("safe", "all", "true", Expected::none_of(&[Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let scenario = Scenario {
        cluster: ClusterShape { partitions: 1, ..preset::CLUSTER },
        load: Load { time: Duration::from_secs(2), ..preset::LOAD },
        faults: Faults::Scripted(episodes()),
        ..Scenario::new(name, seed)
    };
    BROKER.iter().fold(scenario, |scenario, (property, value)| scenario.with(Owner::Broker, property, value))
}
