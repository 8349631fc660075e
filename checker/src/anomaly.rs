//! An anomaly: a named violation of a claim with the operations that prove it, as one JSON object.
//!
//! Neighbouring findings of one kind in one log are one anomaly with a count. **Invariant:** every offset, value and
//! operation of the group is listed; nothing is left out, and a group has a size at which the next begins.

use crate::claim::Claim;
use history::{Kind, LogId, Names, Nanos, NodeId, Op, Outcome, Record};
use serde::{Deserialize, Serialize};

/// The anomalies by name. Each one's definition, smallest example and innocent near-miss is a file of `claims/`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnomalyKind {
    /// An acknowledged record is gone and nothing before it is left.
    LostPrefix,
    /// An acknowledged record is gone and records before and after it are there.
    LostMiddle,
    /// An acknowledged record is gone and nothing after it is left.
    LostPostfix,
    /// An acknowledged record exists on a replica and cannot be read.
    Unread,
    /// An acknowledged record fell below the log's start before anybody read it.
    TrimmedUnread,
    /// A value stands at two offsets.
    Duplicate,
    /// An offset was told with two values.
    InconsistentOffset,
    /// An offset was read with two values.
    ChangedOffset,
    /// Replicas disagree about an offset that both hold as committed.
    DivergedReplicas,
    /// A record stands at another offset than the acknowledged one.
    WrongAckOffset,
    /// An acknowledgement told an offset below −1.
    NegativeAckOffset,
    /// A writer's later record stands before an earlier one.
    Reordered,
    /// A reader's next read began at or before the end of its last.
    NonmonotonicPoll,
    /// Within one read an offset did not rise.
    IntNonmonotonicPoll,
    /// A reader's next read began beyond records it had not read.
    PollSkip,
    /// Within one read records were passed over.
    IntPollSkip,
    /// A record was read whose append had definitely failed.
    FailedAppendRead,
    /// A value was read that nobody appended.
    Phantom,
    /// A record of a stranger was read.
    Foreign,
    /// A value was read from a log it was not appended to.
    Misrouted,
    /// A record's bytes fail their checksum.
    Corrupted,
    /// A record was read before its append was invoked.
    ReadBeforeSend,
    /// An append got an offset below an end proven before it was invoked.
    LateAppend,
    /// A fetch found nothing where a record had been proven before it was invoked.
    StaleRead,
    /// An end offset was told below one proven before it was asked for.
    StaleEnd,
    /// An acknowledged record was denied, and nobody but the drain ever read it.
    HiddenUntilHeal,
    /// An offset is proven to exist and no append can have made it.
    UnownedOffset,
    /// The readable end went back.
    EndWentBack,
    /// The last stable offset went back.
    StableEndWentBack,
    /// The log's start went back.
    LogStartWentBack,
    /// The leader epoch went back.
    EpochWentBack,
    /// Writes of transactions interleave in a circle.
    G0,
    /// Writes contradict the order of time.
    G0Realtime,
    /// Transactions read each other in a circle.
    G1c,
    /// Reads contradict the order of time.
    G1cRealtime,
    /// A circle of dependencies with one read that missed a write.
    GSingle,
    /// A read missed a write that was over before it.
    GSingleRealtime,
    /// A circle of dependencies with several reads that missed writes.
    G2,
    /// The same, and real time is part of it.
    G2Realtime,
    /// A circle of dependencies with reads that closes only by the order of writes.
    WriteOrderCycle,
    /// A record of an aborted transaction was read.
    AbortedRead,
    /// A complete read shows some records of a transaction in a log and not others.
    IntermediateRead,
    /// A transaction read what it had not committed yet.
    OwnUncommittedRead,
    /// Some records of a transaction are visible and others do not exist.
    TornTransaction,
    /// A transaction's commit was acknowledged and none of its records is visible.
    LostCommit,
    /// A record was written after its transaction had ended.
    ZombieWrite,
    /// A group's position is that of a transaction that did not happen.
    PositionWithoutTransaction,
    /// A transaction happened and the position it stored did not.
    TransactionWithoutPosition,
    /// The last stable offset stood still below the log's end.
    StableEndStalled,
    /// Records that a group or its position passed never reached it.
    GroupSkipped,
    /// Records reached a group more than once.
    GroupRedelivered,
    /// A commit below an acknowledged one was acknowledged.
    CommitWentBack,
    /// A position read back is older than an acknowledged commit.
    CommitLost,
    /// A position was read back that nobody had committed.
    CommitFromNowhere,
    /// A new owner began below the position.
    ResumedEarlier,
    /// A new owner began beyond the position, with records in between.
    ResumedLater,
    /// A new owner began elsewhere because the position lay outside the log.
    OutOfRangeReset,
    /// Two members owned a log at one time.
    TwoOwners,
    /// Two members were given a log in one generation.
    GenerationShared,
    /// A commit of a generation that was over was acknowledged.
    StaleGenerationCommit,
    /// A member was given an older generation than before.
    GenerationWentBack,
    /// One operation's next record in a log stands behind another's.
    IntSendSkip,
    /// One operation's next record in a log does not stand behind its last.
    IntNonmonotonicSend,
}

