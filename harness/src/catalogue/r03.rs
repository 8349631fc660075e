//! R03 `unclean-election`: no in-sync replica is alive, a replica that is not in sync is made leader, and what it lacks is cut
//! from the others.
//!
//! ```text
//! both followers SIGKILL ── leader alone in sync ── appends, acknowledged ── leader SIGKILL ── followers start
//!     ── unclean: one is elected, the old leader truncates; clean: nobody leads until the old leader is back
//! ```
//! With `min.insync.replicas=1` even `acks=all` is the leader's word alone.

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
    id: "R03",
    slug: "unclean-election",
    what: "an unclean election forgets what the in-sync set of one had acknowledged; without it the log waits and loses nothing",
    needs: &[Capability::Replication],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, unclean: &str, expected| {
        let scenario =
            scenario(&format!("R03-{name}"), seed).with(Owner::Topic, "unclean.leader.election.enable", unclean);
        Side { name, setting: format!("unclean={unclean}"), scenario, expected }
    };
    vec![
        side("losing", "true", Expected::shows(&[Effect::Lost]).and_dies_at(Stage::B2)),
        side("safe", "false", Expected::none_of(&[Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let fault = FaultKind::new(Harm::Outlive, Aim::Leader);
    let planned = fault.map(|fault| Planned { fault, log: LogId(0), gap_ms: 1000, hold_ms: 300, pick: 0 });
    let scenario = Scenario {
        cluster: ClusterShape { partitions: 1, ..preset::CLUSTER },
        load: Load { time: Duration::from_secs(3), rate_per_s: 500, ..preset::LOAD },
        faults: Faults::Scripted(planned.into_iter().collect()),
        ..Scenario::new(name, seed)
    };
    scenario.with(Owner::Topic, "min.insync.replicas", "1")
}
