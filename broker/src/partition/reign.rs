//! What a coordinator needs of the partition it keeps its state in: one unbroken leadership, read from its start to its
//! end and then appended to by nobody else.
//!
//! A *reign* is named by its first leader epoch. It goes on while the controller only raises the epoch of the same
//! leader, because the log is then not cut; it ends when this replica follows somebody or its lease has run out.

use bytes::Bytes;

use super::{Accepted, Commit, Inner, Partition, PartitionError, Role};
use crate::ids::{LeaderEpoch, Offset};
use crate::log::Origin;

impl Partition {
    /// The reign, if this replica leads.
    pub fn reign(&self) -> Option<LeaderEpoch> {
        self.lock().reign()
    }

    /// Appends a coordinator's batch as acks=all, if this is still the reign it was decided in.
    ///
    /// # Errors
    /// [`PartitionError`]: nothing was appended.
    pub fn append_in(&self, reign: LeaderEpoch, batches: &mut [u8]) -> Result<Accepted, PartitionError> {
        self.append_if(batches, true, Origin::Coordinator, |_, leadership| {
            if leadership.since() == reign { Ok(()) } else { Err(PartitionError::NotLeader) }
        })
    }

    /// Whole batches from `from` (or the start of the log, if that is later) up to the very end of the log; empty at
    /// the end.
    ///
    /// # Errors
    /// [`PartitionError`]; `NotLeader` if the reign is over.
    pub fn replay(&self, reign: LeaderEpoch, from: Offset, bytes_max: usize) -> Result<Bytes, PartitionError> {
        let inner = self.lock();
        if inner.reign() != Some(reign) {
            return Err(PartitionError::NotLeader);
        }
        let (from, end) = (from.max(inner.log.start_offset()), inner.log.end_offset());
        if from >= end {
            return Ok(Bytes::new());
        }
        Ok(inner.log.read(from, bytes_max, end, true)?)
    }

    /// Whether everything below `next_offset` is committed, and this replica may still say so.
    pub fn reached(&self, reign: LeaderEpoch, next_offset: Offset) -> Commit {
        let inner = self.lock();
        match &inner.role {
            Role::Leader(leadership) if leadership.since() == reign => {
                if inner.high_watermark >= next_offset {
                    let held = self.context.lease.held();
                    if held { Commit::Done } else { Commit::Failed(PartitionError::NotLeader) }
                } else if inner.is_short(leadership) {
                    Commit::Failed(PartitionError::NotEnoughReplicasAfterAppend)
                } else {
                    Commit::Pending
                }
            }
            _ => Commit::Failed(PartitionError::NotLeader),
        }
    }
}

impl Inner {
    fn reign(&self) -> Option<LeaderEpoch> {
        match &self.role {
            Role::Leader(leadership) => Some(leadership.since()),
            Role::Idle | Role::Follower(_) => None,
        }
    }
}
