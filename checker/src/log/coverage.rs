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
    /// How often nothing was read at the tail.
    denials: u32,
}

/// So many windows at one offset with nothing in them are not bad luck: a drain lets each wait for a while.
const DENIALS_MIN: u32 = 20;

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
    /// Whether it came no further because nothing was served there again and again, below the end it was told.
    pub stuck: bool,
    windows: Vec<(i64, i64)>,
}

impl Drain {
    /// Takes a successful operation of a drain process.
    pub fn add(&mut self, op: &Op, records: &[Record]) {
        let told = op.offset.0;
        match (op.kind(), records.last()) {
            (Kind::Fetch, Some(last)) => self.window(told.max(0), last.offset.0.saturating_add(1)),
            (Kind::Fetch, None) => self.deny(told, 1),
            (Kind::EndOffset, _) if told >= 0 => self.end = self.end.max(Some(told)),
            (Kind::LogStart, _) if told >= 0 => {
                self.start = Some(self.start.map_or(told, |s| s.min(told)));
            }
            _ => {}
        }
    }

    fn deny(&mut self, at: i64, times: u32) {
        match self.tail.cmp(&Some(at)) {
            std::cmp::Ordering::Less => (self.tail, self.denials) = (Some(at), times),
            std::cmp::Ordering::Equal => self.denials = self.denials.saturating_add(times),
            std::cmp::Ordering::Greater => {}
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
        if let Some(tail) = other.tail {
            self.deny(tail, other.denials);
        }
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
        let stuck = !whole && self.denials >= DENIALS_MIN && self.tail == Some(reached);
        Coverage { start, reached, end, whole, stuck, windows }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.windows.capacity() * 16
    }
}

impl Coverage {
    /// Whether what stands at `offset` was kept from the drain.
    pub fn withholds(&self, offset: i64) -> bool {
        self.stuck && offset >= self.reached
    }

    /// Whether the drain would have read a record at `offset` if it were there.
    pub fn decides(&self, offset: i64) -> bool {
        if self.whole {
            return true;
        }
        let next = self.windows.partition_point(|w| w.1 <= offset);
        self.windows.get(next).is_some_and(|w| w.0 <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{LogId, Nanos, Offset, Outcome, ProcessId, Value, WriterId};

    /// A drain that read up to 3 of 5 and was then given nothing so many times.
    fn denied(times: u32) -> Coverage {
        let op = |kind, told| {
            Op::invoke(kind, ProcessId(0), LogId(0), Nanos(1)).complete(Outcome::Ok, Nanos(2), Offset(told))
        };
        let record = |offset| Record { offset: Offset(offset), value: Value::new(WriterId(1), offset as u64) };
        let (mut drain, mut contents) = (Drain::default(), Contents::default());
        (0..5).for_each(|offset| contents.claim(offset, record(offset).value, 1));
        drain.add(&op(Kind::LogStart, 0), &[]);
        drain.add(&op(Kind::EndOffset, 5), &[]);
        drain.add(&op(Kind::Fetch, 0), &[record(0), record(1), record(2)]);
        (0..times).for_each(|_| drain.add(&op(Kind::Fetch, 3), &[]));
        drain.settle(&contents)
    }

    #[test]
    fn a_drain_is_stuck_only_where_nothing_was_served_again_and_again() {
        for (times, stuck) in [(0, false), (1, false), (DENIALS_MIN - 1, false), (DENIALS_MIN, true)] {
            let coverage = denied(times);
            assert_eq!((coverage.reached, coverage.whole, coverage.stuck), (3, false, stuck), "{times}");
        }
    }
}
