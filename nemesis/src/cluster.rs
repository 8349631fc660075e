//! What a cluster lets itself suffer, and what it tells about itself: the only way a fault reaches the world.
//!
//! The harness implements [`Cluster`] over real processes; the tests implement it in memory. **Invariant:** a method may
//! block for as long as its own bounded deadline, never longer, and none sleeps to let time pass: time passes between
//! two ticks of the runner. Answers are what was observed, never what was hoped for: evidence is built from them.
//!
//! Deliberately absent: any word about how a node is reached, started or signalled.

use crate::actor::{Actor, ClientId, ClientPart};
use crate::disk::{Damage, DiskCounts, DiskFault, Wreck};
use crate::network::{Network, Traffic};
use crate::skew::{ClockReading, Skew};
use history::{LeaderEpoch, LogId, Nanos, NodeId, Offset};
use serde::{Deserialize, Serialize};

/// One life of a process. Two lives differ in pid or, should a pid come round again, in start time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Life {
    /// Process id.
    pub pid: u32,
    /// When it started, clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_time: u64,
}

/// What a process is doing, as far as whoever runs it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum NodeState {
    /// It runs.
    Running(Life),
    /// It was stopped and not yet continued.
    Paused(Life),
    /// There is no process: it ended, or was never started.
    Down,
}

impl NodeState {
    /// The process's life, if there is a process.
    pub fn life(self) -> Option<Life> {
        match self {
            NodeState::Running(life) | NodeState::Paused(life) => Some(life),
            NodeState::Down => None,
        }
    }
}

/// How a process ended, as the one who reaped it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// It ended itself with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// SIGKILL's number.
pub const SIGKILL: i32 = 9;
/// SIGTERM's number.
pub const SIGTERM: i32 = 15;

/// A process that was reaped: which one, and how it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reaped {
    /// The pid that was waited for.
    pub pid: u32,
    /// How it ended.
    pub exit: Exit,
}

/// Who keeps a log, all of it taken from one answer of the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogRoles {
    /// Which log.
    pub log: LogId,
    /// Who leads it and since which epoch; `None` while it is without a leader.
    pub leader: Option<(NodeId, LeaderEpoch)>,
    /// Every node that keeps a copy.
    pub replicas: Vec<NodeId>,
    /// The replicas that count as in sync.
    pub isr: Vec<NodeId>,
}

/// Appends to a log so far, counted from what the clients journalled. They only ever grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Appends {
    /// Handed over by a client.
    pub invoked: u64,
    /// Of those, acknowledged.
    pub acked: u64,
    /// When the latest acknowledgement came; [`Nanos`] 0 before the first.
    pub acked_at: Nanos,
}

/// What became of one request to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// It answered in time.
    Answered,
    /// The connection stood, the answer did not come in time.
    TimedOut,
    /// There was nobody to connect to, or the connection broke.
    Refused,
}

/// The cluster could not do, or could not tell, what it was asked. The text is for people.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// What a node is in the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodePart {
    /// Keeps replicas.
    Broker,
    /// Votes on metadata and keeps no replica.
    Controller,
}

/// Who has the duties that only one node of the cluster has at a time; `None`: nobody, or nobody told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Duties {
    /// The active controller.
    pub controller: Option<NodeId>,
    /// Coordinates the consumers' group.
    pub group_coordinator: Option<NodeId>,
    /// Coordinates the producers' transactions.
    pub transaction_coordinator: Option<NodeId>,
}

/// A cluster that can be hurt, healed and asked.
///
/// Processes are those of [`Actor::Node`] and [`Actor::Client`]; a call about any other refuses.
pub trait Cluster {
    /// CLOCK_MONOTONIC.
    fn now(&self) -> Nanos;

    /// Every node a fault may touch, whatever its state.
    fn nodes(&self) -> Vec<(NodeId, NodePart)>;