/// An operation as evidence, in words: names resolved, times from the start of the load.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OpRef {
    /// The process's name.
    pub process: String,
    /// What it did.
    pub kind: Kind,
    /// The log's name.
    pub log: String,
    /// Before its first byte could reach a broker, ns from the start of the load (negative before it).
    pub invoked_ns: i64,
    /// After its reply was parsed, ns; absent if no reply came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub returned_ns: Option<i64>,
    /// What is known of its effect.
    pub outcome: Outcome,
    /// The offset told, asked for, or answered, as in [`Kind`].
    pub offset: i64,
    /// What an append appended, as `writer.sequence`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// `detail` of the kinds that have neither value nor records.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<u64>,
    /// How many records a read returned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub count: Option<usize>,
    /// Those of them that concern the anomaly, and their neighbours: (offset, value).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<(i64, String)>,
}

impl OpRef {
    /// Describes a witness.
    pub fn new(names: &Names, witness: &Witness) -> OpRef {
        let op = &witness.op;
        let from_start = |t: Nanos| (i128::from(t.0) - i128::from(names.epoch.0)) as i64;
        let read = op.kind().reads_records();
        let append = op.kind() == Kind::Append;
        OpRef {
            process: names.process(op.process()),
            kind: op.kind(),
            log: names.log(op.log),
            invoked_ns: from_start(op.invoked),
            returned_ns: (op.returned != Nanos::NEVER).then(|| from_start(op.returned)),
            outcome: op.outcome(),
            offset: op.offset.0,
            value: append.then(|| op.value().to_string()),
            detail: (!read && !append).then_some(op.detail),
            count: read.then_some(witness.count),
            records: witness.near.iter().map(|r| (r.offset.0, r.value.to_string())).collect(),
        }
    }
}

/// An operation kept as evidence: itself and, of what it read, the records that matter and their neighbours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Witness {
    /// The operation.
    pub op: Op,
    /// Records that matter.
    pub near: Vec<Record>,
    /// How many it read.
    pub count: usize,
}

impl Witness {
    /// An operation without records, or whose records do not matter.
    pub fn bare(op: &Op) -> Witness {
        let count = if op.kind().reads_records() { op.records().len() } else { 0 };
        Witness { op: *op, near: Vec::new(), count }
    }

    /// A read of which the record at index `at` matters.
    pub fn read(op: &Op, records: &[Record], at: usize) -> Witness {
        let near = records[at.saturating_sub(1).min(records.len())..records.len().min(at.saturating_add(2))].to_vec();
        Witness { op: *op, near, count: records.len() }
    }

    /// An operation of which, if it read anything, the last record matters.
    pub fn last_of(op: &Op, records: &[Record]) -> Witness {
        match records.len().checked_sub(1) {
            Some(last) => Witness::read(op, records, last),
            None => Witness::bare(op),
        }
    }

    /// What witnesses are ordered by: the reply, then the invocation, then the process.
    pub fn time(&self) -> (Nanos, Nanos, u32) {
        (self.op.returned, self.op.invoked, self.op.process().0)
    }
}

/// A group of neighbouring findings of one kind in one log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Anomaly {
    /// The claim it breaks.
    pub claim: Claim,
    /// Its name.
    pub kind: AnomalyKind,
    /// The log.
    pub log: LogId,
    /// The log's name.
    pub log_name: String,
    /// How many findings are grouped here.
    pub count: u64,
    /// What happened, in one sentence.
    pub sentence: String,
    /// Every offset concerned, rising.
    pub offsets: Vec<i64>,
    /// Stretches of offsets concerned, first and last, where whole stretches are.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub stretches: Vec<(i64, i64)>,
    /// Every value concerned, as `writer.sequence`, in the order of the findings.
    pub values: Vec<String>,
    /// Replicas on whose disk the record is (losses and divergences).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub replicas: Vec<NodeId>,
    /// From when to when, ns from the start of the load: earliest invocation and latest reply of the operations.
    pub window_ns: (i64, i64),
    /// The operations that prove it; of a pair the earlier one first.
    pub ops: Vec<OpRef>,
}
