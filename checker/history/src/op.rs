//! An operation in memory: 40 bytes, plus 16 for each record it read.

use crate::ids::{LogId, Nanos, Offset, ProcessId, Value};
use serde::{Deserialize, Serialize};

/// What an operation did. The meaning of [`Op::offset`] and [`Op::detail`] depends on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Kind {
    /// One record appended. `offset`: where, as acknowledged (−1 not told); `detail`: its [`Value`].
    Append = 1,
    /// Records handed to an application by a client with buffers of its own: proves that they exist, never that
    /// others do not. `offset`: the first one's; `detail`: its range in [`crate::History::records`].
    Poll = 2,
    /// One true fetch window: everything readable from `offset` on, up to a size limit. Empty proves that the log's
    /// readable end was not beyond `offset`. `detail`: range of records.
    Fetch = 3,
    /// The log's readable end (high watermark) as told. `offset`: the answer.
    EndOffset = 4,
    /// The end readable under transaction isolation (last stable offset). `offset`: the answer.
    StableEnd = 5,
    /// The log's first retained offset. `offset`: the answer.
    LogStart = 6,
    /// The leader epoch told by a broker. `offset`: the answer.
    Epoch = 7,
    /// A group's position stored. `offset`: the next offset to read; `detail`: group and generation, [`Op::with_group`].
    Commit = 8,
    /// A group's stored position read back. `offset`: the answer, −1 none; `detail` as for a commit.
    Committed = 9,
    /// The process was given the log to read. `detail` as for a commit; `offset`: where it starts, −1 not known.
    Assign = 10,
    /// The log was taken from the process. `detail` as for a commit.
    Revoke = 11,
    /// A transaction was begun. `detail`: its number within the process.
    TxnBegin = 12,
    /// A transaction was asked to commit. `detail`: its number within the process.
    TxnCommit = 13,
    /// A transaction was asked to abort. `detail`: its number within the process.
    TxnAbort = 14,
    /// One true window of committed records: every one of them from `offset` on up to the last one read, none of which any
    /// transaction that was aborted left behind. Empty proves that there was none from `offset` on. `detail`: range of records.
    CommittedFetch = 15,
}

impl Kind {
    /// Every kind, in order of its code.
    pub const ALL: [Kind; 15] = [
        Kind::Append,
        Kind::Poll,
        Kind::Fetch,
        Kind::EndOffset,
        Kind::StableEnd,
        Kind::LogStart,
        Kind::Epoch,
        Kind::Commit,
        Kind::Committed,
        Kind::Assign,
        Kind::Revoke,
        Kind::TxnBegin,
        Kind::TxnCommit,
        Kind::TxnAbort,
        Kind::CommittedFetch,
    ];

    /// The kind of a journal or column code, if it is one.
    #[inline]
    pub fn from_code(code: u8) -> Option<Kind> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// True for the kinds whose `detail` is a range of records.
    #[inline]
    pub fn reads_records(self) -> bool {
        matches!(self, Kind::Poll | Kind::Fetch | Kind::CommittedFetch)
    }
}

/// What is known of an operation's effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Outcome {
    /// It happened.
    Ok = 1,
    /// It did not happen and never will.
    Fail = 2,
    /// Nobody can tell.
    Unknown = 3,
}

impl Outcome {
    /// The outcome of a journal or column code, if it is one.
    #[inline]
    pub fn from_code(code: u8) -> Option<Outcome> {
        match code {
            1 => Some(Outcome::Ok),
            2 => Some(Outcome::Fail),
            3 => Some(Outcome::Unknown),
            _ => None,
        }
    }
}

/// A record as read: where it stood and what it said it was. 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its offset.
    pub offset: Offset,
    /// Its value, or one of the reserved ones.
    pub value: Value,
}

/// An invocation and its completion. An operation without a reply is `Unknown` and returns at [`Nanos::NEVER`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Op {
    /// Before its first byte could reach a broker.
    pub invoked: Nanos,
    /// After its reply was parsed.
    pub returned: Nanos,
    /// See [`Kind`].
    pub offset: Offset,
    /// See [`Kind`].
    pub detail: u64,
    /// The log it concerns.
    pub log: LogId,
    tag: u32,
}

