//! A fault: its name, what it does step by step, and what proves that it bit.
//!
//! Faults are data. Each has a file in `faults/` that describes it to people, decides its target from a [`Scene`] (the
//! roles at that moment) and answers with a [`Script`]; the runner alone acts. To add a fault: a file, a variant of
//! [`FaultKind`], a line in [`FaultKind::definition`].
//!
//! **Invariant:** a script never leaves the healing to chance: whatever its `heal` steps do not undo, the runner does.

use crate::episode::Episode;
use crate::faults;
use crate::scene::{Scene, Skip};
use history::{LeaderEpoch, LogId, NodeId};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::{fmt, iter};

/// Every fault there is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// See [`faults::kill_leader`].
    KillLeader,
    /// See [`faults::kill_follower`].
    KillFollower,
    /// See [`faults::pause_leader`].
    PauseLeader,
    /// See [`faults::pause_follower`].
    PauseFollower,
    /// See [`faults::kill_lagging_leader`].
    KillLaggingLeader,
}

/// What kind of harm a fault does; a plan sees to it that the families of its mix all occur.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// A process dies and comes back.
    Kill,
    /// A process stands still and goes on.
    Pause,
}

/// What a hold on the cluster a fault needs beyond signals to its processes; a machine may lack it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Need {
    /// Nothing more.
    Signals,
    /// Answers of the disk can be changed.
    Disk,
    /// Un-synced data can be made to vanish.
    PowerLoss,
    /// The files of a stopped node can be changed.
    Files,
    /// The wall clock of a process can be changed.
    Clock,
}

/// The cluster's own clocks, as configured, and the patience of the runner. All in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Timing {
    /// How long a follower's fetch may be parked at its leader (`replica.fetch.wait.max.ms`).
    pub fetch_wait_ms: u64,
    /// How long a follower may lag before it leaves the in-sync set (`replica.lag.time.max.ms`).
    pub lag_ms_max: u64,
    /// How long a silent node counts as alive (`broker.session.timeout.ms`).
    pub session_ms: u64,
    /// How often a node proves that it lives (`broker.heartbeat.interval.ms`).
    pub heartbeat_ms: u64,
    /// How long a request to a paused node waits before that counts as evidence.
    pub probe_ms: u64,
    /// How long recovery usually takes; a plan is drawn with it.
    pub recovery_ms: u64,
    /// How long healing and recovery may take before the runner goes on without.
    pub recovery_ms_max: u64,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            fetch_wait_ms: 500,
            lag_ms_max: 3000,
            session_ms: 3000,
            heartbeat_ms: 500,
            probe_ms: 400,
            recovery_ms: 500,
            recovery_ms_max: 15_000,
        }
    }
}

/// What an episode was asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The log whose roles decide the target.
    pub log: LogId,
    /// How long the harm lasts, milliseconds; each fault says from when.
    pub hold_ms: u64,
    /// Drawn from the seed; decides where the roles leave a choice.
    pub pick: u32,
}

/// One thing the runner does or waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// SIGKILL, until reaped.
    Kill(NodeId),
    /// SIGSTOP.
    Pause(NodeId),
    /// SIGCONT.
    Resume(NodeId),
    /// Start again.
    Start(NodeId),
    /// Note the process's state, once it stands still or has had time to.
    Sample(NodeId),
    /// Send one request and note whether it is answered.
    Probe(NodeId),
    /// Let time pass, milliseconds.
    Hold(u64),
    /// Let appends go by that stopped followers cannot have seen: after `settle_ms` nothing parked at the leader is
    /// left, and what is appended from then on is on the leader alone. Goes on when enough was acknowledged, or after
    /// [`ATTEMPTS_MS`] more if there are attempts but no acknowledgements; at the latest after `at_most_ms`.
    AwaitStale {
        /// Which log.
        log: LogId,
        /// From the step's begin, milliseconds.
        settle_ms: u64,
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
    /// Wait until somebody else leads, at most `at_most_ms`.
    AwaitElection {
        /// Which log.
        log: LogId,
        /// Who led, and when.
        from: (NodeId, LeaderEpoch),
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
}

/// Acknowledged appends that [`Step::AwaitStale`] waits for.
pub const STALE_WRITES_MIN: u64 = 3;
/// How long [`Step::AwaitStale`] gives attempts to be acknowledged, milliseconds.
pub const ATTEMPTS_MS: u64 = 500;

/// What a fault does, resolved to nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// The node that is hit.
    pub target: NodeId,
    /// Nodes that are hit so that hitting the target tells something.
    pub accomplices: Vec<NodeId>,
    /// Up to the end of the harm.
    pub hurt: Vec<Step>,
    /// The order of healing, where it matters.
    pub heal: Vec<Step>,
}

