//! What a partition refuses, with Kafka's error code for each.

use kafka_protocol::ResponseError;
use thiserror::Error;

use crate::log::{AppendError, LogError, ReadError};

/// Why a partition did not do what was asked.
#[derive(Debug, Error)]
pub enum PartitionError {
    /// This broker does not lead the partition, or can no longer be sure that it does.
    #[error("not the leader")]
    NotLeader,
    /// The asker's leader epoch is of the past.
    #[error("leader epoch is older than the partition's")]
    FencedEpoch,
    /// The asker's leader epoch is of the future: this broker has not heard of it yet.
    #[error("leader epoch is newer than the partition's")]
    UnknownEpoch,
    /// Fewer in-sync replicas than `min.insync.replicas`; nothing was appended.
    #[error("fewer in-sync replicas than required")]
    NotEnoughReplicas,
    /// As above, but the records are in the log and may survive.
    #[error("appended, but to fewer in-sync replicas than required")]
    NotEnoughReplicasAfterAppend,
    /// The high watermark is not yet known to be up to date (KIP-207).
    #[error("the high watermark has not reached the start of the leader's epoch")]
    OffsetNotAvailable,
    /// The offset is not in the log.
    #[error("offset out of range")]
    OffsetOutOfRange,
    /// The topic's `cleanup.policy` does not delete.
    #[error("cleanup.policy does not allow records to be deleted")]
    KeptByPolicy,
    /// The fetcher is no replica, or an outdated incarnation of one.
    #[error("stale replica: {0}")]
    StaleReplica(&'static str),
    /// A batch of a transaction that is not open here, and that its coordinator has not vouched for.
    #[error("the partition is not part of an open transaction")]
    Unverified,
    /// The log refused the batches.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The bytes on disk are damaged.
    #[error("log damaged: {0}")]
    Corrupt(String),
    /// The disk failed.
    #[error(transparent)]
    Storage(#[from] LogError),
}

impl From<ReadError> for PartitionError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { .. } => PartitionError::OffsetOutOfRange,
            ReadError::Corrupt { .. } => PartitionError::Corrupt(error.to_string()),
            ReadError::Storage(error) => PartitionError::Storage(error),
        }
    }
}

impl PartitionError {
    /// Kafka's error for it.
    pub fn kafka(&self) -> ResponseError {
        match self {
            PartitionError::NotLeader | PartitionError::StaleReplica(_) => ResponseError::NotLeaderOrFollower,
            PartitionError::FencedEpoch => ResponseError::FencedLeaderEpoch,
            PartitionError::UnknownEpoch => ResponseError::UnknownLeaderEpoch,
            PartitionError::NotEnoughReplicas => ResponseError::NotEnoughReplicas,
            PartitionError::NotEnoughReplicasAfterAppend => ResponseError::NotEnoughReplicasAfterAppend,
            PartitionError::OffsetNotAvailable => ResponseError::OffsetNotAvailable,
            PartitionError::OffsetOutOfRange => ResponseError::OffsetOutOfRange,
            PartitionError::KeptByPolicy => ResponseError::PolicyViolation,
            PartitionError::Unverified => ResponseError::InvalidTxnState,
            PartitionError::Append(error) => of_append(error),
            PartitionError::Corrupt(_) => ResponseError::CorruptMessage,
            PartitionError::Storage(_) => ResponseError::KafkaStorageError,
        }
    }

    /// The disk's failure, if that is what it is.
    pub fn storage(&self) -> Option<&LogError> {
        match self {
            PartitionError::Storage(error) | PartitionError::Append(AppendError::Storage(error)) => Some(error),
            _ => None,
        }
    }
}

fn of_append(error: &AppendError) -> ResponseError {
    match error {
        AppendError::Empty | AppendError::Refused(_) => ResponseError::InvalidRecord,
        AppendError::TooLarge { .. } => ResponseError::MessageTooLarge,
        AppendError::Corrupt(_) => ResponseError::CorruptMessage,
        AppendError::Timestamp { .. } => ResponseError::InvalidTimestamp,
        AppendError::OutOfOrder { .. } => ResponseError::OutOfOrderSequenceNumber,
        AppendError::ProducerFenced { .. } => ResponseError::InvalidProducerEpoch,
        AppendError::TransactionOpen(_) => ResponseError::InvalidTxnState,
        AppendError::CoordinatorFenced { .. } => ResponseError::TransactionCoordinatorFenced,
        AppendError::StaleLeader { .. } | AppendError::NotContiguous { .. } => ResponseError::NotLeaderOrFollower,
        AppendError::Storage(_) => ResponseError::KafkaStorageError,
    }
}
