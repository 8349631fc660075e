//! The start of the log moves up: records are deleted because somebody asked (KIP-107), because they are old or many, or
//! because the leader's log starts later.
//!
//! **Invariant:** the start never goes back, and never beyond the high watermark. A follower's start is at least its
//! leader's as of its last fetch.

use super::watchers::Change;
use super::{Inner, Partition, PartitionError, Role};
use crate::bugs::Bug;
use crate::clock;
use crate::evidence::Event;
use crate::ids::Offset;
use crate::log::LogError;

impl Partition {
    /// Deletes the records before an offset, or all that are committed; gives the new start of the leader's log.
    ///
    /// # Errors
    /// [`PartitionError`]: `NotLeader`, `OffsetOutOfRange` beyond the high watermark, `KeptByPolicy`.
    pub fn delete_records(&self, before: Option<Offset>) -> Result<Offset, PartitionError> {
        let mut inner = self.lock();
        self.leading(&inner, None)?;
        if !self.context.lease.held() {
            return Err(PartitionError::NotLeader);
        }
        if !inner.log.config().cleanup.delete {
            return Err(PartitionError::KeptByPolicy);
        }
        let before = before.unwrap_or(inner.high_watermark);
        if before > inner.high_watermark {
            return Err(PartitionError::OffsetOutOfRange);
        }
        self.start_at(&mut inner, before, "asked for");
        Ok(before)
    }

    /// The lowest start among the living replicas, if this one leads.
    pub fn low_watermark(&self) -> Option<Offset> {
        let inner = self.lock();
        let Role::Leader(leadership) = &inner.role else { return None };
        let image = self.context.image.borrow();
        let lowest = leadership.lowest_start(|follower| image.is_alive(follower));
        Some(lowest.unwrap_or(inner.log.start_offset()).min(inner.log.start_offset()))
    }

    /// Deletes segments that the topic's settings no longer keep.
    ///
    /// # Errors
    /// [`LogError`]: the log folder is unusable.
    pub fn delete_old(&self) -> Result<(), LogError> {
        let mut inner = self.lock();
        if inner.is_retired() {
            return Ok(());
        }
        let wrong = self.context.bugs.has(Bug::RetentionWrongClock);
        let now_ms = if wrong { (clock::wall_ns() / 1000) as i64 } else { clock::wall_ms() };
        let high_watermark = inner.high_watermark;
        let from = inner.log.start_offset();
        let deleted = inner.log.delete_old(now_ms, high_watermark)?;
        let to = inner.log.start_offset();
        if deleted.segments > 0 {
            let (partition, why) = (self.id.clone(), "retention".to_owned());
            self.context.events.emit(Event::LogStart { partition, from, to, segments: deleted.segments, why });
        }
        Ok(())
    }

    /// Moves the start up to `to`, if it is below.
    pub(super) fn start_at(&self, inner: &mut Inner, to: Offset, why: &str) -> bool {
        let from = inner.log.start_offset();
        inner.log.delete_records(to);
        let to = inner.log.start_offset();
        if to > from {
            let (partition, why) = (self.id.clone(), why.to_owned());
            self.context.events.emit(Event::LogStart { partition, from, to, segments: 0, why });
        }
        to > from
    }

    /// Takes note of a follower's start, and tells those who wait for all to have moved.
    pub(super) fn follower_starts(&self, follower: crate::ids::NodeId, start: Option<Offset>) {
        let Some(start) = start else { return };
        let moved = match &mut self.lock().role {
            Role::Leader(leadership) => leadership.started(follower, start),
            Role::Idle | Role::Follower(_) => false,
        };
        if moved && let Some(lowest) = self.low_watermark() {
            self.watchers.tell(Change::LowWatermark(lowest));
        }
    }
}
