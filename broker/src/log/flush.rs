//! Syncing to disk, so that a caller can share one sync among many waiters and keep its lock free meanwhile.
//!
//! **Invariant:** the recovery point only says what a finished sync covered. A sync that failed is never repeated: the
//! kernel may have dropped the pages and forgotten the error.

use super::checkpoint::sync_dir;
use super::segment::Segment;
use super::{Log, LogError, Offset};
use crate::bugs::Bug;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything that must reach the disk for a log to be synced up to an offset.
#[derive(Debug)]
pub struct FlushTicket {
    dir: Option<PathBuf>,
    dir_changes: u64,
    files: Vec<(PathBuf, Arc<File>)>,
    segments: Vec<(Offset, u64)>,
    up_to: Offset,
    truncations: u64,
    /// Planted bug.
    lies: bool,
}

impl FlushTicket {
    /// Syncs the files. Needs no access to the log: call it outside the lock.
    ///
    /// # Errors
    /// [`LogError::Io`]: fatal. A second try would prove nothing; never retry.
    pub fn sync(&self) -> Result<(), LogError> {
        if self.lies {
            return Ok(());
        }
        for (path, file) in &self.files {
            file.sync_data().map_err(LogError::io("sync", path))?;
        }
        self.dir.as_deref().map_or(Ok(()), sync_dir)
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
        self.ticket(self.segments.iter(), self.end_offset())
    }

    /// As [`Log::flush_ticket`], but of closed segments only; `None` if they are all synced. Kafka syncs a segment in
    /// the background once it is closed.
    #[must_use]
    pub fn flush_ticket_of_closed(&self) -> Option<FlushTicket> {
        let ticket = self.ticket(self.segments.closed().iter(), self.segments.active().base());
        (!ticket.segments.is_empty()).then_some(ticket)
    }

    fn ticket<'a>(&self, segments: impl Iterator<Item = &'a Segment>, up_to: Offset) -> FlushTicket {
        let (mut files, mut covered) = (Vec::new(), Vec::new());
        for segment in segments {
            let Some(writes) = segment.unsynced_writes() else { continue };
            covered.push((segment.base(), writes));
            files.extend(segment.files().map(|(path, file)| (path.to_path_buf(), Arc::clone(file))));
        }
        let dir = (self.dir_changes != self.dir_synced).then(|| self.dir().to_path_buf());
        let (dir_changes, truncations) = (self.dir_changes, self.truncations);
        let lies = self.config.bugs.has(Bug::FsyncLies);
        FlushTicket { dir, dir_changes, files, segments: covered, up_to, truncations, lies }
    }

    /// Takes note that `ticket` has been synced. Ignored if the log was truncated since the ticket was drawn.
    pub fn flushed(&mut self, ticket: &FlushTicket, now_ms: i64) {
        self.flushed_ms = self.flushed_ms.max(now_ms);
        self.dir_synced = self.dir_synced.max(ticket.dir_changes);
        if ticket.truncations != self.truncations {
            return;
        }
        self.recovery_point = self.recovery_point.max(ticket.up_to);
        for (base, writes) in &ticket.segments {
            self.segments.iter_mut().filter(|segment| segment.base() == *base).for_each(|segment| {
                segment.set_synced(*writes);
            });
        }
    }

    /// Whether `flush.messages` (records since the last sync) or `flush.ms` (time since the last sync, if there is
    /// anything to sync) asks for a sync now.
    #[must_use]
    pub fn flush_due(&self, now_ms: i64) -> bool {
        let unflushed = self.unflushed_messages();
        let late = now_ms.saturating_sub(self.flushed_ms) >= self.config.flush_ms;
        unflushed > 0 && (unflushed >= self.config.flush_messages || late)
    }

    /// Records appended and not synced.
    #[must_use]
    pub fn unflushed_messages(&self) -> u64 {
        u64::try_from(self.end_offset().0 - self.recovery_point.0).unwrap_or(0)
    }

    /// Everything below is on disk (`recovery-point-offset-checkpoint`).
    #[must_use]
    pub fn recovery_point(&self) -> Offset {
        self.recovery_point
    }
}
