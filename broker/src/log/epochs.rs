//! Which leader epoch began where: what a replica needs to find the point at which two logs part (KIP-101, KIP-279).
//!
//! Pure. **Invariant:** epochs and start offsets both grow; an epoch without records is dropped as soon as the next
//! one begins at the same offset. Keeping the file `leader-epoch-checkpoint` in step is the log's business.

use super::{LeaderEpoch, Offset};

/// The epochs of one log with the offset each began at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochCache {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl EpochCache {
    /// From entries in order; one that contradicts an earlier one wins over it, as when it is assigned.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (LeaderEpoch, Offset)>) -> EpochCache {
        let mut cache = EpochCache::default();
        for (epoch, start) in entries {
            cache.assign(epoch, start);
        }
        cache
    }

    /// All epochs, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    /// The newest epoch.
    #[must_use]
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.0)
    }

    /// Notes that `epoch` begins at `start` and says whether that was news. Entries that contradict it go: the newest
    /// word on an offset is the true one.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if self.entries.last().is_some_and(|last| last.0 == epoch && last.1 <= start) {
            return false;
        }
        let keep = self.entries.partition_point(|entry| entry.0 < epoch && entry.1 < start);
        self.entries.truncate(keep);
        self.entries.push((epoch, start));
        true
    }

    /// The epoch of the record at `offset`.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.1 <= offset);
        after.checked_sub(1).map(|at| self.entries[at].0)
    }

    /// The largest epoch not above `epoch` and the offset after its last record, in a log that ends at `end`.
    ///
    /// Below every epoch here, the asked epoch itself is answered with the start of the first one: what it wrote is
    /// gone. `None` above every epoch here: nothing is known (KIP-279).
    #[must_use]
    pub fn end_offset_for(&self, epoch: LeaderEpoch, end: Offset) -> Option<(LeaderEpoch, Offset)> {
        if self.latest() == Some(epoch) {
            return Some((epoch, end));
        }
        let above = self.entries.partition_point(|entry| entry.0 <= epoch);
        let next = self.entries.get(above)?;
        let floor = above.checked_sub(1).map_or(epoch, |at| self.entries[at].0);
        Some((floor, next.1))
    }

    /// Forgets epochs that begin at or after `end`; says whether there were any.
    pub fn truncate_end(&mut self, end: Offset) -> bool {
        let keep = self.entries.partition_point(|entry| entry.1 < end);
        let changed = keep < self.entries.len();
        self.entries.truncate(keep);
        changed
    }

    /// Forgets epochs that ended before `start`, and lets the one that holds it begin there; says whether that
    /// changed anything.
    pub fn truncate_start(&mut self, start: Offset) -> bool {
        let after = self.entries.partition_point(|entry| entry.1 <= start);
        let Some(at) = after.checked_sub(1) else { return false };
        let changed = at > 0 || self.entries[at].1 != start;
        self.entries.drain(..at);
        self.entries[0].1 = start;
        changed
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
