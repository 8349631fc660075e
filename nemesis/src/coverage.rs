//! What a run covered, fault by fault, and which floor it missed: a run that proved nothing is not green.

use crate::episode::{Episode, Outcome};
use crate::fault::FaultKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Episodes of a kind, each number a part of the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Planned.
    pub asked: u32,
    /// Surely done.
    pub installed: u32,
    /// Shown by evidence to have bitten.
    pub effective: u32,
    /// Effective, and at least one acknowledged record was at risk.
    pub exposed: u32,
    /// Acknowledged records at risk in the effective ones.
    pub acks_at_risk: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.asked += other.asked;
        self.installed += other.installed;
        self.effective += other.effective;
        self.exposed += other.exposed;
        self.acks_at_risk += other.acks_at_risk;
    }
}

impl Tally {
    /// The tally of one episode that put `acks` acknowledged records at risk.
    fn of(episode: &Episode, acks: u64) -> Tally {
        let installed = episode.outcome == Outcome::Installed;
        let effective = installed && episode.effective;
        Tally {
            asked: 1,
            installed: installed.into(),
            effective: effective.into(),
            exposed: (effective && acks > 0).into(),
            acks_at_risk: if effective { acks } else { 0 },
        }
    }
}

/// The tallies of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// By fault; only those that were asked for.
    pub faults: BTreeMap<FaultKind, Tally>,
    /// All of them together.
    pub total: Tally,
}

impl<'a> FromIterator<(&'a Episode, u64)> for Coverage {
    /// Counts episodes, each with the acknowledged records it put at risk ([`crate::exposure()`]).
    fn from_iter<I: IntoIterator<Item = (&'a Episode, u64)>>(episodes: I) -> Coverage {
        let mut coverage = Coverage::default();
        for (episode, acks) in episodes {
            let tally = Tally::of(episode, acks);
            *coverage.faults.entry(episode.fault).or_default() += tally;
            coverage.total += tally;
        }
        coverage
    }
}

/// What a run must cover to mean something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Floors {
    /// Effective episodes of the run.
    pub effective_min: u32,
    /// Exposed episodes of the run.
    pub exposed_min: u32,
    /// Exposed episodes of a fault.
    pub exposed_min_by_fault: BTreeMap<FaultKind, u32>,
    /// Effective episodes of a fault.
    pub effective_min_by_fault: BTreeMap<FaultKind, u32>,
    /// Effective episodes of every fault that was asked for. Whatever it is, a fault that was surely done and never seen
    /// to bite misses a floor.
    pub effective_min_each: u32,
}

impl Default for Floors {
    /// One effective and exposed episode.
    fn default() -> Floors {
        Floors { effective_min: 1, exposed_min: 1, ..Floors::none() }
    }
}

/// A floor that was missed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MissedFloor {
    /// Too few faults bit.
    #[error("{found} effective episodes, the floor is {floor}")]
    Effective {
        /// Counted.
        found: u32,
        /// Required.
        floor: u32,
    },
    /// Too few faults put an acknowledged record at risk.
    #[error("{found} episodes with an acknowledged record at risk, the floor is {floor}")]
    Exposed {
        /// Counted.
        found: u32,
        /// Required.
        floor: u32,
    },
    /// Too few of one fault bit.
    #[error("{found} effective episodes of `{fault}`, the floor is {floor}")]
    EffectiveOf {
        /// Which.
        fault: FaultKind,
        /// Counted.
        found: u32,
        /// Required.
        floor: u32,
    },
    /// A fault was surely done, and never bit.
    #[error("`{fault}` was done {installed} times and never seen to take effect")]
    NeverEffective {
        /// Which.
        fault: FaultKind,
        /// How often it was done.
        installed: u32,
    },
    /// Too few of one fault did.
    #[error("{found} exposed episodes of `{fault}`, the floor is {floor}")]
    ExposedOf {
        /// Which.
        fault: FaultKind,
        /// Counted.
        found: u32,
        /// Required.
        floor: u32,
    },
}

impl Floors {
    /// No floor at all: for runs that break nothing.
    pub fn none() -> Floors {
        Floors {
            effective_min: 0,
            exposed_min: 0,
            exposed_min_by_fault: BTreeMap::new(),
            effective_min_by_fault: BTreeMap::new(),
            effective_min_each: 0,
        }
    }

