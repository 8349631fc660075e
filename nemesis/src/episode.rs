//! The record of an episode: what was asked, what was done, and what proves it. One line of `faults.jsonl` each.
//!
//! **Invariant:** evidence is what was observed while it happened; `effective` follows from it alone.

use crate::cluster::{Exit, Life, Probe, Reaped, SIGKILL};
use crate::fault::FaultKind;
use crate::scene::Scene;
use history::{LeaderEpoch, LogId, Nanos, NodeId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of the attempt to hurt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step was done.
    Installed,
    /// Nothing was done.
    Skipped {
        /// Why not.
        reason: String,
    },
    /// Something was done; whether all of it nobody can tell.
    Indeterminate {
        /// What is not known.
        reason: String,
    },
}

/// Why a node was hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The fault is about it.
    Target,
    /// So that hitting the target tells something.
    Accomplice,
}

/// A log the node led, and since which epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Led {
    /// Which log.
    pub log: LogId,
    /// Since when.
    pub epoch: LeaderEpoch,
}

/// A node that was hit, and what it was just before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Which node.
    pub node: NodeId,
    /// Why.
    pub part: Part,
    /// Its process before the injection.
    pub life: Life,
    /// Logs it led.
    pub leads: Vec<Led>,
    /// Logs it kept as a follower.
    pub follows: Vec<LogId>,
}

impl Target {
    /// The node's part, process and roles as the scene shows them.
    pub fn of(scene: &Scene, node: NodeId, part: Part, life: Life) -> Target {
        let leader = |log: LogId| scene.leader(log).ok();
        let hosted = scene.roles.iter().filter(|roles| roles.replicas.contains(&node)).map(|roles| roles.log);
        let (led, follows): (Vec<LogId>, _) = hosted.partition(|log| leader(*log).is_some_and(|(n, _)| n == node));
        let leads = led.into_iter().filter_map(|log| leader(log).map(|(_, epoch)| Led { log, epoch })).collect();
        Target { node, part, life, leads, follows }
    }

    /// True if the node led or kept the log.
    pub fn hosts(&self, log: LogId) -> bool {
        self.leads.iter().any(|led| led.log == log) || self.follows.contains(&log)
    }
}

/// Something observed that the fault would make happen and little else would.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Evidence {
    /// The node's process was reaped.
    Exited {
        /// Which node.
        node: NodeId,
        /// Which process, and how it ended.
        reaped: Reaped,
    },
    /// The node runs again as another process.
    Restarted {
        /// Which node.
        node: NodeId,
        /// Its process before.
        before: Life,
        /// Its process now.
        after: Life,
    },
    /// The state letter of its process, `?` if there was none.
    ProcessState {
        /// Which node.
        node: NodeId,
        /// `T` is stopped.
        state: char,
        /// When it was read.
        at: Nanos,
    },
    /// One request to it.
    Probed {
        /// Which node.
        node: NodeId,
        /// What became of it.
        probe: Probe,
        /// How long it was waited for.
        timeout_ms: u64,
        /// When it was given up or answered.
        at: Nanos,
    },
    /// Somebody else leads, or nobody, before the harm was over.
    LeaderMoved {
        /// Which log.
        log: LogId,
        /// Who led.
        from: (NodeId, LeaderEpoch),
        /// Who leads.
        to: Option<(NodeId, LeaderEpoch)>,
    },
    /// The node lost its place among the in-sync replicas before the harm was over.
    LeftInSync {
        /// Which log.
        log: LogId,
        /// Which node.
        node: NodeId,
    },
    /// Appends that went to the leader alone: made after anything parked for the stopped followers was gone.
    Stale {
        /// Which log.
        log: LogId,
        /// Handed over by clients.
        invoked: u64,
        /// Acknowledged.
        acked: u64,
    },
}

impl Evidence {
    /// What was seen, in a word, for counting: `sigkilled` 3, `leader-moved` 2.
    pub fn name(&self) -> &'static str {
        match self {
            Evidence::Exited { reaped: Reaped { exit: Exit::Signal(SIGKILL), .. }, .. } => "sigkilled",
            Evidence::Exited { .. } => "ended-otherwise",
            Evidence::Restarted { .. } => "restarted",
            Evidence::ProcessState { state: 'T', .. } => "stopped",
            Evidence::ProcessState { .. } => "not-stopped",
            Evidence::Probed { probe: Probe::TimedOut, .. } => "request-timed-out",
            Evidence::Probed { probe: Probe::Answered, .. } => "request-answered",
            Evidence::Probed { probe: Probe::Refused, .. } => "request-refused",
            Evidence::LeaderMoved { .. } => "leader-moved",
            Evidence::LeftInSync { .. } => "left-in-sync",
            Evidence::Stale { .. } => "appends-to-leader-alone",
        }
    }
}

