//! What is found: data, and a sentence.

use super::cycles::CycleShape;
use super::edges::Dependency;
use crate::claim::Claim;
use history::{LogId, Nanos, Offset, Op, Value};
use std::fmt;

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FindingKind {
    /// A cycle of dependencies: no order of the transactions explains what they saw.
    Cycle(CycleShape),
    /// A record of an aborted transaction was read (G1a).
    AbortedRead,
    /// A read ended between two records of one transaction (G1b).
    IntermediateRead,
    /// A transaction read what it had not committed yet.
    OwnRead,
    /// Some records of a transaction are visible and others are not.
    Torn,
    /// A transaction's commit was acknowledged and none of its records is visible.
    LostCommit,
    /// A record of a transaction was written after the transaction had ended.
    ZombieWrite,
    /// A group's position is that of a transaction that did not happen.
    PositionWithoutTransaction,
    /// A transaction happened and the position it stored did not.
    TransactionWithoutPosition,
    /// The last stable offset stood still below the log's end.
    StableEndStalled,
    /// A transaction's next record in a log stands behind another's.
    IntSendSkip,
    /// A transaction's next record in a log does not stand behind its last.
    IntNonmonotonicSend,
}

impl FindingKind {
    /// Short name, as printed; for cycles the field's.
    pub fn name(self) -> &'static str {
        use super::cycles::CycleKind::{G0, G1c, G2, GSingle};
        match self {
            FindingKind::Cycle(shape) => match (shape.kind, shape.realtime) {
                (G0, false) => "G0",
                (G0, true) => "G0-realtime",
                (G1c, false) => "G1c",
                (G1c, true) => "G1c-realtime",
                (GSingle, false) => "G-single",
                (GSingle, true) => "G-single-realtime",
                (G2, false) => "G2",
                (G2, true) => "G2-realtime",
            },
            FindingKind::AbortedRead => "aborted-read",
            FindingKind::IntermediateRead => "intermediate-read",
            FindingKind::OwnRead => "own-uncommitted-read",
            FindingKind::Torn => "torn-transaction",
            FindingKind::LostCommit => "lost-commit",
            FindingKind::ZombieWrite => "zombie-write",
            FindingKind::PositionWithoutTransaction => "position-without-transaction",
            FindingKind::TransactionWithoutPosition => "transaction-without-position",
            FindingKind::StableEndStalled => "stable-end-stalled",
            FindingKind::IntSendSkip => "int-send-skip",
            FindingKind::IntNonmonotonicSend => "int-nonmonotonic-send",
        }
    }

    /// The claim it breaks.
    pub fn claim(self) -> Claim {
        match self {
            FindingKind::Cycle(_) => Claim::TxnCycles,
            FindingKind::AbortedRead => Claim::NoAbortedRead,
            FindingKind::LostCommit => Claim::NoAckedLoss,
            FindingKind::OwnRead => Claim::NoOwnUncommittedRead,
            FindingKind::StableEndStalled => Claim::AllReadAfterHeal,
            FindingKind::IntSendSkip => Claim::ContiguousSends,
            FindingKind::IntNonmonotonicSend => Claim::ProducerOrder,
            FindingKind::IntermediateRead
            | FindingKind::Torn
            | FindingKind::ZombieWrite
            | FindingKind::PositionWithoutTransaction
            | FindingKind::TransactionWithoutPosition => Claim::AtomicTxn,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why one transaction of a cycle comes before the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Place of the earlier one in the input.
    pub from: usize,
    /// Place of the later one.
    pub to: usize,
    /// Why.
    pub because: Because,
}

/// A dependency with the record or the times that make it one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Because {
    /// The earlier one's record stands before the later one's, with no other's between them.
    Ww {
        /// In this log.
        log: LogId,
        /// The two places.
        offsets: (Offset, Offset),
    },
    /// The later one read the earlier one's record.
    Wr {
        /// In this log.
        log: LogId,
        /// Where.
        offset: Offset,
        /// What.
        value: Value,
    },
    /// The earlier one read to the log's end, and the later one's record is the first beyond it.
    Rw {
        /// In this log.
        log: LogId,
        /// The end it saw.
        end: Offset,
        /// Where the record stands.
        offset: Offset,
    },
    /// The earlier one had returned before the later one was invoked.
    Rt {
        /// When.
        returned: Nanos,
        /// When.
        invoked: Nanos,
    },
}

impl Because {
    /// Its kind.
    pub fn dependency(self) -> Dependency {
        match self {
            Because::Ww { .. } => Dependency::Ww,
            Because::Wr { .. } => Dependency::Wr,
            Because::Rw { .. } => Dependency::Rw,
            Because::Rt { .. } => Dependency::Rt,
        }
    }
}

/// One thing wrong, with what proves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The transactions that prove it, by place in the input; of a cycle in its order.
    pub transactions: Vec<usize>,
    /// Why each comes before the next, if it is a cycle.
    pub steps: Vec<Step>,
    /// The log, if it is about one.
    pub log: Option<LogId>,
    /// The offset, if it is about one.
    pub offset: Option<Offset>,
    /// The values concerned.
    pub values: Vec<Value>,
    /// The position read that proves it, by place in the input.
    pub position: Option<usize>,
    /// Answers that prove it.
    pub answers: Vec<Op>,
    /// How often it happened, if the same was found again.
    pub count: u64,
    /// What happened, in one sentence.
    pub sentence: String,
}

impl Finding {
    pub(super) fn new(kind: FindingKind, transactions: Vec<usize>, sentence: String) -> Finding {
        Finding {
            kind,
            transactions,
            steps: Vec::new(),
            log: None,
            offset: None,
            values: Vec::new(),
            position: None,
            answers: Vec::new(),
            count: 1,
            sentence,
        }
    }

    pub(super) fn at(mut self, log: LogId, offset: Option<Offset>, values: Vec<Value>) -> Finding {
        (self.log, self.offset, self.values) = (Some(log), offset, values);
        self
    }
}
