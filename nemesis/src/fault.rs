//! A fault: a harm and whom it hits, its name, what it does step by step, and what proves that it bit.
//!
//! Faults are data: a [`FaultKind`] is a [`Harm`] and an [`Aim`]. A harm has a file in `faults/` that describes it to
//! people, says at whom it may be aimed, and answers a [`Scene`] (the roles at that moment) with a [`Script`]; the runner
//! alone acts. To add a harm: a file and a row of `harm`.
//!
//! **Invariants:** a kind exists only if its harm may be aimed so. A script never leaves the healing to chance: whatever
//! its `heal` steps do not undo, the runner does.

use crate::aim::Aim;
use crate::episode::Episode;
use crate::ground::{Ground, Timing};
use crate::harm::Harm;
use crate::scene::{Scene, Skip};
use crate::step::Script;
use history::LogId;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::{fmt, iter};

/// A fault, written `kill-leader`, `isolate-controller`, `rolling-restart`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FaultKind {
    harm: Harm,
    aim: Aim,
}

/// What kind of harm a fault does; a plan sees to it that the families of its mix all occur.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// A process dies and comes back.
    Kill,
    /// A process stands still and goes on.
    Pause,
    /// Something is the matter between processes.
    Network,
    /// A disk goes wrong, or what is on it.
    Disk,
    /// A wall clock goes wrong.
    Clock,
}

/// What a hold on the cluster a fault needs beyond signals to its processes; a machine may lack it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Need {
    /// Nothing more.
    Signals,
    /// A proxy before every node.
    Proxy,
    /// Answers of the disk can be changed.
    Disk,
    /// Un-synced data can be made to vanish.
    PowerLoss,
    /// The files of a stopped node can be changed.
    Files,
    /// The wall clock of a process can be changed.
    Clock,
}

/// What an episode was asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Whom to hit.
    pub aim: Aim,
    /// The log whose roles decide the target.
    pub log: LogId,
    /// How long the harm lasts, milliseconds; each fault says from when.
    pub hold_ms: u64,
    /// Drawn from the seed; decides where the roles leave a choice.
    pub pick: u32,
}

/// What every harm says of itself.
pub trait Fault: Sync {
    /// Its name, `{}` standing for whom it hits; without one if it is always aimed at the cluster.
    fn pattern(&self) -> &'static str;
    /// One line for `list faults`, `{}` standing for whom it hits.
    fn about(&self) -> &'static str;
    /// What counts as evidence that it took effect, one line.
    fn evidence(&self) -> &'static str;
    /// What kind of harm it does.
    fn family(&self) -> Family;
    /// What it needs beyond signals.
    fn need(&self) -> Need {
        Need::Signals
    }
    /// Whether a correct cluster of durable settings loses nothing by it, done to one replica.
    fn is_survivable(&self) -> bool {
        true
    }
    /// At whom it may be aimed.
    fn aims(&self) -> &'static [Aim];
    /// The useful lengths of the harm, milliseconds.
    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64>;
    /// From injection to the begin of recovery as usually seen, milliseconds.
    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64;
    /// Why the cluster's shape or clocks make the fault impossible, if they do. That nobody can have the role is seen to
    /// elsewhere.
    fn impossible(&self, _aim: Aim, _ground: &Ground) -> Option<String> {
        None
    }
    /// True if those hit lose what they had not yet made durable: what a replica had acknowledged may be gone with it.
    fn forgets(&self) -> bool {
        false
    }
    /// Decides the target and the steps, or why there is none now.
    fn script(&self, scene: &Scene, asked: Asked, timing: &Timing) -> Result<Script, Skip>;
    /// Whether the evidence shows that the fault bit. Asked of finished episodes whose injection succeeded; that those
    /// hit had the role is seen to elsewhere.
    fn effective(&self, episode: &Episode) -> bool;
}

impl FaultKind {
    /// A harm aimed at somebody; `None` if it cannot be aimed so.
    pub fn new(harm: Harm, aim: Aim) -> Option<FaultKind> {
        harm.definition().aims().contains(&aim).then_some(FaultKind { harm, aim })
    }

