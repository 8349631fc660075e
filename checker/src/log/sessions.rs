//! Readers with a position: where each stands in the log, as long as its reads come in order.
//!
//! **Invariant:** a session that is not [`Sessions::tangled`] went only forward, and every offset it passed over is
//! marked in the contents or listed in `wide`. One whose reads came out of order, went back or were taken by several
//! shards is tangled: the second pass sorts it out.

use crate::log::contents::Contents;
use crate::log::listed::Listed;
use history::{Nanos, ProcessId, Record};

/// Longest stretch passed over that is marked offset by offset.
const MARKED_MAX: i64 = 64;

#[derive(Clone, Copy, Debug)]
struct Session {
    last: Option<i64>,
    returned: Nanos,
}

/// The readers of one log.
#[derive(Clone, Default, Debug)]
pub struct Sessions {
    sessions: Listed<ProcessId, Session>,
    wide: Vec<(i64, i64)>,
    tangled: bool,
    read: u64,
}

impl Sessions {
    fn session(&mut self, process: ProcessId) -> &mut Session {
        let place = self.sessions.place_or(process, || Session { last: None, returned: Nanos(0) });
        self.sessions.at(place)
    }

    /// A reader was handed `records`. See [`Sessions::within`] for what may be amiss among them.
    pub fn poll(&mut self, process: ProcessId, returned: Nanos, records: &[Record], contents: &mut Contents) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        self.read += records.len() as u64;
        let session = self.session(process);
        let (before, late) = (session.last, returned <= session.returned && session.returned.0 > 0);
        *session = Session { last: Some(last.offset.0), returned };
        self.tangled |= late;
        if let Some(before) = before {
            self.step(before, first.offset.0, contents);
        }
    }

    /// A window that began at `from` gave `records`: it has no position to keep, and must have no gap before the first.
    pub fn fetch(&mut self, from: i64, records: &[Record], contents: &mut Contents) {
        if let Some(first) = records.first().filter(|first| from >= 0 && first.offset.0 > from) {
            self.pass_over(from, first.offset.0, contents);
        }
    }

    /// A read whose gaps say nothing, but whose offsets must rise.
    pub fn rising(&mut self, records: &[Record]) {
        self.tangled |= records.windows(2).any(|r| r[1].offset.0 <= r[0].offset.0);
    }

    /// A read of records that are no neighbours.
    pub fn within(&mut self, records: &[Record], contents: &mut Contents) {
        records.windows(2).for_each(|r| self.step(r[0].offset.0, r[1].offset.0, contents));
    }

    fn step(&mut self, from: i64, to: i64, contents: &mut Contents) {
        if to <= from {
            self.tangled = true;
        } else if to - 1 > from {
            self.pass_over(from + 1, to, contents);
        }
    }

    /// Somebody moved on from `from` to `to` without the records between.
    fn pass_over(&mut self, from: i64, to: i64, contents: &mut Contents) {
        match to.checked_sub(from) {
            Some(n) if n <= MARKED_MAX => (from..to).for_each(|offset| contents.skip(offset)),
            _ if self.wide.last() != Some(&(from, to)) => self.wide.push((from, to)),
            _ => {}
        }
    }

    /// A reader was given or lost the log: its position is anew.
    pub fn reset(&mut self, process: ProcessId, returned: Nanos) {
        let session = self.session(process);
        let late = returned <= session.returned && session.returned.0 > 0;
        *session = Session { last: None, returned };
        self.tangled |= late;
    }

    /// Whether some reader's way is not known without sorting it.
    pub fn tangled(&self) -> bool {
        self.tangled
    }

    /// Records handed to readers.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Long stretches passed over, as rising intervals that do not meet.
    pub fn wide(&self) -> Vec<(i64, i64)> {
        union(self.wide.clone())
    }

    /// Takes the readers of another shard.
    pub fn merge(&mut self, other: Sessions) {
        self.tangled |= other.tangled;
        for (process, session) in other.sessions.entries() {
            self.tangled |= self.sessions.place(*process).is_some();
            *self.session(*process) = *session;
        }
        self.wide.extend(other.wide);
        self.read += other.read;
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.sessions.bytes() + self.wide.capacity() * 16
    }
}

/// Intervals `[from, to)` as rising ones that neither meet nor overlap.
pub fn union(mut intervals: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    intervals.retain(|i| i.0 < i.1);
    intervals.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (from, to) in intervals {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}
