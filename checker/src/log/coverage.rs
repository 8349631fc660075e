//! How far the drain got: what makes "lost" and "not yet read" different words.
//!
//! A log is drained if true fetch windows of drain processes cover it from its start to its end as told to them. Between
//! two windows offsets may be missing that carry no record anybody knows of (markers). **Invariant:** a drained log's
//! coverage leaves out no offset of a record known from an acknowledgement, a read or a replica.

use crate::log::contents::Contents;
use crate::log::sessions::union;
use history::{Kind, Op, Record};

/// What drain processes did to one log.
#[derive(Clone, Default, Debug)]
pub struct Drain {
    windows: Vec<(i64, i64)>,
    start: Option<i64>,
    end: Option<i64>,
    tail: Option<i64>,
}

/// How far they got.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Coverage {
    /// First offset retained, as far as anybody told.
    pub start: i64,
    /// One past the last offset read in one go from the start.
    pub reached: i64,
    /// One past the last readable offset, if a drain process told.
    pub end: Option<i64>,
    /// Whether everything from start to end was read.
    pub whole: bool,
    windows: Vec<(i64, i64)>,
}

impl Drain {
    /// Takes a successful operation of a drain process.
    pub fn add(&mut self, op: &Op, records: &[Record]) {
        let told = op.offset.0;
        match (op.kind(), records.last()) {
            (Kind::Fetch, Some(last)) => self.window(told.max(0), last.offset.0.saturating_add(1)),
            (Kind::Fetch, None) => self.tail = self.tail.max(Some(told)),
            (Kind::EndOffset, _) if told >= 0 => self.end = self.end.max(Some(told)),
            (Kind::LogStart, _) if told >= 0 => {
                self.start = Some(self.start.map_or(told, |s| s.min(told)));
            }
            _ => {}
        }
    }

    fn window(&mut self, from: i64, to: i64) {
        match self.windows.last_mut() {
            Some(last) if from == last.1 => last.1 = last.1.max(to),
            _ => self.windows.push((from, to)),
        }
    }

    /// Takes what another shard knows.
    pub fn merge(&mut self, other: Drain) {
        self.windows.extend(other.windows);
        self.start = [self.start, other.start].into_iter().flatten().min();
        self.end = self.end.max(other.end);
        self.tail = self.tail.max(other.tail);
    }

    /// How far the drain got, given what is known to stand in the log.
    pub fn settle(self, contents: &Contents) -> Coverage {
        let windows = union(self.windows);
        let start = self.start.or(windows.first().map(|w| w.0)).unwrap_or(0);
        let end = self.end.or(self.tail);
        let mut reached = start;
        for &(from, to) in &windows {
            if from > reached && contents.any_within(reached, from) {
                break;
            }
            reached = reached.max(to);
        }
        let whole = end.is_some_and(|end| reached >= end || !contents.any_within(reached, end));
        if whole {
            reached = reached.max(end.unwrap_or(reached));
        }
        Coverage { start, reached, end, whole, windows }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.windows.capacity() * 16
    }
}

impl Coverage {
    /// Whether the drain would have read a record at `offset` if it were there.
    pub fn decides(&self, offset: i64) -> bool {
        if self.whole {
            return true;
        }
        let next = self.windows.partition_point(|w| w.1 <= offset);
        self.windows.get(next).is_some_and(|w| w.0 <= offset)
    }
}