    /// The floors that `coverage` does not reach.
    pub fn missed(&self, coverage: &Coverage) -> Vec<MissedFloor> {
        let mut missed = Vec::new();
        let (found, floor) = (coverage.total.effective, self.effective_min);
        if found < floor {
            missed.push(MissedFloor::Effective { found, floor });
        }
        let (found, floor) = (coverage.total.exposed, self.exposed_min);
        if found < floor {
            missed.push(MissedFloor::Exposed { found, floor });
        }
        missed.extend(self.missed_effects(coverage));
        let found = |fault: FaultKind| coverage.faults.get(&fault).map_or(0, |tally| tally.exposed);
        let by_fault = self.exposed_min_by_fault.iter().filter(|(fault, floor)| found(**fault) < **floor);
        missed.extend(by_fault.map(|(&fault, &floor)| MissedFloor::ExposedOf { fault, found: found(fault), floor }));
        missed
    }

    /// Faults of which too few episodes bit.
    fn missed_effects(&self, coverage: &Coverage) -> Vec<MissedFloor> {
        let mut floors = self.effective_min_by_fault.clone();
        for fault in coverage.faults.keys() {
            floors.entry(*fault).or_insert(self.effective_min_each);
        }
        let missed = |(fault, floor): (FaultKind, u32)| {
            let tally = coverage.faults.get(&fault).copied().unwrap_or_default();
            let (found, installed) = (tally.effective, tally.installed);
            match found {
                found if found < floor => Some(MissedFloor::EffectiveOf { fault, found, floor }),
                0 if installed > 0 => Some(MissedFloor::NeverEffective { fault, installed }),
                _ => None,
            }
        };
        floors.into_iter().filter_map(missed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{LogId, Nanos};

    fn episode(fault: FaultKind, outcome: Outcome, effective: bool) -> Episode {
        Episode {
            index: 0,
            fault,
            log: LogId(0),
            logs: 1,
            hold_ms: 0,
            attempts: 1,
            targets: Vec::new(),
            asked: Nanos(0),
            injected: None,
            healed: None,
            recovered: None,
            outcome,
            effective,
            evidence: Vec::new(),
        }
    }

    fn missed(floors: &Floors, episodes: &[(Episode, u64)]) -> Vec<String> {
        let coverage: Coverage = episodes.iter().map(|(episode, acks)| (episode, *acks)).collect();
        floors.missed(&coverage).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_run_that_proved_nothing_misses_a_floor_and_one_that_did_does_not() {
        let kill: FaultKind = "kill-leader".parse().unwrap();
        let none_effective = "0 effective episodes, the floor is 1";
        let none_exposed = "0 episodes with an acknowledged record at risk, the floor is 1";
        let never = "`kill-leader` was done 1 times and never seen to take effect";
        let unsure = Outcome::Indeterminate { reason: "".into() };
        for (episodes, expected) in [
            (vec![], vec![none_effective, none_exposed]),
            (vec![(episode(kill, Outcome::Installed, false), 9)], vec![none_effective, none_exposed, never]),
            (vec![(episode(kill, Outcome::Installed, true), 0)], vec![none_exposed]),
            (vec![(episode(kill, unsure, true), 9)], vec![none_effective, none_exposed]),
            (vec![(episode(kill, Outcome::Installed, true), 1)], vec![]),
        ] {
            assert_eq!(missed(&Floors::default(), &episodes), expected, "{episodes:?}");
            assert!(missed(&Floors::none(), &episodes).iter().all(|floor| floor == never));
        }
    }

    #[test]
    fn a_floor_of_one_fault_is_not_reached_by_another() {
        let by_fault = BTreeMap::from([("pause-leader".parse().unwrap(), 1)]);
        let floors = Floors { exposed_min_by_fault: by_fault, ..Floors::default() };
        let killed = (episode("kill-leader".parse().unwrap(), Outcome::Installed, true), 5);
        let paused = (episode("pause-leader".parse().unwrap(), Outcome::Installed, true), 5);
        assert_eq!(
            missed(&floors, std::slice::from_ref(&killed)),
            ["0 exposed episodes of `pause-leader`, the floor is 1"]
        );
        assert!(missed(&floors, &[killed, paused]).is_empty());
    }
}