/// One fault from injection to recovery.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Episode {
    /// Its place in the plan.
    pub index: u32,
    /// What was done.
    pub fault: FaultKind,
    /// The log whose roles decided the target.
    pub log: LogId,
    /// How long the harm was to last, milliseconds.
    pub hold_ms: u64,
    /// How often a target was looked for.
    pub attempts: u32,
    /// Who was hit, the target first; empty if nobody.
    pub targets: Vec<Target>,
    /// When it was due.
    pub asked: Nanos,
    /// When the first harm was done.
    pub injected: Option<Nanos>,
    /// When every node ran again.
    pub healed: Option<Nanos>,
    /// When the nodes that were hit answered and every replica was in sync.
    pub recovered: Option<Nanos>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Whether the evidence shows that it bit.
    pub effective: bool,
    /// The evidence, in order.
    pub evidence: Vec<Evidence>,
}

impl Episode {
    /// The node the fault is about.
    pub fn target(&self) -> Option<&Target> {
        self.targets.first()
    }

    /// The nodes that were hit for its sake.
    pub fn accomplices(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.part == Part::Accomplice)
    }

    /// Logs any node that was hit led or kept, in order.
    pub fn logs_at_risk(&self) -> Vec<LogId> {
        let hosted =
            |t: &Target| t.leads.iter().map(|led| led.log).chain(t.follows.iter().copied()).collect::<Vec<_>>();
        let mut logs: Vec<LogId> = self.targets.iter().flat_map(hosted).collect();
        logs.sort_unstable();
        logs.dedup();
        logs
    }

    /// True if the very process that was there before was ended by SIGKILL, and another took its place.
    pub fn shows_kill(&self, target: &Target) -> bool {
        let killed = Reaped { pid: target.life.pid, exit: Exit::Signal(SIGKILL) };
        let exited =
            |e: &Evidence| matches!(e, Evidence::Exited { node, reaped } if *node == target.node && *reaped == killed);
        let back = |e: &Evidence| {
            matches!(e, Evidence::Restarted { node, before, after }
                if *node == target.node && *before == target.life && after != before)
        };
        self.evidence.iter().any(exited) && self.evidence.iter().any(back)
    }

    /// True if the process stood still at the first and at the last of at least two samples.
    pub fn shows_stop(&self, target: &Target) -> bool {
        let samples: Vec<(char, Nanos)> = self.evidence.iter().filter_map(|e| sample_of(e, target.node)).collect();
        match (samples.first(), samples.last()) {
            (Some((_, first)), Some((_, last))) => first < last && samples.iter().all(|(state, _)| *state == 'T'),
            _ => false,
        }
    }

    /// True if somebody noticed: a request to the node timed out, or it lost a role.
    pub fn shows_silence(&self, target: &Target) -> bool {
        self.evidence.iter().any(|e| match e {
            Evidence::Probed { node, probe, .. } => *node == target.node && *probe == Probe::TimedOut,
            Evidence::LeaderMoved { from, .. } => from.0 == target.node,
            Evidence::LeftInSync { node, .. } => *node == target.node,
            _ => false,
        })
    }
}

impl fmt::Display for Episode {
    /// One line for the terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on log {}: ", self.fault, self.log.0)?;
        if let Some(target) = self.target() {
            write!(f, "node {}, ", target.node.0)?;
        }
        match &self.outcome {
            Outcome::Skipped { reason } => return write!(f, "skipped: {reason}"),
            Outcome::Indeterminate { reason } => write!(f, "indeterminate: {reason}")?,
            Outcome::Installed if self.effective => f.write_str("effective")?,
            Outcome::Installed => f.write_str("installed without evidence of an effect")?,
        }
        match (self.injected, self.recovered) {
            (Some(from), Some(to)) => write!(f, ", recovered after {:.1} s", to.since(from) as f64 / 1e9),
            _ => f.write_str(", not seen to recover"),
        }
    }
}

fn sample_of(evidence: &Evidence, of: NodeId) -> Option<(char, Nanos)> {
    match evidence {
        Evidence::ProcessState { node, state, at } if *node == of => Some((*state, *at)),
        _ => None,
    }
}
