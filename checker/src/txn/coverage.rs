//! Whether a record is known to be absent: some read that says it is complete passed over it, and no read ever showed it. One that
//! stands in its log, and that complete reads of committed records passed over, is absent for whoever reads committed records.

use super::case::{Case, Reading};
use super::edges::tail_end;
use super::transaction::{Extent, View};
use super::writers::Append;
use crate::hash::Map;
use history::{LogId, Nanos};

/// What complete reads covered, by log.
pub(super) struct Coverage {
    all: Logs,
    /// By reads of committed records alone.
    committed: Logs,
}

type Logs = Map<LogId, Covered>;

#[derive(Default)]
struct Covered {
    /// (from, one past the last record, transaction) of windows, by rising start; the end is the farthest so far.
    windows: Vec<(i64, i64, usize)>,
    /// (from, invoked, transaction) of reads to the end, by rising start; the invocation is the latest so far.
    tails: Vec<(i64, Nanos, usize)>,
}

impl Coverage {
    pub(super) fn new(case: &Case<'_>) -> Coverage {
        let mut coverage = Coverage { all: Logs::default(), committed: Logs::default() };
        for reading in case.readings().filter(|reading| reading.extent != Extent::Some) {
            coverage.all.entry(reading.log).or_default().add(case, &reading);
            if reading.view == View::Committed {
                coverage.committed.entry(reading.log).or_default().add(case, &reading);
            }
        }
        coverage.all.values_mut().chain(coverage.committed.values_mut()).for_each(Covered::settle);
        coverage
    }

    /// The read that proves an append absent, if one does; `visible_by` is when its transaction surely had happened.
    pub(super) fn proves_absent(&self, case: &Case<'_>, number: u32, visible_by: Option<Nanos>) -> Option<usize> {
        let Append { log, offset, acked, .. } = case.writers.appends[number as usize];
        let (seen, present) = (case.versions.seen[number as usize], case.versions.present[number as usize]);
        if seen || !acked {
            return None;
        }
        let covered = if present { &self.committed } else { &self.all }.get(&log)?;
        match offset {
            0.. => covered.window_over(offset).or_else(|| covered.tail_from(offset, visible_by?)),
            // It may stand anywhere: nothing but reads of the whole log prove that it stands nowhere.
            _ => covered.tail_from(covered.reached(), visible_by?),
        }
    }
}

impl Covered {
    fn add(&mut self, case: &Case<'_>, reading: &Reading<'_>) {
        self.windows.push((reading.from.0, tail_end(reading.from, reading.records), reading.txn));
        if reading.extent == Extent::Tail {
            self.tails.push((reading.from.0, case.transactions[reading.txn].invoked, reading.txn));
        }
    }

    fn settle(&mut self) {
        self.windows.sort_unstable();
        self.tails.sort_unstable();
        for at in 1..self.windows.len() {
            let (_, end, txn) = self.windows[at - 1];
            if end > self.windows[at].1 {
                (self.windows[at].1, self.windows[at].2) = (end, txn);
            }
        }
        for at in 1..self.tails.len() {
            let (_, invoked, txn) = self.tails[at - 1];
            if invoked > self.tails[at].1 {
                (self.tails[at].1, self.tails[at].2) = (invoked, txn);
            }
        }
    }

    /// One past the last offset that windows cover without a break from the log's beginning on.
    fn reached(&self) -> i64 {
        let mut reached = 0;
        for (from, end, _) in &self.windows {
            if *from > reached {
                break;
            }
            reached = reached.max(*end);
        }
        reached
    }

    fn window_over(&self, offset: i64) -> Option<usize> {
        let at = self.windows.partition_point(|(from, ..)| *from <= offset).checked_sub(1)?;
        Some(self.windows[at]).filter(|(_, end, _)| *end > offset).map(|(_, _, txn)| txn)
    }

    fn tail_from(&self, offset: i64, after: Nanos) -> Option<usize> {
        let at = self.tails.partition_point(|(from, ..)| *from <= offset).checked_sub(1)?;
        Some(self.tails[at]).filter(|(_, invoked, _)| *invoked > after).map(|(_, _, txn)| txn)
    }
}
