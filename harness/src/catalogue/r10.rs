//! R10 `under-min-isr-hidden`: while fewer replicas are in sync than `min.insync.replicas`, the high watermark stands still. What
//! the leader acknowledges with `acks=1` meanwhile is there and nobody can read it.
//!
//! ```text
//! both followers SIGKILL ── leader alone in sync ── appends with acks=1: acknowledged, hidden ── followers start ── visible
//! ```
//! With `acks=all` nothing is acknowledged meanwhile. Nothing is lost on either side.

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
    id: "R10",
    slug: "under-min-isr-hidden",
    what: "below min.insync.replicas acks=1 acknowledges what nobody can read until a replica is back; acks=all acknowledges nothing",
    needs: &[Capability::Replication],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, acks: &str, idempotence: &str, expected: Expected| {
        let scenario = scenario(&format!("R10-{name}"), seed);
        let scenario =
            scenario.with(Owner::Producer, "acks", acks).with(Owner::Producer, "enable.idempotence", idempotence);
        Side { name, setting: format!("acks={acks}"), scenario, expected: expected.and_none_of(&[Effect::Lost]) }
    };
    vec![
        side("hiding", "1", "false", Expected::shows(&[Effect::Hidden])),
        side("safe", "all", "true", Expected::none_of(&[Effect::Hidden])),
    ]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let fault = FaultKind::new(Harm::Maroon, Aim::Leader);
    let planned = fault.map(|fault| Planned { fault, log: LogId(0), gap_ms: 1000, hold_ms: 1500, pick: 0 });
    Scenario {
        cluster: ClusterShape { partitions: 1, ..preset::CLUSTER },
        load: Load { time: Duration::from_secs(3), rate_per_s: 500, ..preset::LOAD },
        faults: Faults::Scripted(planned.into_iter().collect()),
        ..Scenario::new(name, seed)
    }
}
