//! The catalogue: ways to lose, duplicate, reorder, hide or delay a message, each with sides that show the damage and sides
//! that show its cure.
//!
//! One file an entry. A side is a whole scenario (settings, workload, what clients do, faults, floors) and what it must
//! show ([`Expected`], in counted [`Effect`]s). **Invariant:** an entry passes only if every side shows what it promises and
//! reached its condition. An entry states what it needs of a system; one that lacks it is skipped with the reason.

pub mod effect;
pub mod expected;
pub mod p07;
pub mod r03;
pub mod r05;
pub mod r10;

pub use effect::{Effect, Effects};
pub use expected::Expected;

use crate::scenario::Scenario;
use crate::settings::{Origin, Owner};
use crate::systems::Capability;

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

/// Every entry that can be run.
pub const ALL: &[Entry] = &[p07::ENTRY, r03::ENTRY, r05::ENTRY, r10::ENTRY];

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
