//! From a value to its append: arithmetic where sequences are dense, a map where they are not.

use super::ids::Ids;
use super::transaction::{MicroOp, Place, Transaction};
use crate::hash::Map;
use history::{LogId, Value};

const NONE: u32 = u32::MAX;

/// An append, one for each value; a value appended twice belongs to the first.
#[derive(Clone, Copy)]
pub(super) struct Append {
    /// Place of its transaction in the input.
    pub(super) txn: u32,
    pub(super) log: LogId,
    pub(super) value: Value,
    /// The offset told, −1 if none was.
    pub(super) offset: i64,
    pub(super) acked: bool,
}

/// All appends and where their values stand among them.
#[derive(Default)]
pub(super) struct Writers {
    pub(super) appends: Vec<Append>,
    writers: Ids,
    sequences: Vec<Sequences>,
}

#[derive(Default)]
struct Sequences {
    count: u64,
    dense: Vec<u32>,
    sparse: Map<u64, u32>,
}

impl Writers {
    pub(super) fn new(transactions: &[Transaction]) -> Writers {
        let mut writers = Writers::default();
        for (txn, transaction) in (0u32..).zip(transactions) {
            for op in &transaction.ops {
                if let MicroOp::Append { log, value, place } = op {
                    let (offset, acked) = (place.offset().map_or(-1, |o| o.0), *place != Place::Unacknowledged);
                    writers.add(Append { txn, log: *log, value: *value, offset, acked });
                }
            }
        }
        writers
    }

    fn add(&mut self, append: Append) {
        let writer = self.writers.number(append.value.writer().0);
        if self.sequences.len() <= writer {
            self.sequences.push(Sequences::default());
        }
        if self.sequences[writer].add(append.value.sequence(), self.appends.len() as u32) {
            self.appends.push(append);
        }
    }

    /// Position in [`Writers::appends`].
    #[inline]
    pub(super) fn find(&self, value: Value) -> Option<u32> {
        self.sequences[self.writers.get(value.writer().0)?].get(value.sequence())
    }
}

impl Sequences {
    /// False if there is one already.
    fn add(&mut self, sequence: u64, append: u32) -> bool {
        if self.get(sequence).is_some() {
            return false;
        }
        self.count += 1;
        if sequence < 4 * self.count + 1024 {
            if self.dense.len() as u64 <= sequence {
                self.dense.resize(sequence as usize + 1, NONE);
            }
            self.dense[sequence as usize] = append;
        } else {
            self.sparse.insert(sequence, append);
        }
        true
    }

    #[inline]
    fn get(&self, sequence: u64) -> Option<u32> {
        match self.dense.get(sequence as usize) {
            Some(append) if *append != NONE => Some(*append),
            _ if self.sparse.is_empty() => None,
            _ => self.sparse.get(&sequence).copied(),
        }
    }
}
