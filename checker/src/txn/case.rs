//! Everything the definitions look at, and how transactions are called in sentences.

use super::transaction::{Extent, MicroOp, PositionRead, Transaction, View};
use super::versions::Versions;
use super::writers::{Append, Writers};
use history::{LogId, Names, Offset, Record, Value};

/// The transactions with their writers and version orders.
pub(super) struct Case<'a> {
    pub(super) transactions: &'a [Transaction],
    pub(super) positions: &'a [PositionRead],
    pub(super) names: &'a Names,
    pub(super) writers: Writers,
    pub(super) versions: Versions,
}

/// A read within a transaction.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) txn: usize,
    pub(super) log: LogId,
    pub(super) from: Offset,
    pub(super) records: &'a [Record],
    pub(super) extent: Extent,
    pub(super) view: View,
}

impl<'a> Case<'a> {
    pub(super) fn new(transactions: &'a [Transaction], positions: &'a [PositionRead], names: &'a Names) -> Case<'a> {
        let writers = Writers::new(transactions);
        let versions = Versions::new(transactions, &writers);
        Case { transactions, positions, names, writers, versions }
    }

    /// All reads.
    pub(super) fn readings(&self) -> impl Iterator<Item = Reading<'a>> + use<'a> {
        let all = self.transactions.iter().enumerate();
        all.flat_map(|(txn, t)| t.ops.iter().map(move |op| (txn, op))).filter_map(|(txn, op)| match op {
            MicroOp::Read { log, from, records, extent, view } => {
                Some(Reading { txn, log: *log, from: *from, records, extent: *extent, view: *view })
            }
            _ => None,
        })
    }

    /// The reads that show committed records only.
    pub(super) fn committed_readings(&self) -> impl Iterator<Item = Reading<'a>> + use<'a> {
        self.readings().filter(|reading| reading.view == View::Committed)
    }

    /// The append of a value.
    pub(super) fn append(&self, value: Value) -> Option<(u32, &Append)> {
        let number = self.writers.find(value)?;
        Some((number, &self.writers.appends[number as usize]))
    }

    /// How a transaction is called.
    pub(super) fn label(&self, txn: usize) -> String {
        let transaction = &self.transactions[txn];
        let who = self.names.process(transaction.process);
        match transaction.ops[..] {
            [MicroOp::Append { value, .. }] => format!("the append of {value} by {who}"),
            [MicroOp::Read { log, .. }] => format!("a read of {} by {who}", self.names.log(log)),
            [MicroOp::Position { offset, .. }] => format!("the commit of {} by {who}", offset.0),
            _ => format!("transaction {} of {who}", transaction.id),
        }
    }
}
