//! R05 `last-replica-standing` (KIP-966): every record is acknowledged by three replicas, the in-sync set shrinks to one, that
//! one loses its un-synced suffix, leads again because only it may, and the others cut what they have.
//!
//! ```text
//! appends, acknowledged by all ── followers SIGSTOP ── leader alone in sync ── its power fails ── followers SIGCONT
//!     ── without eligible leader replicas: the leader returns and leads, the others truncate to it
//!     ── with them: a follower leads, the old leader truncates      ── with flush.messages=1: nothing was un-synced
//! ```
//! Everything about it is "safe": three replicas, `min.insync.replicas=2`, `acks=all`, no unclean election. So what is lost is a
//! violation.

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
    id: "R05",
    slug: "last-replica-standing",
    what: "the only in-sync replica loses its un-synced suffix and the others follow it; eligible leader replicas or a flush prevent it",
    needs: &[Capability::Replication, Capability::PowerLoss],
    sides,
};

const ELR: &str = "eligible.leader.replicas.version";

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, setting: &str, scenario: Scenario, expected| Side {
        name,
        setting: setting.into(),
        scenario,
        expected,
    };
    let of = |name: &str, elr: &str| scenario(&format!("R05-{name}"), seed).with(Owner::Feature, ELR, elr);
    let flushed = of("flushed", "0").with(Owner::Topic, "flush.messages", "1");
    let losing = Expected::shows(&[Effect::Lost]).and_violates().and_dies_at(Stage::B2);
    vec![
        side("losing", "elr=0", of("losing", "0"), losing),
        side("flushed", "flush=1", flushed, Expected::none_of(&[Effect::Lost])),
        side("eligible", "elr=1", of("eligible", "1"), Expected::none_of(&[Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let fault = FaultKind::new(Harm::LastStanding, Aim::Leader);
    let planned = fault.map(|fault| Planned { fault, log: LogId(0), gap_ms: 1500, hold_ms: 300, pick: 0 });
    Scenario {
        cluster: ClusterShape { partitions: 1, ..preset::CLUSTER },
        load: Load { time: Duration::from_secs(3), rate_per_s: 200, ..preset::LOAD },
        faults: Faults::Scripted(planned.into_iter().collect()),
        ..Scenario::new(name, seed)
    }
}
