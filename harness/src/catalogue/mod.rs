//! The catalogue: ways to lose, duplicate, reorder, hide or delay a message, each with sides that show the damage and sides
//! that show its cure.
//!
//! One file an entry. A side is a whole scenario (settings, workload, what clients do, faults, floors) and what it must
//! show ([`Expected`], in counted [`Effect`]s). **Invariant:** an entry passes only if every side shows what it promises and
//! reached its condition. An entry states what it needs of a system; one that lacks it is skipped with the reason.

pub mod c01;
pub mod c02;
pub mod c05;
pub mod c07;
pub mod c08;
pub mod c09;
pub mod c16;
pub mod effect;
pub mod expected;
pub mod p01;
pub mod p02;
pub mod p03;
pub mod p04;
pub mod p05;
pub mod p07;
pub mod p09;
pub mod p10;
pub mod r03;
pub mod r05;
pub mod r06;
pub mod r10;
pub mod t01;
pub mod t02;
pub mod t03;
pub mod t06;

pub use effect::{Effect, Effects};
pub use expected::Expected;

use crate::scenario::{ClusterShape, Faults, Floors, Load, Scenario, preset};
use crate::settings::{Origin, Owner};
use crate::systems::Capability;
use history::LogId;
use nemesis::plan::Planned;
use nemesis::{Aim, Api, FaultKind, Harm};
use std::time::Duration;
use workloads::group::GroupLoad;
use workloads::sink::SinkStyle;
use workloads::sink_load::SinkLoad;
use workloads::spec::ConsumerApp;
use workloads::workload::Workload;

/// An entry that can be run.
pub struct Entry {
    /// Its id, e.g. `P07`.
    pub id: &'static str,
    /// Its name, e.g. `acks-1-leader-crash`.
    pub slug: &'static str,
    /// One line: what is lost and what prevents it.
    pub what: &'static str,
    /// What the system under test must be able to do, beyond what each side's workload needs.
    pub needs: &'static [Capability],
    /// Its sides for a seed, the damage first.
    pub sides: fn(seed: u64) -> Vec<Side>,
}

/// One side of an entry.
pub struct Side {
    /// What it is called: `losing`, `safe` …
    pub name: &'static str,
    /// What it differs in, e.g. `acks=1`.
    pub setting: String,
    /// What is run.
    pub scenario: Scenario,
    /// What it must show.
    pub expected: Expected,
}

impl Scenario {
    /// The same with a setting that a catalogue entry gives, cited by the scenario's own name.
    pub fn with(mut self, owner: Owner, name: &str, value: &str) -> Scenario {
        let origin = Origin::Scenario(self.name.clone());
        self.settings.set(owner, name, value, origin);
        self
    }
}

/// A short run of a workload on one partition without faults, and without a floor: what such a side must show it shows by its
/// effects.
fn workload(name: &str, seed: u64, workload: Workload) -> Scenario {
    Scenario {
        workload,
        cluster: ClusterShape { partitions: 1, ..preset::CLUSTER },
        load: Load { time: Duration::from_secs(4), ..preset::LOAD },
        floors: Floors { exposed_episodes_min: 0, ..preset::FLOORS },
        ..Scenario::new(name, seed)
    }
}

/// The same, long enough for the group to notice that a member has died.
fn long(name: &str, seed: u64, of: Workload) -> Scenario {
    let scenario = workload(name, seed, of);
    Scenario { load: Load { time: Duration::from_secs(14), rate_per_s: 500, ..scenario.load }, ..scenario }
}

/// The same with members of a group, the first of which does what the application says.
fn group(name: &str, seed: u64, members: u32, app: ConsumerApp) -> Scenario {
    long(name, seed, Workload::Group(GroupLoad { producers: 1, members, static_members: false, app }))
}

/// The same with members that write into a sink.
fn sink(name: &str, seed: u64, style: SinkStyle, app: ConsumerApp) -> Scenario {
    long(name, seed, Workload::Sink(SinkLoad { producers: 1, members: 1, style, app }))
}

/// The same with one fault, a second after the load has begun.
fn one_episode(scenario: Scenario, harm: Harm, aim: Aim, hold_ms: u64) -> Scenario {
    let planned = |fault| Planned { fault, log: LogId(0), gap_ms: 1000, hold_ms, pick: 0 };
    let episodes = FaultKind::new(harm, aim).map(planned).into_iter().collect();
    Scenario { faults: Faults::Scripted(episodes), ..scenario }
}

/// The same with so many requests of a kind tampered with, from a second after the load has begun, at most 8.
fn tampered(scenario: Scenario, harm: Harm, api: Api, times: u32) -> Scenario {
    let planned = |fault| Planned { fault, log: LogId(0), gap_ms: 1000, hold_ms: 2000, pick: times.saturating_sub(1) };
    let episodes = FaultKind::new(harm, Aim::Requests(api)).map(planned).into_iter().collect();
    Scenario { faults: Faults::Scripted(episodes), ..scenario }
}

/// Every entry that can be run.
#[rustfmt::skip]
pub const ALL: &[Entry] = &[
    p01::ENTRY,
    p02::ENTRY,
    p03::ENTRY,
    p04::ENTRY,
    p05::ENTRY,
    p07::ENTRY,
    p09::ENTRY,
    p10::ENTRY,
    r03::ENTRY,
    r05::ENTRY,
    r06::ENTRY,
    r10::ENTRY,
    c01::ENTRY,
    c02::ENTRY,
    c05::ENTRY,
    c07::ENTRY,
    c08::ENTRY,
    c09::ENTRY,
    c16::ENTRY,
    t01::ENTRY,
    t02::ENTRY,
    t03::ENTRY,
    t06::ENTRY,
];

/// The entry of an id or a slug, whatever its case.
pub fn find(id: &str) -> Option<&'static Entry> {
    ALL.iter().find(|e| e.id.eq_ignore_ascii_case(id) || e.slug.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_by_its_id_and_its_slug_and_has_sides_that_differ() {
        for entry in ALL {
            assert_eq!(find(&entry.id.to_lowercase()).map(|e| e.id), Some(entry.id));
            assert_eq!(find(entry.slug).map(|e| e.id), Some(entry.id));
            let sides = (entry.sides)(1);
            let names: std::collections::BTreeSet<&str> = sides.iter().map(|s| s.name).collect();
            assert!(sides.len() > 1 && names.len() == sides.len(), "{}", entry.id);
            assert!(
                sides.iter().any(|s| s.expected != sides[0].expected),
                "{}: every side promises the same",
                entry.id
            );
        }
    }
}
