//! What a fault does, step by step, resolved to those it hits.

use crate::actor::Actor;
use crate::disk::{DiskFault, Wreck};
use crate::network::Network;
use crate::skew::Skew;
use history::{LeaderEpoch, LogId, NodeId};

/// One thing the runner does or waits for.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// SIGKILL, until reaped.
    Kill(Actor),
    /// SIGTERM, until reaped.
    Terminate(Actor),
    /// SIGSTOP.
    Pause(Actor),
    /// SIGCONT.
    Resume(Actor),
    /// Start again.
    Start(Actor),
    /// Note the process's state, once it stands still or has had time to.
    Sample(Actor),
    /// Send one request and note whether it is answered.
    Probe(NodeId),
    /// SIGSTOP and SIGCONT in turn, for so long.
    Throttle {
        /// Whom.
        who: Vec<Actor>,
        /// How long it may run, then how long it stands still, milliseconds.
        cycle_ms: (u64, u64),
        /// Altogether, milliseconds.
        for_ms: u64,
    },
    /// Put this network between everybody, and note what passed before.
    Network(Box<Network>),
    /// Wait until the network of [`Step::Network`] has touched something, be it a byte or a connection.
    AwaitTouched {
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
    /// Note what the network did since [`Step::Network`].
    Traffic,
    /// Note the round trip of some requests to the node through the network.
    RoundTrip(NodeId),
    /// Its disk goes wrong from now on.
    Break(NodeId, DiskFault),
    /// Wait until the node has felt it, or has ended because of it, and note it.
    AwaitFelt {
        /// Which node.
        node: NodeId,
        /// What is wrong.
        fault: DiskFault,
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
    /// Wait until every log that these keep has a replica in sync that is not among them, so that what they lose is elsewhere; if
    /// that does not come, nothing is done. A log that only these keep is not waited for.
    AwaitSpare {
        /// Those that are to lose something.
        nodes: Vec<NodeId>,
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
    /// Harm what is on its disk; it is down.
    Wreck(NodeId, Wreck),
    /// Its wall clock goes wrong from now on.
    Skew(Actor, Skew),
    /// Wait until it was told times so far from right, and note it.
    AwaitTold {
        /// Who.
        who: Actor,
        /// How far, milliseconds.
        off_ms: u64,
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
    /// Its disk and clock go wrong no more.
    Mend(Actor),
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
    /// Wait until the node's log has something that no other replica's has, at most `at_most_ms`.
    AwaitAhead {
        /// Which log.
        log: LogId,
        /// Whose.
        node: NodeId,
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
    /// Wait until some other replica's log goes on beyond the node's, at most `at_most_ms`.
    AwaitBehind {
        /// Which log.
        log: LogId,
        /// Whose.
        node: NodeId,
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
    /// Wait until the node leads the log with nobody else in sync, at most `at_most_ms`, and note whether it did.
    AwaitAlone {
        /// Which log.
        log: LogId,
        /// Who is left.
        node: NodeId,
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
    /// Wait until every log is led and every replica in sync, at most `at_most_ms`.
    AwaitWhole {
        /// From the step's begin, milliseconds.
        at_most_ms: u64,
    },
}

/// Acknowledged appends that [`Step::AwaitStale`] waits for.
pub const STALE_WRITES_MIN: u64 = 3;
/// How long [`Step::AwaitStale`] gives attempts to be acknowledged, milliseconds.
pub const ATTEMPTS_MS: u64 = 500;

/// What a fault does, resolved to those it hits.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Script {
    /// Those the fault is about.
    pub targets: Vec<Actor>,
    /// Those that are hit so that hitting the targets tells something.
    pub accomplices: Vec<Actor>,
    /// Up to the end of the harm.
    pub hurt: Vec<Step>,
    /// The order of healing, where it matters.
    pub heal: Vec<Step>,
}

impl Script {
    /// Hurts `targets` by `hurt` and heals by `heal`.
    pub fn on(targets: &[Actor], hurt: Vec<Step>, heal: Vec<Step>) -> Script {
        Script { targets: targets.to_vec(), accomplices: Vec::new(), hurt, heal }
    }
}