    /// Every client process, whatever its state.
    fn clients(&self) -> Vec<(ClientId, ClientPart)>;

    /// What the process is doing. An unknown one is [`NodeState::Down`].
    fn state(&self, who: Actor) -> NodeState;

    /// SIGKILLs the process, stopped or not, and waits until it was reaped.
    fn kill(&mut self, who: Actor) -> Result<Reaped, Refusal>;

    /// SIGTERMs the process and waits until it has ended and was reaped.
    fn terminate(&mut self, who: Actor) -> Result<Reaped, Refusal>;

    /// SIGSTOPs the process.
    fn pause(&mut self, who: Actor) -> Result<(), Refusal>;

    /// SIGCONTs the process.
    fn resume(&mut self, who: Actor) -> Result<(), Refusal>;

    /// Starts the node over its old folder and ports, or a successor of the client. Done once there is a process, not
    /// once it answers.
    fn start(&mut self, who: Actor) -> Result<Life, Refusal>;

    /// Who leads and keeps the logs at this moment: freshly asked, not remembered. Empty if nobody answered.
    fn roles(&mut self) -> Vec<LogRoles>;

    /// Who has the other duties at this moment: freshly asked, not remembered.
    fn duties(&mut self) -> Duties;

    /// Appends to the log so far.
    fn appends(&self, log: LogId) -> Appends;

    /// The end of each replica of the log, as its files have it now. Empty if nobody can tell.
    fn log_ends(&mut self, log: LogId) -> Vec<(NodeId, Offset)>;

    /// Sends the node one request past every proxy and waits for its answer, at most `timeout_ms`.
    fn probe(&mut self, node: NodeId, timeout_ms: u64) -> Probe;

    /// The state letter of `/proc/PID/stat` (`T` stopped); `None` if there is no process.
    fn process_state(&self, who: Actor) -> Option<char>;

    /// Puts this network between everybody, in place of the one before. The default one undoes every network fault.
    fn set_network(&mut self, network: &Network) -> Result<(), Refusal>;

    /// The network as it was last set.
    fn network(&self) -> Network;

    /// What happened on each link so far.
    fn traffic(&mut self) -> Result<Vec<Traffic>, Refusal>;

    /// Sends the node one request through the network, as [`Actor::Observer`], and says how long the answer took,
    /// microseconds; `None` if it did not come within `timeout_ms`.
    fn round_trip(&mut self, node: NodeId, timeout_ms: u64) -> Option<u64>;

    /// Ends every fault of the disk and clock; what is lost stays lost. May be called at any time.
    fn mend(&mut self, _who: Actor) -> Result<(), Refusal> {
        Ok(())
    }

    /// The node's disk goes wrong in this way from now on. That the node ends because of it is no surprise.
    fn break_disk(&mut self, _node: NodeId, _fault: DiskFault) -> Result<(), Refusal> {
        Err(Refusal("there is no hold on the disks of this cluster".into()))
    }

    /// Harms the disk of a node that is down, choosing by `seed` where there is a choice.
    fn wreck_disk(&mut self, _node: NodeId, _wreck: Wreck, _seed: u64) -> Result<Damage, Refusal> {
        Err(Refusal("there is no hold on the disks of this cluster".into()))
    }

    /// What the node's disk has counted so far, over all lives of the node.
    fn disk_counts(&mut self, _node: NodeId) -> Result<DiskCounts, Refusal> {
        Err(Refusal("the disks of this cluster count nothing".into()))
    }

    /// The process's wall clock goes wrong in this way from now on.
    fn skew_clock(&mut self, _who: Actor, _skew: Skew) -> Result<(), Refusal> {
        Err(Refusal("there is no hold on the clocks of this cluster".into()))
    }

    /// What the process was told of the time since the last change of its clock.
    fn clock_reading(&mut self, _who: Actor) -> Result<ClockReading, Refusal> {
        Err(Refusal("there is no hold on the clocks of this cluster".into()))
    }
}
