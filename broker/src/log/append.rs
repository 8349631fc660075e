//! Appending: what a leader takes from a client, and what a follower takes from its leader.

use super::batch::BatchError;
use super::{LeaderEpoch, Log, LogError, Offset, ProducerId};
use thiserror::Error;

/// Who asks a leader to append, and so how much of it must be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client's produce request: sequences are checked, duplicates recognised, control batches refused.
    Client,
    /// A coordinator in this broker (offsets, transaction state and markers): only the producer's epoch is checked.
    Coordinator,
}

/// What became of an append by a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The batches are in the log.
    New {
        /// Offset of the first record.
        base_offset: Offset,
        /// Offset of the last record.
        last_offset: Offset,
        /// The time put into the batches, if the topic uses append time; milliseconds since 1970.
        append_time_ms: Option<i64>,
    },
    /// The log had this batch already: nothing was appended. The answer to the client is that of the first time.
    Duplicate {
        /// Offset the first record got the first time.
        base_offset: Offset,
        /// Offset the last record got the first time.
        last_offset: Offset,
        /// Largest timestamp of the remembered batch, milliseconds since 1970.
        timestamp_ms: i64,
    },
}

/// Why nothing was appended. Each names the protocol error it stands for.
#[derive(Debug, Error)]
pub enum AppendError {
    /// No batch at all (INVALID_RECORD).
    #[error("no batch to append")]
    Empty,
    /// The batch is larger than `max.message.bytes` (MESSAGE_TOO_LARGE), or than a whole segment (RECORD_LIST_TOO_LARGE).
    #[error("batch of {bytes} bytes, at most {bytes_max} are taken")]
    TooLarge {
        /// Size of the batch.
        bytes: usize,
        /// Largest size taken.
        bytes_max: usize,
    },
    /// Not a valid batch (CORRUPT_MESSAGE).
    #[error(transparent)]
    Corrupt(#[from] BatchError),
    /// A valid batch that a client may not send (INVALID_RECORD).
    #[error("{0}")]
    Refused(&'static str),
    /// A timestamp outside `message.timestamp.before.max.ms` / `.after.max.ms` (INVALID_TIMESTAMP).
    #[error("timestamp {timestamp_ms} is too far from the broker's {now_ms}")]
    Timestamp {
        /// The offending timestamp.
        timestamp_ms: i64,
        /// The broker's clock.
        now_ms: i64,
    },
    /// A sequence number that does not follow (OUT_OF_ORDER_SEQUENCE_NUMBER).
    #[error("producer {producer}: sequence {found} does not follow {last}")]
    OutOfOrder {
        /// Whose.
        producer: ProducerId,
        /// Last sequence number of the producer here, -1 for none.
        last: i32,
        /// First sequence number of the batch.
        found: i32,
    },
    /// A producer epoch that a newer one has replaced (INVALID_PRODUCER_EPOCH).
    #[error("producer {producer}: epoch {found} is older than {current}")]
    ProducerFenced {
        /// Whose.
        producer: ProducerId,
        /// The newest epoch seen here.
        current: i16,
        /// The batch's.
        found: i16,
    },
    /// A batch outside a transaction from a producer that has one open here (INVALID_TXN_STATE).
    #[error("producer {0} has a transaction open and sent a batch outside it")]
    TransactionOpen(ProducerId),
    /// A marker by a coordinator that a newer one has replaced (TRANSACTION_COORDINATOR_FENCED).
    #[error("producer {producer}: coordinator epoch {found} is older than {current}")]
    CoordinatorFenced {
        /// Whose transaction.
        producer: ProducerId,
        /// The newest coordinator epoch seen here.
        current: i32,
        /// The marker's.
        found: i32,
    },
    /// A leader epoch older than one already in the log (NOT_LEADER_OR_FOLLOWER).
    #[error("leader epoch {found} is older than the log's {current}")]
    StaleLeader {
        /// Epoch of the log's newest batch.
        current: LeaderEpoch,
        /// The caller's.
        found: LeaderEpoch,
    },
    /// A follower's batch does not follow the end of its log.
    #[error("batch starts at {found}, the log ends at {end}")]
    NotContiguous {
        /// End of the log.
        end: Offset,
        /// Base offset of the batch.
        found: Offset,
    },
    /// The disk failed: the caller fails the log folder (KAFKA_STORAGE_ERROR).
    #[error(transparent)]
    Storage(#[from] LogError),
}

impl Log {
    /// Appends client or coordinator batches: gives them offsets from the end of the log on and stamps the epoch, in
    /// place. One `write` for all of them; all or nothing.
    ///
    /// # Errors
    /// [`AppendError`]; after `Storage` the log is not to be used any more.
    pub fn append_as_leader(
        &mut self,
        batches: &mut [u8],
        epoch: LeaderEpoch,
        origin: Origin,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let _ = (batches, epoch, origin, now_ms);
        Err(AppendError::Empty)
    }

    /// Appends batches fetched from the leader, as they are, and says the new end of the log. All or nothing.
    ///
    /// # Errors
    /// [`AppendError`]: `Corrupt`, `NotContiguous`, `TooLarge` or `Storage`.
    pub fn append_as_follower(&mut self, batches: &[u8]) -> Result<Offset, AppendError> {
        let _ = batches;
        Ok(self.end_offset())
    }
}
