//! What a delivery report gives back, in one word: log (16 bits), whose record (8 bits), sequence (40 bits).
//!
//! A record of an earlier life, sent again from an outbox, has that life's writer: `Writers` numbers them, the own one
//! first.

use crate::spec::LOG_ID_MAX;
use history::{LogId, Value, WriterId};

const SEQUENCE_BITS: u32 = 40;
const WRITER_BITS: u32 = 8;
const LOG_SHIFT: u32 = SEQUENCE_BITS + WRITER_BITS;
/// Writers whose records one process can send.
const WRITERS_MAX: usize = 1 << WRITER_BITS;

const _: () = assert!(size_of::<usize>() == 8 && Value::SEQUENCE_MAX == (1 << SEQUENCE_BITS) - 1);
const _: () = assert!((LOG_ID_MAX as u64) < 1 << (64 - LOG_SHIFT));

/// The writers whose records a process sends.
#[derive(Clone, Debug)]
pub(super) struct Writers(Vec<WriterId>);

impl Writers {
    /// The own one, and those of earlier lives; of these no more than fit a ticket.
    pub(super) fn new(own: WriterId, earlier: impl IntoIterator<Item = WriterId>) -> Writers {
        let mut writers = vec![own];
        for writer in earlier {
            if !writers.contains(&writer) && writers.len() < WRITERS_MAX {
                writers.push(writer);
            }
        }
        Writers(writers)
    }

    /// The ticket of a record; `None` if its writer is not one of them.
    pub(super) fn ticket(&self, log: LogId, value: Value) -> Option<usize> {
        let writer = self.0.iter().position(|w| *w == value.writer())? as u64;
        Some((u64::from(log.0) << LOG_SHIFT | writer << SEQUENCE_BITS | value.sequence()) as usize)
    }

    /// The record of a ticket.
    pub(super) fn record(&self, ticket: usize) -> (LogId, Value) {
        let ticket = ticket as u64;
        let writer = (ticket >> SEQUENCE_BITS) as usize % WRITERS_MAX;
        let writer = self.0.get(writer).copied().unwrap_or(self.0[0]);
        (LogId((ticket >> LOG_SHIFT) as u32), Value::new(writer, ticket & Value::SEQUENCE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_gives_back_its_record_and_a_strangers_has_none() {
        let writers = Writers::new(WriterId(7), [WriterId(3), WriterId(7), WriterId(9)]);
        for (log, writer, sequence) in [(0, 7, 0), (LOG_ID_MAX, 9, Value::SEQUENCE_MAX), (5, 3, 77)] {
            let value = Value::new(WriterId(writer), sequence);
            let ticket = writers.ticket(LogId(log), value).unwrap();
            assert_eq!(writers.record(ticket), (LogId(log), value));
        }
        assert_eq!(writers.ticket(LogId(0), Value::new(WriterId(4), 0)), None);
    }
}
