//! Readers with a position: what stretch of a log each of them went over, and which of them went on to its end.
//!
//! A reader is given a log, reads on from where it stands, and loses it again. What lies between two of its reads was passed
//! over; together the readers are what a foreign history has in place of an authoritative read after the heal. **Invariant:**
//! constant work an event, but for events that name many logs.

use history::{LogId, Nanos, ProcessId};
use std::collections::{BTreeSet, HashMap};

/// One reader's way through one log, since it was given it.
#[derive(Clone, Copy, Default)]
struct Way {
    given: Option<Nanos>,
    next: Option<i64>,
    /// The reader's count of reads, as it was when it last read something here.
    read_at: u64,
}

/// All readers.
#[derive(Default)]
pub struct Readers {
    ways: HashMap<(ProcessId, LogId), Way>,
    held: HashMap<ProcessId, BTreeSet<LogId>>,
    reads: HashMap<ProcessId, u64>,
    tails: HashMap<LogId, Tail>,
}

/// The end of a log as a reader found it: it read up to there, asked again, and got nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tail {
    /// When it was given the log.
    pub given: Nanos,
    /// One past the last record it got.
    pub end: i64,
}

impl Readers {
    /// A reader was given exactly these logs at `at`. Those it has already it keeps, unless it starts `anew`. Returns those
    /// it did not have and those it lost; with `anew` all of the old ones are lost.
    pub fn assign(
        &mut self,
        process: ProcessId,
        logs: BTreeSet<LogId>,
        at: Nanos,
        anew: bool,
    ) -> (Vec<LogId>, Vec<LogId>) {
        let held = self.held.insert(process, logs.clone()).unwrap_or_default();
        let lost: Vec<LogId> = held.iter().filter(|log| anew || !logs.contains(log)).copied().collect();
        let gained: Vec<LogId> = logs.iter().filter(|log| anew || !held.contains(log)).copied().collect();
        lost.iter().for_each(|log| self.close(process, *log));
        for log in &gained {
            self.close(process, *log);
            self.ways.insert((process, *log), Way { given: Some(at), ..Way::default() });
        }
        (gained, lost)
    }

    /// A reader lost its position in a log.
    pub fn reset(&mut self, process: ProcessId, log: LogId) {
        self.close(process, log);
    }

    /// A reader asked, successfully.
    pub fn asked(&mut self, process: ProcessId) {
        *self.reads.entry(process).or_default() += 1;
    }

    /// A reader was handed the records from `first` to `last`; where it stood before, if it had a position.
    pub fn read(&mut self, process: ProcessId, log: LogId, last: i64) -> Option<i64> {
        let reads = self.reads.get(&process).copied().unwrap_or(0);
        let way = self.ways.entry((process, log)).or_default();
        way.read_at = reads;
        way.next.replace(last.saturating_add(1))
    }

    fn close(&mut self, process: ProcessId, log: LogId) {
        let Some(way) = self.ways.remove(&(process, log)) else { return };
        let reads = self.reads.get(&process).copied().unwrap_or(0);
        let (Some(given), Some(end)) = (way.given, way.next) else { return };
        let known = self.tails.get(&log);
        if reads > way.read_at && known.is_none_or(|tail| (tail.given, tail.end) < (given, end)) {
            self.tails.insert(log, Tail { given, end });
        }
    }

    /// By log, the end found by the reader that was given it last.
    pub fn finish(mut self) -> HashMap<LogId, Tail> {
        let ways: Vec<(ProcessId, LogId)> = self.ways.keys().copied().collect();
        ways.into_iter().for_each(|(process, log)| self.close(process, log));
        self.tails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: ProcessId = ProcessId(1);
    const A: LogId = LogId(0);

    #[test]
    fn an_end_is_found_by_asking_once_more_and_not_before() {
        for (asked_again, found) in [(true, Some(Tail { given: Nanos(5), end: 3 })), (false, None)] {
            let mut readers = Readers::default();
            readers.assign(P, BTreeSet::from([A]), Nanos(5), false);
            readers.asked(P);
            assert_eq!(readers.read(P, A, 2), None);
            if asked_again {
                readers.asked(P);
            }
            assert_eq!(readers.finish().get(&A).copied(), found);
        }
    }

    #[test]
    fn a_log_kept_keeps_its_position_and_one_given_anew_does_not() {
        for (anew, stood) in [(false, Some(3)), (true, None)] {
            let mut readers = Readers::default();
            readers.assign(P, BTreeSet::from([A]), Nanos(5), false);
            readers.read(P, A, 2);
            let (gained, lost) = readers.assign(P, BTreeSet::from([A]), Nanos(7), anew);
            assert_eq!((gained.len(), lost.len()), (usize::from(anew), usize::from(anew)));
            assert_eq!(readers.read(P, A, 5), stood);
        }
    }
}
