//! Forgetting: by age, by size, or because somebody asked.

use super::{Log, LogError, Offset};

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Whole segments removed.
    pub segments: u32,
    /// Their bytes.
    pub bytes: u64,
}

impl Log {
    /// Removes whole segments that are too old, too many or below the start of the log, but nothing at or above the
    /// high watermark.
    ///
    /// # Errors
    /// [`LogError`]: fatal for the folder.
    pub fn delete_old(&mut self, now_ms: i64, high_watermark: Offset) -> Result<Deleted, LogError> {
        let _ = (now_ms, high_watermark);
        Ok(Deleted::default())
    }

    /// Moves the start of the log up to `before` (at most its end); never down. Files go with the next
    /// [`Log::delete_old`]. The caller keeps the new start in `log-start-offset-checkpoint`.
    pub fn delete_records(&mut self, before: Offset) {
        let _ = before;
    }
}
