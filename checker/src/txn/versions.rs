//! The version order of each log: which append stands at which offset, by acknowledgements and reads.
//!
//! Offsets told with two values are counted and belong to the first; that they exist is for the per-log claims to say.

use super::ids::Ids;
use super::transaction::{MicroOp, Status, Transaction, View};
use super::writers::Writers;
use history::LogId;

const NONE: u32 = u32::MAX;

/// The version orders of all logs, and what is known to have been seen.
pub(super) struct Versions {
    logs: Ids,
    orders: Vec<Order>,
    /// By append: some read of committed records returned it.
    pub(super) seen: Vec<bool>,
    /// By append: some read returned it.
    pub(super) present: Vec<bool>,
    /// By transaction: committed, or of unknown fate and seen by another.
    pub(super) happened: Vec<bool>,
    /// Offsets told with another value before.
    pub(super) conflicts: u64,
}

/// Who stands where in one log.
enum Order {
    /// Appends by offset from `base`.
    Dense { base: i64, appends: Vec<u32> },
    /// (offset, append), rising once sorted.
    Sparse(Vec<(i64, u32)>),
}

#[derive(Clone, Copy)]
struct Extremes {
    min: i64,
    max: i64,
    count: u64,
}

impl Versions {
    pub(super) fn new(transactions: &[Transaction], writers: &Writers) -> Versions {
        let mut logs = Ids::default();
        let orders = extremes(transactions, &mut logs).into_iter().map(Order::new).collect();
        let happened = transactions.iter().map(|t| t.status == Status::Committed).collect();
        let (seen, present) = (vec![false; writers.appends.len()], vec![false; writers.appends.len()]);
        let mut versions = Versions { logs, orders, seen, present, happened, conflicts: 0 };
        versions.fill(transactions, writers);
        let sparse = versions.orders.iter_mut().map(Order::settle);
        versions.conflicts += sparse.sum::<u64>();
        versions
    }

    fn fill(&mut self, transactions: &[Transaction], writers: &Writers) {
        for (txn, transaction) in (0u32..).zip(transactions) {
            for op in &transaction.ops {
                match op {
                    MicroOp::Read { log, records, view, .. } => {
                        let Some(number) = self.logs.get(log.0) else { continue };
                        for record in records {
                            let Some(append) = writers.find(record.value) else { continue };
                            self.conflicts += u64::from(!self.orders[number].put(record.offset.0, append));
                            self.present[append as usize] = true;
                            if *view == View::Everything {
                                continue;
                            }
                            self.seen[append as usize] = true;
                            let writer = writers.appends[append as usize].txn;
                            if writer != txn && transactions[writer as usize].status == Status::Unknown {
                                self.happened[writer as usize] = true;
                            }
                        }
                    }
                    MicroOp::Append { log, value, place } => {
                        let known = (place.offset(), self.logs.get(log.0), writers.find(*value));
                        let (Some(offset), Some(number), Some(append)) = known else { continue };
                        self.conflicts += u64::from(!self.orders[number].put(offset.0, append));
                    }
                    MicroOp::Position { .. } => (),
                }
            }
        }
    }

    /// Every log with an order.
    pub(super) fn logs(&self) -> impl Iterator<Item = LogId> + '_ {
        self.logs.ids().iter().map(|id| LogId(*id))
    }

    /// (offset, append) of a log by rising offset, all statuses.
    pub(super) fn all(&self, log: LogId) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.after(log, i64::MIN)
    }

    /// As [`Versions::all`], from `offset` on.
    pub(super) fn after(&self, log: LogId, offset: i64) -> Box<dyn Iterator<Item = (i64, u32)> + '_> {
        match self.logs.get(log.0).map(|number| &self.orders[number]) {
            None => Box::new(std::iter::empty()),
            Some(Order::Sparse(list)) => Box::new(list[list.partition_point(|(o, _)| *o < offset)..].iter().copied()),
            Some(Order::Dense { base, appends }) => {
                let skipped = usize::try_from(offset.saturating_sub(*base).max(0)).unwrap_or(usize::MAX);
                let placed = appends.iter().enumerate().skip(skipped).filter(|(_, append)| **append != NONE);
                Box::new(placed.map(|(at, append)| (*base + at as i64, *append)))
            }
        }
    }

    /// The append at an offset of a log.
    pub(super) fn at(&self, log: LogId, offset: i64) -> Option<u32> {
        match &self.orders[self.logs.get(log.0)?] {
            Order::Dense { base, appends } => {
                let at = usize::try_from(offset.checked_sub(*base)?).ok()?;
                appends.get(at).copied().filter(|append| *append != NONE)
            }
            Order::Sparse(list) => list.binary_search_by_key(&offset, |(o, _)| *o).ok().map(|at| list[at].1),
        }
    }
}

/// The extremes of every log's offsets, by the log's number.
fn extremes(transactions: &[Transaction], logs: &mut Ids) -> Vec<Extremes> {
    let mut all: Vec<Extremes> = Vec::new();
    let mut add = |log: LogId, min: i64, max: i64, count: usize| {
        let number = logs.number(log.0);
        if all.len() <= number {
            all.push(Extremes { min: i64::MAX, max: i64::MIN, count: 0 });
        }
        let e = &mut all[number];
        (e.min, e.max, e.count) = (e.min.min(min), e.max.max(max), e.count + count as u64);
    };
    for op in transactions.iter().flat_map(|t| &t.ops) {
        match op {
            MicroOp::Append { log, place, .. } => {
                place.offset().into_iter().for_each(|offset| add(*log, offset.0, offset.0, 1));
            }
            MicroOp::Read { log, records, .. } if !records.is_empty() => {
                let offsets = || records.iter().map(|r| r.offset.0);
                let (min, max) = offsets().fold((i64::MAX, i64::MIN), |(a, b), o| (a.min(o), b.max(o)));
                add(*log, min, max, records.len());
            }
            _ => (),
        }
    }
    all
}

impl Order {
    fn new(e: Extremes) -> Order {
        let span = e.max as i128 - e.min as i128;
        match span < 4 * i128::from(e.count) + 1024 {
            true => Order::Dense { base: e.min, appends: vec![NONE; span as usize + 1] },
            false => Order::Sparse(Vec::new()),
        }
    }

    /// False if another append stands there.
    #[inline]
    fn put(&mut self, offset: i64, append: u32) -> bool {
        match self {
            Order::Dense { base, appends } => {
                let slot = &mut appends[(offset - *base) as usize];
                if *slot == NONE {
                    *slot = append;
                }
                *slot == append
            }
            Order::Sparse(list) => {
                list.push((offset, append));
                true
            }
        }
    }

    /// Sorts a sparse order, keeping the first append told of each offset; how many others there were.
    fn settle(&mut self) -> u64 {
        let Order::Sparse(list) = self else { return 0 };
        list.sort_by_key(|(offset, _)| *offset);
        list.dedup();
        let before = list.len();
        list.dedup_by_key(|(offset, _)| *offset);
        (before - list.len()) as u64
    }
}
