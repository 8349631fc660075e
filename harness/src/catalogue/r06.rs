//! R06 `partitioned-old-leader`: a leader that is cut off together with its clients goes on acknowledging what it alone has.
//!
//! ```text
//! leader, clients   ──append──ack──append──ack──┐   (session over: others elect)   healed ──▶ truncates
//!                            ✂ both ways        │
//! followers, controller ────────────────────── a new leader, a later epoch ──────────────────▶ its history stays
//! ```
//! With `acks=1` everything that was acknowledged while the cut lasted is lost: the largest window there is. With
//! `acks=all` and two in-sync replicas the leader acknowledges nothing, and nothing is lost.

use super::{Effect, Entry, Expected, Side};
use crate::scenario::{ClusterShape, Faults, Load, Scenario, preset};
use crate::settings::Owner;
use crate::systems::Capability;
use history::LogId;
use nemesis::plan::Planned;
use nemesis::{Aim, FaultKind, Harm};
use std::time::Duration;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "R06",
    slug: "partitioned-old-leader",
    what: "acks=1 loses what a leader acknowledged that was cut off with its clients; acks=all loses nothing",
    needs: &[Capability::Replication],
    sides,
};

/// Longer than any session in use.
const HOLD_MS: u64 = 4000;

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, acks: &str, idempotence: &str, expected| {
        let scenario = scenario(&format!("R06-{name}"), seed).with(Owner::Producer, "acks", acks).with(
            Owner::Producer,
            "enable.idempotence",
            idempotence,
        );
        Side { name, setting: format!("acks={acks}"), scenario, expected }
    };
    vec![
        side("losing", "1", "false", Expected::shows(&[Effect::Lost])),
        side("safe", "all", "true", Expected::none_of(&[Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let fault = FaultKind::new(Harm::IsolateWithClients, Aim::Leader);
    let planned = |fault| Planned { fault, log: LogId(0), gap_ms: 1000, hold_ms: HOLD_MS, pick: 0 };
    Scenario {
        cluster: ClusterShape { partitions: 1, ..preset::CLUSTER },
        load: Load { time: Duration::from_secs(7), ..preset::LOAD },
        faults: Faults::Scripted(fault.map(planned).into_iter().collect()),
        ..Scenario::new(name, seed)
    }
}
