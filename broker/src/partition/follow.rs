//! A follower takes what its leader sends, and gives up what its leader does not have.
//!
//! Where two logs part is found by epochs (KIP-101, KIP-279, KIP-595): the follower's fetch carries the epoch of its
//! last record; a leader that does not have that record answers with the largest epoch both may share and where it
//! ended; the follower cuts its log there and asks again, until nothing diverges. Its own high watermark plays no part.
//!
//! **Invariant:** everything happens under the leader epoch it was asked under; an answer that comes late changes
//! nothing.

use super::watchers::Change;
use super::{Inner, Partition, PartitionError, Role};
use crate::bugs::Bug;
use crate::evidence::Event;
use crate::ids::{LeaderEpoch, Offset};
use crate::log::LogError;

/// Where a follower stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The next offset it needs.
    pub offset: Offset,
    /// The epoch of its last record.
    pub last_epoch: Option<LeaderEpoch>,
    /// Start of its log.
    pub log_start: Offset,
}

impl Partition {
    /// Where this replica stands, if it follows in this epoch.
    pub fn position(&self, epoch: LeaderEpoch) -> Option<Position> {
        let inner = self.lock();
        inner.follows(epoch).ok()?;
        let asks_epochs = !self.context.bugs.has(Bug::TruncationSkipped);
        let asks_epochs = asks_epochs && !self.context.bugs.has(Bug::TruncateToHighWatermark);
        Some(Position {
            offset: inner.log.end_offset(),
            last_epoch: inner.log.latest_epoch().filter(|_| asks_epochs),
            log_start: inner.log.start_offset(),
        })
    }

    /// Appends what the leader sent, and follows its high watermark and log start.
    ///
    /// Says whether the start moved, which is to be kept in the checkpoint.
    ///
    /// # Errors
    /// [`PartitionError`]: nothing was appended.
    pub fn replicate(
        &self,
        epoch: LeaderEpoch,
        batches: &[u8],
        high_watermark: Offset,
        log_start: Offset,
    ) -> Result<bool, PartitionError> {
        let mut inner = self.lock();
        inner.follows(epoch)?;
        if !batches.is_empty() {
            inner.log.append_as_follower(batches)?;
        }
        let moved = self.start_at(&mut inner, log_start, "the leader's log starts here");
        let reached = high_watermark.min(inner.log.end_offset());
        let (raised, end) = (inner.raise(reached), inner.visible_end());
        drop(inner);
        self.watchers.tell(Change::End(end));
        if raised {
            self.watchers.tell(Change::HighWatermark(reached));
        }
        Ok(moved)
    }

    /// Cuts the log where it parts from the leader's, which shares at most `theirs` with it.
    ///
    /// # Errors
    /// [`PartitionError`].
    pub fn diverged(&self, epoch: LeaderEpoch, theirs: (LeaderEpoch, Offset)) -> Result<(), PartitionError> {
        let mut inner = self.lock();
        inner.follows(epoch)?;
        let end = inner.log.end_offset();
        let to = match inner.log.end_offset_for(theirs.0) {
            Some((ours, our_end)) if ours < theirs.0 => our_end,
            Some((_, our_end)) => our_end.min(theirs.1),
            None => theirs.1,
        };
        let why = format!("the leader's epoch {} ended at {}", theirs.0, theirs.1);
        Ok(self.truncate(&mut inner, to.min(end), &why)?)
    }

    /// Starts over at `offset`, the start of a leader's log that no longer holds what this replica needs next, or the
    /// end of one that never held what this replica has.
    ///
    /// # Errors
    /// [`PartitionError`].
    pub fn out_of_range(
        &self,
        epoch: LeaderEpoch,
        leader_start: Offset,
        leader_end: Offset,
    ) -> Result<(), PartitionError> {
        let mut inner = self.lock();
        inner.follows(epoch)?;
        let end = inner.log.end_offset();
        if end > leader_end {
            return Ok(self.truncate(&mut inner, leader_end, "the leader's log ends before")?);
        }
        if end < leader_start {
            let from = inner.high_watermark;
            inner.log.truncate_fully_and_start_at(leader_start)?;
            inner.high_watermark = leader_start;
            self.tell_truncation(&inner, (end, leader_start), from, "the leader's log starts after");
        }
        Ok(())
    }

    /// Cuts the log back to `to`, and the high watermark with it.
    pub(super) fn truncate(&self, inner: &mut Inner, to: Offset, why: &str) -> Result<(), LogError> {
        let from = inner.high_watermark;
        let truncated = inner.log.truncate_to(to)?;
        if truncated.to < truncated.from {
            inner.high_watermark = from.min(truncated.to);
            self.tell_truncation(inner, (truncated.from, truncated.to), from, why);
        }
        Ok(())
    }

    fn tell_truncation(&self, inner: &Inner, (from, to): (Offset, Offset), high_watermark: Offset, why: &str) {
        let (partition, epoch) = (self.id.clone(), inner.epoch.unwrap_or_default());
        let (context, why) = (&self.context, why.to_owned());
        let regressed = inner.high_watermark < high_watermark;
        context.events.emit(Event::Truncation {
            partition: partition.clone(),
            epoch,
            from,
            to,
            high_watermark,
            why: why.clone(),
        });
        if regressed {
            let to = inner.high_watermark;
            context.events.emit(Event::HighWatermarkRegression { partition, epoch, from: high_watermark, to, why });
        }
    }
}

impl Inner {
    fn follows(&self, epoch: LeaderEpoch) -> Result<(), PartitionError> {
        match self.role {
            Role::Follower(_) if self.epoch == Some(epoch) => Ok(()),
            _ => Err(PartitionError::NotLeader),
        }
    }
}
