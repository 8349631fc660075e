//! One partition's log: its segments, epochs and producers, and the operations that keep the three in step.

use super::{AbortedTransaction, LeaderEpoch, LogConfig, Offset};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// The disk failed, or what is on it cannot be a log. The caller fails the log folder.
#[derive(Debug, Error)]
pub enum LogError {
    /// A system call failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// What a truncation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// End of the log before.
    pub from: Offset,
    /// End of the log now; below what was asked for if that was in the middle of a batch.
    pub to: Offset,
    /// Bytes removed.
    pub bytes: u64,
}

/// The log of one partition on one broker.
#[derive(Debug)]
pub struct Log {
    config: LogConfig,
}

impl Log {
    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Takes new settings; they count from the next operation on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// Offset of the first record, or of the next one if there is none.
    #[must_use]
    pub fn start_offset(&self) -> Offset {
        Offset(0)
    }

    /// Offset of the next record.
    #[must_use]
    pub fn end_offset(&self) -> Offset {
        Offset(0)
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        0
    }

    /// Notes that this broker leads in `epoch` from the end of the log on, before anything is appended.
    ///
    /// # Errors
    /// [`LogError`] if the checkpoint cannot be written.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) -> Result<(), LogError> {
        let _ = epoch;
        Ok(())
    }

    /// Epoch of the newest batch (or of the reign begun), if any.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        None
    }

    /// Epoch that the record at `offset` was appended in.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let _ = offset;
        None
    }

    /// The largest epoch not above `epoch`, and the offset at which it ended here (KIP-279). If every epoch here is
    /// above, the asked epoch itself with the start of the first one; `None` if `epoch` is above all epochs here.
    #[must_use]
    pub fn end_offset_for(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let _ = epoch;
        None
    }

    /// Removes everything from `offset` on. In the middle of a batch the whole batch goes.
    ///
    /// # Errors
    /// [`LogError`]: fatal for the folder.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<Truncated, LogError> {
        Ok(Truncated { from: offset, to: offset, bytes: 0 })
    }

    /// Removes everything; the log starts and ends at `offset`.
    ///
    /// # Errors
    /// [`LogError`]: fatal for the folder.
    pub fn truncate_fully_and_start_at(&mut self, offset: Offset) -> Result<Truncated, LogError> {
        self.truncate_to(offset)
    }

    /// Takes note of the high watermark: transactions decided below it no longer hold the last stable offset back.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        let _ = high_watermark;
    }

    /// First offset of a transaction that is open, or decided but not yet replicated; `None` if there is none. The
    /// last stable offset is the smaller of it and the high watermark.
    #[must_use]
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        None
    }

    /// The aborted transactions a read-committed reader of `from..up_to` must filter out.
    ///
    /// # Errors
    /// [`LogError`] if a `.txnindex` cannot be read.
    pub fn aborted_transactions(&self, from: Offset, up_to: Offset) -> Result<Vec<AbortedTransaction>, LogError> {
        let _ = (from, up_to);
        Ok(Vec::new())
    }

    /// Forgets producers that have been idle for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now_ms: i64) {
        let _ = now_ms;
    }

    /// Syncs everything, writes indexes and the producers' snapshot: the next open may be told of a clean stop.
    ///
    /// # Errors
    /// [`LogError`]: then the stop was not clean.
    pub fn close(self) -> Result<(), LogError> {
        Ok(())
    }
}