const PROCESS_BITS: u32 = 22;
const RANGE_COUNT_BITS: u32 = 24;

impl Op {
    /// Largest process id an operation can carry.
    pub const PROCESS_MAX: u32 = (1 << PROCESS_BITS) - 1;
    /// Most records one read can carry.
    pub const RECORDS_MAX: usize = (1 << RANGE_COUNT_BITS) - 1;

    /// An operation of `process` on `log`, invoked at `invoked`, whose reply has not come.
    #[inline]
    pub fn invoke(kind: Kind, process: ProcessId, log: LogId, invoked: Nanos) -> Op {
        let tag = process.0 & Self::PROCESS_MAX | (kind as u32) << PROCESS_BITS | (Outcome::Unknown as u32) << 29;
        Op { invoked, returned: Nanos::NEVER, offset: Offset::UNKNOWN, detail: 0, log, tag }
    }

    /// The same with its reply.
    #[inline]
    pub fn complete(mut self, outcome: Outcome, returned: Nanos, offset: Offset) -> Op {
        self.tag = self.tag & ((1 << 29) - 1) | (outcome as u32) << 29;
        self.returned = returned;
        self.offset = offset;
        self
    }

    /// The same with its `detail`.
    #[inline]
    pub fn with_detail(mut self, detail: u64) -> Op {
        self.detail = detail;
        self
    }

    /// The same with its group and generation. Generation 0 is not known; an assignment with neither is no group's: its
    /// process chose the log by itself. Number groups from 1.
    pub fn with_group(self, group: u32, generation: u32) -> Op {
        self.with_detail(u64::from(group) << 32 | u64::from(generation))
    }

    /// The same with the records `[start, start + count)` of the history's table.
    #[inline]
    pub fn with_records(self, start: usize, count: usize) -> Op {
        self.with_detail((start as u64) << RANGE_COUNT_BITS | count.min(Self::RECORDS_MAX) as u64)
    }

    /// Who did it.
    #[inline]
    pub fn process(&self) -> ProcessId {
        ProcessId(self.tag & Self::PROCESS_MAX)
    }

    /// What it did.
    #[inline]
    pub fn kind(&self) -> Kind {
        Kind::from_code((self.tag >> PROCESS_BITS & 0x7F) as u8).unwrap_or(Kind::Epoch)
    }

    /// What is known of its effect.
    #[inline]
    pub fn outcome(&self) -> Outcome {
        Outcome::from_code((self.tag >> 29) as u8).unwrap_or(Outcome::Unknown)
    }

    /// What an append appended.
    #[inline]
    pub fn value(&self) -> Value {
        Value(self.detail)
    }

    /// The group of a commit, a position read back, an assignment or a revocation.
    pub fn group(&self) -> u32 {
        (self.detail >> 32) as u32
    }

    /// The generation that goes with [`Op::group`].
    pub fn generation(&self) -> u32 {
        self.detail as u32
    }

    /// Where the records of a read lie in the history's table; empty for every other kind.
    #[inline]
    pub fn records(&self) -> std::ops::Range<usize> {
        if !self.kind().reads_records() {
            return 0..0;
        }
        let start = (self.detail >> RANGE_COUNT_BITS) as usize;
        start..start + (self.detail as usize & Self::RECORDS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_costs_40_bytes_and_a_record_16() {
        assert_eq!((size_of::<Op>(), size_of::<Record>()), (40, 16));
    }

    #[test]
    fn an_operation_gives_back_what_was_packed() {
        for kind in Kind::ALL {
            let op = Op::invoke(kind, ProcessId(Op::PROCESS_MAX), LogId(9), Nanos(1));
            assert_eq!((op.kind(), op.process(), op.outcome()), (kind, ProcessId(Op::PROCESS_MAX), Outcome::Unknown));
            let op = op.complete(Outcome::Fail, Nanos(2), Offset(3)).with_records(1 << 39, 5);
            assert_eq!((op.kind(), op.outcome(), op.process().0), (kind, Outcome::Fail, Op::PROCESS_MAX));
            assert_eq!((op.with_group(7, 9).group(), op.with_group(7, 9).generation()), (7, 9));
            assert_eq!(op.records().len(), if kind.reads_records() { 5 } else { 0 });
        }
    }
}
