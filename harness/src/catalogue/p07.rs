//! P07 `acks-1-leader-crash`: the leader answers after its own append; a follower without the record becomes leader; the
//! old leader truncates to the new leader's history when it returns.
//!
//! ```text
//! both followers SIGSTOP ── wave 1 (parked fetches may still take it) ── wave 2 (on the leader alone) ── leader SIGKILL
//!     ── followers SIGCONT, one is elected ── old leader starts, truncates: wave 2 is gone
//! ```
//! With `acks=1` wave 2 was acknowledged: lost. With `acks=all` and two in-sync replicas it was not: retried, kept.
//! Needs followers that still count as in sync and alive at the kill, so lag and session timeouts are longer than the pause.

use super::{Entry, Expected, Side};
use crate::scenario::{ClusterShape, Faults, Load, Scenario, SystemChoice, preset};
use crate::settings::{Origin, Owner};
use history::LogId;
use nemesis::FaultKind;
use nemesis::plan::Planned;
use std::time::Duration;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P07",
    slug: "acks-1-leader-crash",
    what: "acks=1 loses what only the killed leader had; acks=all with min.insync.replicas=2 loses nothing",
    sides,
};

const EPISODE: Planned =
    Planned { fault: FaultKind::KillLaggingLeader, log: LogId(0), gap_ms: 1000, hold_ms: 300, pick: 0 };

const BROKER: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "2500"),
    ("broker.heartbeat.interval.ms", "200"),
    ("replica.lag.time.max.ms", "10000"),
    ("replica.fetch.wait.max.ms", "100"),
];

fn sides(seed: u64) -> [Side; 2] {
    let side = |name, acks: &str, expected| {
        let mut scenario = scenario(&format!("P07-{name}"), seed);
        let origin = || Origin::Scenario("P07".into());
        scenario.settings.set(Owner::Producer, "acks", acks, origin());
        let idempotence = if acks == "all" { "true" } else { "false" };
        scenario.settings.set(Owner::Producer, "enable.idempotence", idempotence, origin());
        Side { name, setting: format!("acks={acks}"), scenario, expected }
    };
    [side("losing", "1", Expected::Loss), side("safe", "all", Expected::NoLoss)]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let mut settings = preset::durable();
    for (property, value) in BROKER {
        settings.set(Owner::Broker, property, value, Origin::Scenario("P07".into()));
    }
    Scenario {
        name: name.into(),
        seed,
        system: SystemChoice::Embedded,
        cluster: ClusterShape { partitions: 1, ..preset::CLUSTER },
        load: Load { time: Duration::from_secs(2), rate_per_s: 2000, record_bytes: 100 },
        faults: Faults::Scripted(vec![EPISODE]),
        settings,
        plant: None,
        floors: preset::FLOORS,
        skipped: Vec::new(),
    }
}
