//! What a fault does, step by step, resolved to those it hits.

use crate::actor::Actor;
use crate::network::Network;
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
    /// Note what the network did since [`Step::Network`].
    Traffic,
    /// Note the round trip of some requests to the node through the network.
    RoundTrip(NodeId),
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
