//! The transactions of one log: which are open, which are decided but not yet replicated, and which were aborted
//! (KIP-98).
//!
//! Pure but for the encoding of an index entry. **Invariant:** a transaction is open from its first record to its
//! marker; after that it holds the last stable offset back until the high watermark has passed the marker.

use super::index::Entry;
use super::marker::Outcome;
use super::{Offset, ProducerId};
use bytes::{Buf, BufMut};
use std::collections::BTreeMap;

/// One aborted transaction, as `.txnindex` keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer: ProducerId,
    /// Offset of its first record.
    pub first: Offset,
    /// Offset of its abort marker.
    pub last: Offset,
    /// Last stable offset once it was aborted, replication left aside.
    pub last_stable: Offset,
}

impl Entry for AbortedTransaction {
    const BYTES: usize = 34;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_i16(0);
        for number in [self.producer.0, self.first.0, self.last.0, self.last_stable.0] {
            out.put_i64(number);
        }
    }

    fn decode(mut bytes: &[u8]) -> AbortedTransaction {
        let _version = bytes.get_i16();
        AbortedTransaction {
            producer: ProducerId(bytes.get_i64()),
            first: Offset(bytes.get_i64()),
            last: Offset(bytes.get_i64()),
            last_stable: Offset(bytes.get_i64()),
        }
    }
}

/// A step in the life of a transaction, in the order of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Its first record.
    Began { first: Offset },
    /// Its marker.
    Ended { producer: ProducerId, first: Offset, marker: Offset, outcome: Outcome },
}

/// The transactions that hold the last stable offset back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Transactions {
    open: std::collections::BTreeSet<Offset>,
    decided: BTreeMap<Offset, Offset>,
}

impl Transactions {
    /// Takes a step; an aborted transaction is to be kept in the index.
    pub fn take(&mut self, step: Step) -> Option<AbortedTransaction> {
        let (producer, first, marker, outcome) = match step {
            Step::Began { first } => {
                self.open.insert(first);
                return None;
            }
            Step::Ended { producer, first, marker, outcome } => (producer, first, marker, outcome),
        };
        self.open.remove(&first);
        self.decided.insert(first, marker);
        let last_stable = self.open.first().copied().unwrap_or(marker.plus(1));
        (outcome == Outcome::Abort).then_some(AbortedTransaction { producer, first, last: marker, last_stable })
    }

    /// Lets go of transactions whose marker is replicated.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        if !self.decided.is_empty() {
            self.decided.retain(|_, marker| *marker >= high_watermark);
        }
    }

    /// First offsets of the transactions that are open or not yet replicated, in order.
    pub fn unstable(&self) -> impl Iterator<Item = Offset> {
        let (mut open, mut decided) = (self.open.iter().copied().peekable(), self.decided.keys().copied().peekable());
        std::iter::from_fn(move || match (open.peek(), decided.peek()) {
            (Some(first), Some(other)) if other < first => decided.next(),
            (Some(_), _) => open.next(),
            (None, _) => decided.next(),
        })
    }
}
