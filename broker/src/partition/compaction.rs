//! A replica's log is compacted on its own, by the broker that keeps it: replicas of a compacted topic hold the same last
//! records, but not the same bytes.

use super::Partition;
use crate::clock;
use crate::evidence::Event;
use crate::log::{CompactionError, LogError};

impl Partition {
    /// Compacts the log if that is due. Blocks; the lock is held to plan and to swap files, not while they are written.
    ///
    /// # Errors
    /// [`LogError`]: the log folder is unusable.
    pub fn compact(&self) -> Result<(), LogError> {
        match self.try_compact() {
            Err(_) if self.lock().is_retired() => Ok(()),
            Err(CompactionError::Storage(error)) => Err(error),
            Err(error @ CompactionError::Unreadable { .. }) => {
                self.context.events.note(format!("{}: not compacted: {error}", self.id));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn try_compact(&self) -> Result<(), CompactionError> {
        let due = {
            let inner = self.lock();
            inner.log.compaction_due(clock::wall_ms(), inner.last_stable())?
        };
        let Some(compaction) = due else { return Ok(()) };
        let compacted = compaction.run()?;
        let done = self.lock().log.compacted(&compacted)?;
        if let Some(done) = done {
            self.context.events.emit(Event::Compacted {
                partition: self.id.clone(),
                clean_until: done.clean_until,
                from_bytes: done.bytes_before,
                to_bytes: done.bytes_after,
            });
        }
        Ok(())
    }
}
