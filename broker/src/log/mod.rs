//! The storage of one partition: record batches in Kafka's on-disk layout, and what is known about them.
//!
//! A [`Log`] is a folder of segments (`%020d.log`, `.index`, `.timeindex`, `.txnindex`, `.snapshot`), a leader epoch
//! cache (`leader-epoch-checkpoint`) and the state of the producers that wrote to it. The files are byte for byte
//! what Apache Kafka writes, so that one reader of evidence serves both.
//!
//! **Invariants.** Offsets only grow along a log. What is below the recovery point has been synced. What was appended
//! is validated (length, magic, CRC-32C) before a byte is written, and validated again after an unclean stop. No
//! input, from the wire or from the disk, makes this module panic or allocate more than the limit it was given.
//!
//! **Not here.** No locks, no threads, no clock, no async: the owner of a [`Log`] holds its lock and hands in the time.
//! No replication rules: the high watermark comes in as an argument. Records inside a batch are not decoded, except
//! to answer a question about timestamps, to read a transaction marker, to compact, and to change the compression.

mod append;
pub mod batch;
pub mod checkpoint;
mod compact;
mod compress;
mod config;
mod decompress;
pub mod epochs;
mod flush;
pub mod identity;
mod index;
pub mod marker;
mod partition_log;
pub mod producer_snapshot;
pub mod producers;
mod read;
mod reader;
pub(crate) mod records;
mod recovery;
mod restore;
mod retention;
mod rewrite;
mod scan;
mod segment;
mod segments;
mod timestamps;
mod transactions;

pub use crate::ids::{LeaderEpoch, Offset};
pub use append::{AppendError, Appended, Origin};
pub use batch::Codec;
pub use compact::{Compacted, Compaction, CompactionError, Compactions};
pub use config::{Cleanup, CompactionConfig, LogConfig, OffsetGaps, TimestampType};
pub use flush::FlushTicket;
pub use partition_log::{Log, LogError, Truncated};
pub use producers::ProducerId;
pub use read::{FileSlice, ReadError, Records};
pub use recovery::{Cut, Damage, Finding, Opening, Recovery, Stop};
pub use retention::Deleted;
pub use rewrite::recompressed;
pub use timestamps::TimestampedOffset;
pub use transactions::AbortedTransaction;

#[cfg(test)]
mod tests;
