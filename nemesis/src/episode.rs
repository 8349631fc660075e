//! The record of an episode: what was asked, what was done, and what proves it. One line of `faults.jsonl` each.
//!
//! **Invariant:** evidence is what was observed while it happened; `effective` follows from it alone.

use crate::actor::Actor;
use crate::aim::Aim;
use crate::cluster::{Exit, Life, Probe, Reaped, SIGKILL, SIGTERM};
use crate::disk::{Damage, DiskCounts, DiskFault, Wreck};
use crate::fault::FaultKind;
use crate::network::{Counts, Door, FrameRule, Weather};
use crate::scene::Scene;
use crate::skew::ClockReading;
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

/// A duty that one node of the cluster has at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// Decides who leads.
    Controller,
    /// Coordinates the consumers' group.
    GroupCoordinator,
    /// Coordinates the producers' transactions.
    TransactionCoordinator,
}

impl Duty {
    /// Every duty.
    pub const ALL: [Duty; 3] = [Duty::Controller, Duty::GroupCoordinator, Duty::TransactionCoordinator];

    /// What who has it does.
    pub fn verb(self) -> &'static str {
        match self {
            Duty::Controller => "be the active controller",
            Duty::GroupCoordinator => "coordinate the group",
            Duty::TransactionCoordinator => "coordinate transactions",
        }
    }
}

/// Why one was hit.
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

/// One that was hit, and what it was just before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Who.
    pub who: Actor,
    /// Why.
    pub part: Part,
    /// Its process before the injection.
    pub life: Life,
    /// Logs it led.
    pub leads: Vec<Led>,
    /// Logs it kept as a follower.
    pub follows: Vec<LogId>,
    /// Its other duties, if they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duties: Vec<Duty>,
}

impl Target {
    /// Its part, process and roles as the scene shows them.
    pub fn of(scene: &Scene, who: Actor, part: Part, life: Life) -> Target {
        let leader = |log: LogId| scene.leader(log).ok();
        let keeps = |replicas: &[NodeId]| who.node().is_some_and(|node| replicas.contains(&node));
        let hosted = scene.roles.iter().filter(|roles| keeps(&roles.replicas)).map(|roles| roles.log);
        let (led, follows): (Vec<LogId>, _) = hosted.partition(|log| leader(*log).map(|l| l.0) == who.node());
        let leads = led.into_iter().filter_map(|log| leader(log).map(|(_, epoch)| Led { log, epoch })).collect();
        let has = |duty: &Duty| who.node().is_some() && scene.on_duty(*duty) == who.node();
        let duties = Duty::ALL.into_iter().filter(has).collect();
        Target { who, part, life, leads, follows, duties }
    }

    /// True if it led the log.
    pub fn led(&self, log: LogId) -> bool {
        self.leads.iter().any(|led| led.log == log)
    }

    /// True if it led or kept the log.
    pub fn hosts(&self, log: LogId) -> bool {
        self.led(log) || self.follows.contains(&log)
    }
}

/// When something was measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before the harm.
    Before,
    /// While it lasted.
    During,
}