/// What every fault says of itself.
pub trait Fault: Sync {
    /// As typed and printed.
    fn name(&self) -> &'static str;
    /// One line for `list faults`.
    fn about(&self) -> &'static str;
    /// What counts as evidence that it took effect, one line.
    fn evidence(&self) -> &'static str;
    /// What kind of harm it does.
    fn family(&self) -> Family;
    /// What it needs beyond signals.
    fn need(&self) -> Need {
        Need::Signals
    }
    /// Whether a correct cluster of durable settings loses nothing by it; only then `all` means it too.
    fn is_survivable(&self) -> bool {
        true
    }
    /// The useful lengths of the harm, milliseconds.
    fn hold_ms(&self, timing: &Timing) -> RangeInclusive<u64>;
    /// From injection to the begin of recovery as usually seen, milliseconds.
    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64;
    /// Why the cluster's clocks make the fault impossible, if they do.
    fn impossible(&self, _timing: &Timing) -> Option<String> {
        None
    }
    /// Decides the target and the steps, or why there is none now.
    fn script(&self, scene: &Scene, asked: Asked, timing: &Timing) -> Result<Script, Skip>;
    /// Whether the evidence shows that the fault bit. Asked of finished episodes whose injection succeeded.
    fn effective(&self, episode: &Episode) -> bool;
}

impl FaultKind {
    /// Every fault, in the order they are listed.
    pub const ALL: [FaultKind; 5] = [
        FaultKind::KillLeader,
        FaultKind::KillFollower,
        FaultKind::PauseLeader,
        FaultKind::PauseFollower,
        FaultKind::KillLaggingLeader,
    ];

    /// What the fault says of itself.
    pub fn definition(self) -> &'static dyn Fault {
        match self {
            FaultKind::KillLeader => &faults::kill_leader::KillLeader,
            FaultKind::KillFollower => &faults::kill_follower::KillFollower,
            FaultKind::PauseLeader => &faults::pause_leader::PauseLeader,
            FaultKind::PauseFollower => &faults::pause_follower::PauseFollower,
            FaultKind::KillLaggingLeader => &faults::kill_lagging_leader::KillLaggingLeader,
        }
    }

    /// As typed and printed.
    pub fn name(self) -> &'static str {
        self.definition().name()
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no fault's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no fault `{name}`{}; see `stormglass list faults`", .nearest.map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
pub struct UnknownFault {
    /// As typed.
    pub name: String,
    /// The valid name nearest to it, if one is near.
    pub nearest: Option<&'static str>,
}

const NEAR_ENOUGH: f64 = 0.6;

impl FromStr for FaultKind {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<FaultKind, UnknownFault> {
        if let Some(kind) = FaultKind::ALL.into_iter().find(|kind| kind.name() == name) {
            return Ok(kind);
        }
        let near = |n: &&'static str| strsim::normalized_damerau_levenshtein(n, name);
        let names = FaultKind::ALL.into_iter().map(FaultKind::name).chain(iter::once("none"));
        let nearest = names.max_by(|a, b| near(a).total_cmp(&near(b))).filter(|n| near(n) >= NEAR_ENOUGH);
        Err(UnknownFault { name: name.into(), nearest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_listed_once_under_the_name_it_is_stored_as() {
        for (index, kind) in FaultKind::ALL.into_iter().enumerate() {
            assert_eq!(FaultKind::ALL.iter().position(|k| k.name() == kind.name()), Some(index));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
            assert_eq!(kind.name().parse(), Ok(kind));
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_one_and_nonsense_gets_none() {
        for (typed, nearest) in [
            ("kill-leeder", Some("kill-leader")),
            ("pause_follower", Some("pause-follower")),
            ("Kill-Lagging-Leader", Some("kill-lagging-leader")),
            ("non", Some("none")),
            ("earthquake", None),
            ("", None),
        ] {
            let unknown = typed.parse::<FaultKind>().unwrap_err();
            assert_eq!((unknown.name.as_str(), unknown.nearest), (typed, nearest));
        }
    }
}
