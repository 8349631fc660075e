//! A client's batches of a transaction (KIP-890): taken if the transaction is open in this log already, or if its
//! coordinator was asked and nothing has been decided here since.
//!
//! Without this, a batch that comes late, after the marker, would open a transaction that nobody will ever end.
//! **Invariant:** what is checked is checked under the same lock as the append.

use super::{Accepted, Inner, Partition, PartitionError};
use crate::ids::{LeaderEpoch, Offset};
use crate::log::batch::{Batches, Header};
use crate::log::{Origin, ProducerId};

/// A moment of a leadership; void once a transaction has ended in the log, or the leadership is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    epoch: LeaderEpoch,
    marked: Offset,
}

impl Partition {
    /// To be taken before the coordinator is asked.
    ///
    /// # Errors
    /// [`PartitionError::NotLeader`].
    pub fn ticket(&self) -> Result<Ticket, PartitionError> {
        let inner = self.lock();
        let epoch = self.leading(&inner, None)?.epoch();
        Ok(Ticket { epoch, marked: inner.marked })
    }

    /// Appends a client's batches of a transaction that is open here, or was for its coordinator at the ticket's moment.
    ///
    /// # Errors
    /// [`PartitionError`]: nothing was appended; `Unverified` if the coordinator is to be asked first.
    pub fn append_in_transaction(
        &self,
        batches: &mut [u8],
        all: bool,
        ticket: Option<Ticket>,
    ) -> Result<Accepted, PartitionError> {
        let producers: Vec<_> = Batches::new(batches).flatten().filter_map(|batch| identity(&batch.header)).collect();
        self.append_if(batches, all, Origin::Client, |inner, leadership| {
            let now = Ticket { epoch: leadership.epoch(), marked: inner.marked };
            let open = |(producer, epoch): &(ProducerId, i16)| inner.has_open(*producer, *epoch);
            if ticket == Some(now) || producers.iter().all(open) { Ok(()) } else { Err(PartitionError::Unverified) }
        })
    }

    /// Whether the producer has a transaction open here.
    pub fn has_open_transaction(&self, producer: ProducerId, epoch: i16) -> bool {
        self.lock().has_open(producer, epoch)
    }

    /// What is known of the producers that wrote here and have not been forgotten.
    ///
    /// # Errors
    /// [`PartitionError::NotLeader`].
    pub fn producers(&self) -> Result<Vec<(ProducerId, crate::log::producers::Producer)>, PartitionError> {
        let inner = self.lock();
        self.leading(&inner, None)?;
        Ok(inner.log.producers().map(|(id, producer)| (id, *producer)).collect())
    }
}

impl Inner {
    fn has_open(&self, producer: ProducerId, epoch: i16) -> bool {
        let known = self.log.producer(producer);
        known.is_some_and(|known| known.transaction.is_some() && known.epoch == epoch)
    }
}

/// The producer of a batch that is part of a transaction.
pub fn identity(header: &Header) -> Option<(ProducerId, i16)> {
    header.producer_id().filter(|_| header.is_transactional()).map(|producer| (producer, header.producer_epoch))
}
