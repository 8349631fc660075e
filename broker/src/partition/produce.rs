//! A leader takes batches, and says when they are committed.
//!
//! A producer with acks=all is answered once the high watermark has passed its last record. It is refused before the
//! append when the in-sync replicas are too few, and told "after append" when they became too few meanwhile: then the
//! records are in the log and nobody knows yet whether they stay.

use super::leadership::Leadership;
use super::watchers::Change;
use super::{Inner, Partition, PartitionError, Role};
use crate::bugs::Bug;
use crate::clock;
use crate::ids::{LeaderEpoch, Offset};
use crate::log::batch::Batches;
use crate::log::{Appended, Origin, recompressed};

/// What a leader took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Offset of the first record; of the original one if this is a repetition.
    pub base_offset: Offset,
    /// Offset after the last record: committed once the high watermark is here.
    pub next_offset: Offset,
    /// The time put into the batches, if the topic uses append time.
    pub append_time_ms: Option<i64>,
    /// Start of the log.
    pub log_start: Offset,
    /// The epoch they were taken in.
    pub epoch: LeaderEpoch,
    /// Whether the topic asks for a sync now.
    pub sync_due: bool,
}

/// What became of records taken.
#[derive(Debug)]
pub enum Commit {
    /// Not yet known.
    Pending,
    /// Every in-sync replica has them, and these are enough.
    Done,
    /// This leader cannot say any more.
    Failed(PartitionError),
}

impl Partition {
    /// Appends a client's or coordinator's batches. Offsets and epoch are written into `batches`.
    ///
    /// # Errors
    /// [`PartitionError`]: nothing was appended.
    pub fn append(&self, batches: &mut [u8], all: bool, origin: Origin) -> Result<Accepted, PartitionError> {
        self.append_if(batches, all, origin, |_, _| Ok(()))
    }

    /// As [`Partition::append`], if `check` has nothing against it.
    pub(super) fn append_if(
        &self,
        batches: &mut [u8],
        all: bool,
        origin: Origin,
        check: impl FnOnce(&Inner, &Leadership) -> Result<(), PartitionError>,
    ) -> Result<Accepted, PartitionError> {
        let mut inner = self.lock();
        let (compression, mut other) = (inner.log.config().compression, None);
        if let Some(codec) = compression.filter(|_| origin == Origin::Client) {
            drop(inner);
            other = recompressed(batches, codec)?;
            inner = self.lock();
        }
        let batches = other.as_deref_mut().unwrap_or(batches);
        let Role::Leader(leadership) = &inner.role else { return Err(PartitionError::NotLeader) };
        let stale = !self.context.lease.held() && !self.context.bugs.has(Bug::StaleLeaderAcks);
        if stale {
            return Err(PartitionError::NotLeader);
        }
        check(&inner, leadership)?;
        let counts = !self.context.bugs.has(Bug::AdvanceUnderMinIsr);
        if all && counts && inner.is_short(leadership) {
            return Err(PartitionError::NotEnoughReplicas);
        }
        let epoch = leadership.epoch();
        let appended = inner.log.append_as_leader(batches, epoch, origin, clock::wall_ms())?;
        if origin == Origin::Coordinator && Batches::new(batches).flatten().any(|batch| batch.header.is_control()) {
            inner.marked = inner.log.end_offset();
        }
        let sync_due = inner.log.flush_due(clock::wall_ms());
        let accepted = Accepted { sync_due, ..accepted(appended, epoch, inner.log.start_offset()) };
        let end = inner.visible_end();
        let committed = self.advance(&mut inner);
        drop(inner);
        self.watchers.tell(Change::End(end));
        committed.into_iter().for_each(|change| self.watchers.tell(change));
        Ok(accepted)
    }

    /// Whether records taken in `epoch` up to `next_offset` are committed.
    pub fn commit(&self, epoch: LeaderEpoch, next_offset: Offset) -> Commit {
        let inner = self.lock();
        match &inner.role {
            Role::Leader(leadership) if leadership.since() <= epoch => {
                if self.context.bugs.has(Bug::StaleLeaderAcks) && !self.context.lease.held() {
                    Commit::Done
                } else if inner.is_short(leadership) && !self.context.bugs.has(Bug::AdvanceUnderMinIsr) {
                    Commit::Failed(PartitionError::NotEnoughReplicasAfterAppend)
                } else if inner.high_watermark >= next_offset {
                    Commit::Done
                } else {
                    Commit::Pending
                }
            }
            _ => Commit::Failed(PartitionError::NotLeader),
        }
    }

    /// Whether the leader itself has these records as safely as the topic demands (`flush.messages=1`: on disk).
    pub fn kept(&self, epoch: LeaderEpoch, next_offset: Offset) -> Commit {
        let inner = self.lock();
        match &inner.role {
            Role::Leader(leadership) if leadership.since() <= epoch => {
                if inner.visible_end() >= next_offset {
                    Commit::Done
                } else {
                    Commit::Pending
                }
            }
            _ => Commit::Failed(PartitionError::NotLeader),
        }
    }
}

fn accepted(appended: Appended, epoch: LeaderEpoch, log_start: Offset) -> Accepted {
    let (base_offset, last, append_time_ms) = match appended {
        Appended::New { base_offset, last_offset, append_time_ms } => (base_offset, last_offset, append_time_ms),
        Appended::Duplicate { base_offset, last_offset, .. } => (base_offset, last_offset, None),
    };
    Accepted { base_offset, next_offset: last.plus(1), append_time_ms, log_start, epoch, sync_due: false }
}
