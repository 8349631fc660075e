//! Where a judgement's operations come from: anything that can be walked more than once, a batch at a time.
//!
//! **Invariant:** every walk visits the same operations, in any order. A history in memory is one batch; a reader of a
//! file is as many as it likes, so that nothing needs the whole run in memory.

use history::{History, Kind, LogId, Names, Op, Record};

/// Some operations and the records their reads refer to.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Operations.
    pub ops: &'a [Op],
    /// The stretch of the history's record table that they refer to.
    pub records: &'a [Record],
    /// Position of its first record in the whole table, to which [`Op::records`] refers.
    pub first_record: usize,
}

impl<'a> Batch<'a> {
    /// The records an operation read; empty if they do not lie within the batch.
    #[inline]
    pub fn records_of(&self, op: &Op) -> &'a [Record] {
        let range = op.records();
        match (range.start.checked_sub(self.first_record), range.end.checked_sub(self.first_record)) {
            (Some(start), Some(end)) => self.records.get(start..end).unwrap_or(&[]),
            _ => &[],
        }
    }
}

/// Operations that can be walked again and again.
pub trait Source: Sync {
    /// What they are called.
    fn names(&self) -> &Names;

    /// Visits every operation once.
    fn walk(&self, visit: &mut dyn FnMut(Batch<'_>));

    /// Visits every operation on the logs that are `mine`, and perhaps others: what need not be decoded is passed over.
    fn walk_logs(&self, mine: &dyn Fn(LogId) -> bool, visit: &mut dyn FnMut(Batch<'_>)) {
        let _ = mine;
        self.walk(visit);
    }

    /// The kinds of operation it has.
    fn kinds(&self) -> Vec<Kind>
    where
        Self: Sized,
    {
        kinds_met(self)
    }
}

/// The kinds of operation met on a walk.
pub fn kinds_met(source: &dyn Source) -> Vec<Kind> {
    let mut met = [false; Kind::ALL.len()];
    source.walk(&mut |batch| batch.ops.iter().for_each(|op| met[op.kind() as usize - 1] = true));
    Kind::ALL.into_iter().zip(met).filter(|(_, met)| *met).map(|(kind, _)| kind).collect()
}

impl Source for History {
    fn names(&self) -> &Names {
        &self.names
    }

    fn walk(&self, visit: &mut dyn FnMut(Batch<'_>)) {
        visit(Batch { ops: &self.ops, records: &self.records, first_record: 0 });
    }
}

/// The operations of `source` that are wanted, with their records, as a history of its own.
pub fn extract(source: &dyn Source, wanted: impl Fn(&Op) -> bool) -> History {
    let mut history = History { names: source.names().clone(), ..History::default() };
    source.walk(&mut |batch| {
        for op in batch.ops.iter().filter(|op| wanted(op)) {
            match op.kind().reads_records() {
                true => history.push_read(*op, batch.records_of(op)),
                false => history.ops.push(*op),
            }
        }
    });
    history
}

/// A judge of one thing that takes operations one at a time, in any order and any number of shards, and is finished once.
pub trait Fold: Sized {
    /// What it finds.
    type Found;

    /// Takes one operation and the records it read.
    fn add(&mut self, op: &Op, records: &[Record]);

    /// Takes everything another shard of the same judge has taken.
    fn merge(&mut self, other: Self);

    /// Says what was found.
    fn finish(self) -> Self::Found;
}