    /// Every fault, in the order they are listed.
    pub fn all() -> impl Iterator<Item = FaultKind> {
        let each = |harm: Harm| harm.definition().aims().iter().map(move |aim| FaultKind { harm, aim: *aim });
        Harm::ALL.iter().copied().flat_map(each)
    }

    /// What it does.
    pub fn harm(self) -> Harm {
        self.harm
    }

    /// Whom it hits.
    pub fn aim(self) -> Aim {
        self.aim
    }

    /// What the harm says of itself.
    pub fn definition(self) -> &'static dyn Fault {
        self.harm.definition()
    }

    /// As typed and printed.
    pub fn name(self) -> String {
        self.definition().pattern().replace("{}", self.aim.word())
    }

    /// One line for people.
    pub fn about(self) -> String {
        self.definition().about().replace("{}", self.aim.about())
    }

    /// Whether a correct cluster of durable settings loses nothing by it: what those hit forget, others know.
    pub fn is_survivable(self) -> bool {
        self.definition().is_survivable() && (self.aim.is_single() || !self.definition().forgets())
    }

    /// The useful lengths of the harm, milliseconds.
    pub fn hold_ms(self, timing: &Timing) -> RangeInclusive<u64> {
        self.definition().hold_ms(self.aim, timing)
    }

    /// From injection to the begin of recovery as usually seen, milliseconds.
    pub fn duration_ms(self, timing: &Timing, hold_ms: u64) -> u64 {
        self.definition().duration_ms(timing, hold_ms)
    }

    /// Why it can never be done on this cluster, if it cannot.
    pub fn impossible(self, ground: &Ground) -> Option<String> {
        ground.lacks(self.aim).or_else(|| self.definition().impossible(self.aim, ground))
    }

    /// Whether the episode's evidence shows that the fault bit those it was aimed at.
    pub fn effective(self, episode: &Episode) -> bool {
        episode.hit_its_aim() && self.definition().effective(episode)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl From<FaultKind> for String {
    fn from(kind: FaultKind) -> String {
        kind.name()
    }
}

impl TryFrom<String> for FaultKind {
    type Error = UnknownFault;

    fn try_from(name: String) -> Result<FaultKind, UnknownFault> {
        name.parse()
    }
}

/// A name that is no fault's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no fault `{name}`{}; see `stormglass list faults`", .nearest.as_ref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
pub struct UnknownFault {
    /// As typed.
    pub name: String,
    /// The valid name nearest to it, if one is near.
    pub nearest: Option<String>,
}

const NEAR_ENOUGH: f64 = 0.6;

impl FromStr for FaultKind {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<FaultKind, UnknownFault> {
        if let Some(kind) = FaultKind::all().find(|kind| kind.name() == name) {
            return Ok(kind);
        }
        let near = |n: &String| strsim::normalized_damerau_levenshtein(n, name);
        let names = FaultKind::all().map(FaultKind::name).chain(iter::once("none".to_owned()));
        let nearest = names.max_by(|a, b| near(a).total_cmp(&near(b))).filter(|n| near(n) >= NEAR_ENOUGH);
        Err(UnknownFault { name: name.into(), nearest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_listed_once_under_the_name_it_is_stored_as() {
        let all: Vec<FaultKind> = FaultKind::all().collect();
        for (index, kind) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|k| k.name() == kind.name()), Some(index));
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{kind}\""));
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert!(!kind.name().contains('{') && !kind.about().contains('{'), "{kind}");
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one_and_nonsense_gets_none() {
        for (typed, nearest) in [
            ("kill-leeder", Some("kill-leader")),
            ("pause_leader", Some("pause-leader")),
            ("nine", Some("none")),
            ("xyzzy", None),
            ("", None),
        ] {
            assert_eq!(typed.parse::<FaultKind>().unwrap_err().nearest.as_deref(), nearest, "{typed}");
        }
    }

    #[test]
    fn a_harm_is_not_aimed_at_those_it_cannot_hit() {
        assert!(FaultKind::new(Harm::Kill, Aim::Leader).is_some());
        assert!(FaultKind::new(Harm::KillLagging, Aim::Producer).is_none());
        assert!("kill-lagging-producer".parse::<FaultKind>().is_err());
    }
}