/// Something observed that the fault would make happen and little else would.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Evidence {
    /// The process was reaped.
    Exited {
        /// Whose.
        who: Actor,
        /// Which process, and how it ended.
        reaped: Reaped,
    },
    /// It runs again as another process.
    Restarted {
        /// Who.
        who: Actor,
        /// Its process before.
        before: Life,
        /// Its process now.
        after: Life,
    },
    /// The state letter of its process, `?` if there was none.
    ProcessState {
        /// Whose.
        who: Actor,
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
    /// A node led a log with nobody else in sync.
    Alone {
        /// Which log.
        log: LogId,
        /// Who was left.
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
    /// SIGSTOP and SIGCONT in turn, each seen in `/proc`.
    Throttled {
        /// Whom.
        who: Actor,
        /// How often it was seen standing still after a SIGSTOP.
        stops: u32,
        /// How often it was seen not to stand still after a SIGCONT.
        runs: u32,
    },
    /// What happened on the links of a rule while it was in force.
    Links {
        /// From whom.
        from: Vec<Actor>,
        /// To whom.
        to: Vec<Actor>,
        /// What was asked.
        weather: Weather,
        /// What was counted.
        counts: Counts,
        /// For how long, milliseconds.
        for_ms: u64,
    },
    /// What passed meanwhile between all those whom a network that is about clients left alone.
    Spared {
        /// Bytes that arrived.
        passed: u64,
        /// For how long, milliseconds.
        for_ms: u64,
    },
    /// A node's door was not open; what happened to connections to it.
    Doorstep {
        /// Whose.
        node: NodeId,
        /// What was asked.
        door: Door,
        /// What was counted.
        counts: Counts,
    },
    /// Frames that were tampered with.
    Frames {
        /// What was asked.
        rule: FrameRule,
        /// How many.
        frames: u64,
    },
    /// What a broken disk did to the node, counted since it broke.
    DiskFelt {
        /// Which node.
        node: NodeId,
        /// What was wrong.
        fault: DiskFault,
        /// What happened meanwhile.
        counts: DiskCounts,
    },
    /// What was done to what is on a disk.
    Wrecked {
        /// Whose.
        node: NodeId,
        /// How.
        wreck: Wreck,
        /// What it cost.
        damage: Damage,
    },
    /// What a process was told of the time while its wall clock was wrong.
    ClockTold {
        /// Who.
        who: Actor,
        /// How far off it had to be told, milliseconds.
        asked_ms: u64,
        /// What was told.
        reading: ClockReading,
    },
    /// Round trips of requests to a node through the network, microseconds, `None` where no answer came.
    RoundTrips {
        /// Which node.
        node: NodeId,
        /// When.
        phase: Phase,
        /// One after the other.
        us: Vec<Option<u64>>,
    },
}

impl Evidence {
    /// What was seen, in a word, for counting: `sigkilled` 3, `leader-moved` 2.
    pub fn name(&self) -> &'static str {
        match self {
            Evidence::Exited { reaped: Reaped { exit: Exit::Signal(SIGKILL), .. }, .. } => "sigkilled",
            Evidence::Exited { reaped: Reaped { exit: Exit::Signal(SIGTERM) | Exit::Code(0 | 143), .. }, .. } => {
                "terminated"
            }
            Evidence::Exited { .. } => "ended-otherwise",
            Evidence::Restarted { .. } => "restarted",
            Evidence::ProcessState { state: 'T', .. } => "stopped",
            Evidence::ProcessState { .. } => "not-stopped",
            Evidence::Probed { probe: Probe::TimedOut, .. } => "request-timed-out",
            Evidence::Probed { probe: Probe::Answered, .. } => "request-answered",
            Evidence::Probed { probe: Probe::Refused, .. } => "request-refused",
            Evidence::LeaderMoved { .. } => "leader-moved",
            Evidence::LeftInSync { .. } => "left-in-sync",
            Evidence::Alone { .. } => "alone-in-sync",
            Evidence::Stale { .. } => "appends-to-leader-alone",
            Evidence::DiskFelt { fault, counts, .. } if counts.of(*fault) > 0 => "disk-fault-felt",
            Evidence::DiskFelt { .. } => "disk-fault-not-felt",
            Evidence::Wrecked { damage, .. } if damage.is_none() && damage.shows_cut() => "power-cut-cost-nothing",
            Evidence::Wrecked { damage, .. } if damage.is_none() => "nothing-lost-on-disk",
            Evidence::Wrecked { .. } => "lost-on-disk",
            Evidence::ClockTold { reading, asked_ms, .. } if reading.off_ms() >= *asked_ms => "wrong-time-told",
            Evidence::ClockTold { .. } => "right-time-told",
            Evidence::Throttled { .. } => "throttled",
            Evidence::Links { weather: Weather::Cut, .. } => "links-cut",
            Evidence::Links { weather: Weather::Slow { .. }, .. } => "links-slow",
            Evidence::Links { weather: Weather::Narrow { .. }, .. } => "links-narrow",
            Evidence::Links { weather: Weather::Stalled, .. } => "connections-stalled",
            Evidence::Links { weather: Weather::Reset, .. } => "connections-reset",
            Evidence::Spared { passed: 0, .. } => "others-silent-too",
            Evidence::Spared { .. } => "others-spared",
            Evidence::Doorstep { door: Door::Refusing, .. } => "connects-refused",
            Evidence::Doorstep { door: Door::BlackHole, .. } => "connects-unanswered",
            Evidence::Frames { .. } => "frames-tampered-with",
            Evidence::RoundTrips { phase: Phase::Before, .. } => "round-trips-before",
            Evidence::RoundTrips { phase: Phase::During, .. } => "round-trips-during",
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
    /// How many logs the run has.
    pub logs: u32,
    /// How long the harm was to last, milliseconds.
    pub hold_ms: u64,
    /// How often a target was looked for.
    pub attempts: u32,
    /// Who was hit, those that the fault is about first; empty if nobody.
    pub targets: Vec<Target>,
    /// When it was due.
    pub asked: Nanos,
    /// When the first harm was done.
    pub injected: Option<Nanos>,
    /// When everything was undone and every process ran again.
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
    /// The first of those that the fault is about.
    pub fn target(&self) -> Option<&Target> {
        self.targets.first()
    }

    /// Those that the fault is about.
    pub fn aimed(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.part == Part::Target)
    }

    /// Those that were hit for their sake.
    pub fn accomplices(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.part == Part::Accomplice)
    }

    /// True if those that were hit had the role that the fault aims at.
    pub fn hit_its_aim(&self) -> bool {
        let all = |has: &dyn Fn(&Target) -> bool| self.target().is_some() && self.aimed().all(has);
        match self.fault.aim() {
            Aim::Leader => all(&|target| target.led(self.log)),
            Aim::Follower => all(&|target| target.follows.contains(&self.log)),
            Aim::Isr => all(&|target| target.hosts(self.log)),
            Aim::Minority | Aim::Majority => self.aimed().any(|target| target.led(self.log)),
            Aim::Producer | Aim::Consumer => all(&|target| matches!(target.who, Actor::Client(_))),
            aim @ (Aim::Controller | Aim::GroupCoordinator | Aim::TransactionCoordinator) => {
                all(&|target| aim.duty().is_some_and(|duty| target.duties.contains(&duty)))
            }
            Aim::All | Aim::Some | Aim::Cluster | Aim::Requests(_) => all(&|_| true),
        }
    }

    /// Logs that any of those that were hit led or kept, in order. A client and a controller keep no log, and stand
    /// between all of them and whoever appends: where only such were hit, every log of the run counts.
    pub fn logs_at_risk(&self) -> Vec<LogId> {
        let hosted =
            |t: &Target| t.leads.iter().map(|led| led.log).chain(t.follows.iter().copied()).collect::<Vec<_>>();
        let mut logs: Vec<LogId> = self.targets.iter().flat_map(hosted).collect();
        if logs.is_empty() && !self.targets.is_empty() {
            logs = (0..self.logs).map(LogId).collect();
        }
        logs.sort_unstable();
        logs.dedup();
        logs
    }

    /// True if the episode's leader was seen to be alone in sync.
    pub fn shows_alone(&self) -> bool {
        self.evidence.iter().any(|e| matches!(e, Evidence::Alone { log, .. } if *log == self.log))
    }

    /// True if the very process that was there before was ended by SIGKILL, and another took its place.
    pub fn shows_kill(&self, target: &Target) -> bool {
        self.shows_end(target, &[Exit::Signal(SIGKILL)])
    }

    /// True if the very process that was there before ended on SIGTERM, one way or the other, and another took its place.
    pub fn shows_termination(&self, target: &Target) -> bool {
        self.shows_end(target, &[Exit::Signal(SIGTERM), Exit::Code(0), Exit::Code(128 + SIGTERM)])
    }

    fn shows_end(&self, target: &Target, ends: &[Exit]) -> bool {
        let ended = |e: &Evidence| {
            matches!(e, Evidence::Exited { who, reaped }
                if *who == target.who && reaped.pid == target.life.pid && ends.contains(&reaped.exit))
        };
        let back = |e: &Evidence| {
            matches!(e, Evidence::Restarted { who, before, after }
                if *who == target.who && *before == target.life && after != before)
        };
        self.evidence.iter().any(ended) && self.evidence.iter().any(back)
    }

    /// True if the process stood still at the first and at the last of at least two samples.
    pub fn shows_stop(&self, target: &Target) -> bool {
        let samples: Vec<(char, Nanos)> = self.evidence.iter().filter_map(|e| sample_of(e, target.who)).collect();
        match (samples.first(), samples.last()) {
            (Some((_, first)), Some((_, last))) => first < last && samples.iter().all(|(state, _)| *state == 'T'),
            _ => false,
        }
    }

    /// True if somebody noticed: a request to the node timed out, or it lost a role.
    pub fn shows_silence(&self, target: &Target) -> bool {
        self.evidence.iter().any(|e| match e {
            Evidence::Probed { node, probe, .. } => target.who.node() == Some(*node) && *probe == Probe::TimedOut,
            Evidence::LeaderMoved { from, .. } => target.who.node() == Some(from.0),
            Evidence::LeftInSync { node, .. } => target.who.node() == Some(*node),
            _ => false,
        })
    }

    /// True if a log got another leader, or a replica fell out of sync, before the harm was over.
    pub fn shows_change(&self) -> bool {
        self.evidence.iter().any(|e| matches!(e, Evidence::LeaderMoved { .. } | Evidence::LeftInSync { .. }))
    }
}

impl fmt::Display for Episode {
    /// One line for the terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on log {}: ", self.fault, self.log.0)?;
        for target in self.aimed() {
            write!(f, "{}, ", target.who)?;
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

fn sample_of(evidence: &Evidence, of: Actor) -> Option<(char, Nanos)> {
    match evidence {
        Evidence::ProcessState { who, state, at } if *who == of => Some((*state, *at)),
        _ => None,
    }
}
