//! Forgetting: by age, by size, or because somebody asked.

use super::segment::Segment;
use super::{Log, LogError, Offset};
use std::time::UNIX_EPOCH;

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
    /// high watermark. What is left is led in by a new segment if none would be.
    ///
    /// # Errors
    /// [`LogError`]: fatal for the folder.
    pub fn delete_old(&mut self, now_ms: i64, high_watermark: Offset) -> Result<Deleted, LogError> {
        let doomed = self.doomed(now_ms, high_watermark);
        if doomed > self.segments.closed().len() {
            self.roll(self.end_offset())?;
        }
        let bytes = self.segments.drop_oldest(doomed)?;
        if doomed > 0 {
            self.dir_changes += 1;
            self.start = self.start.max(self.segments.first_base());
            self.epochs.truncate_start(self.start);
            self.write_epochs()?;
            self.drop_snapshots_below(self.segments.first_base())?;
        }
        Ok(Deleted { segments: u32::try_from(doomed).unwrap_or(u32::MAX), bytes })
    }

    /// How many segments, from the oldest on, are to go. Age and size count only with `cleanup.policy=delete`.
    fn doomed(&self, now_ms: i64, high_watermark: Offset) -> usize {
        let deletes = self.config.cleanup.delete;
        let kept_bytes = self.config.retention_bytes.filter(|_| deletes);
        let mut excess = kept_bytes.map_or(0, |kept| self.size_bytes().saturating_sub(kept));
        let kept_ms = self.config.retention_ms.filter(|_| deletes);
        let active = self.segments.active().base();
        let mut expired = |segment: &Segment| {
            let below_start = segment.end() <= self.start;
            let too_old = kept_ms.is_some_and(|kept| age_ms(segment, now_ms) > kept);
            let too_many = excess >= segment.size() && excess > 0;
            excess = excess.saturating_sub(segment.size());
            let there = segment.size() > 0 || segment.base() < active;
            there && segment.end() <= high_watermark && (below_start || too_old || too_many)
        };
        self.segments.iter().take_while(|segment| expired(segment)).count()
    }

    /// Moves the start of the log up to `before` (at most its end); never down. Files go with the next
    /// [`Log::delete_old`], which also brings the epoch checkpoint up to date. The caller keeps the new start in
    /// `log-start-offset-checkpoint`.
    pub fn delete_records(&mut self, before: Offset) {
        self.start = self.start.max(before.min(self.end_offset()));
        self.epochs.truncate_start(self.start);
    }
}

/// Age by the youngest record; by the file if the records carry no time.
fn age_ms(segment: &Segment, now_ms: i64) -> i64 {
    let modified = || {
        let time = segment.file().metadata().and_then(|metadata| metadata.modified()).ok()?;
        i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
    };
    let youngest_ms = segment.largest().map(|largest| largest.timestamp_ms).or_else(modified);
    youngest_ms.map_or(0, |youngest_ms| now_ms.saturating_sub(youngest_ms))
}
