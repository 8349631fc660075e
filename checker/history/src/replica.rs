//! What stood on one replica's disk after the run: evidence, as data.

use crate::ids::{LeaderEpoch, LogId, NodeId, Offset, Value};
use serde::{Deserialize, Serialize};

/// A record on a replica's disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplicaRecord {
    /// Its offset.
    pub offset: Offset,
    /// What it says it is.
    pub value: Value,
    /// The reign under which it was appended.
    pub epoch: LeaderEpoch,
}

/// Where a reign began in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EpochStart {
    /// The reign.
    pub epoch: LeaderEpoch,
    /// Its first offset.
    pub start: Offset,
}

/// A batch and who sent it, as its header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SentBatch {
    /// Its first offset.
    pub first: Offset,
    /// Its last offset.
    pub last: Offset,
    /// The producer's id, or −1 if the producer is not idempotent.
    pub producer: i64,
    /// The producer's epoch, or −1.
    pub producer_epoch: i16,
    /// The sequence of its first record, or −1.
    pub sequence: i32,
}

/// One replica of one log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplicaLog {
    /// Whose disk.
    pub node: NodeId,
    /// Which log.
    pub log: LogId,
    /// First offset retained.
    pub start: Offset,
    /// One past the last offset on disk.
    pub end: Offset,
    /// The checkpointed high watermark, if there was one.
    pub high_watermark: Option<Offset>,
    /// The epoch file's lines.
    pub epochs: Vec<EpochStart>,
    /// Every record, by rising offset.
    pub records: Vec<ReplicaRecord>,
    /// The batches, by offset, in which a record stands that this log has more than once; of very many, the first.
    pub repeats: Vec<SentBatch>,
}
