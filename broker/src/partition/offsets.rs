//! A leader answers questions about offsets: where its log ends or starts, where a time or an epoch is.
//!
//! The end is the high watermark, and it must never seem to go back: a new leader that has not yet learnt how far its
//! predecessor committed says "not available" instead (KIP-207).

use super::{Partition, PartitionError, Role};
use crate::bugs::Bug;
use crate::ids::{LeaderEpoch, Offset};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The end, for a client.
    Latest {
        /// The last stable offset instead of the high watermark.
        committed: bool,
    },
    /// The end of the log itself, for a replica.
    LogEnd,
    /// The start.
    Earliest,
    /// The record with the largest timestamp (KIP-734).
    MaxTimestamp {
        /// Only below the last stable offset.
        committed: bool,
    },
    /// The first record not older than a time.
    Timestamp {
        /// Milliseconds since 1970.
        timestamp_ms: i64,
        /// Only below the last stable offset.
        committed: bool,
    },
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// Where.
    pub offset: Offset,
    /// The record's timestamp, or -1 if no record was looked for.
    pub timestamp_ms: i64,
    /// Its epoch.
    pub epoch: Option<LeaderEpoch>,
}

impl Partition {
    /// Looks for an offset; none if there is no such record.
    ///
    /// # Errors
    /// [`PartitionError`].
    pub fn find(&self, target: Target, asked: Option<LeaderEpoch>) -> Result<Option<FoundOffset>, PartitionError> {
        let inner = self.lock();
        let leadership = self.leading(&inner, asked)?;
        let (epoch, behind) = (leadership.epoch(), inner.high_watermark < leadership.start());
        let plain = |offset, epoch| Ok(Some(FoundOffset { offset, timestamp_ms: -1, epoch }));
        let found = match target {
            Target::Latest { .. } if self.context.bugs.has(Bug::ListOffsetsLogEnd) => {
                return plain(inner.log.end_offset(), Some(epoch));
            }
            Target::LogEnd => return plain(inner.log.end_offset(), Some(epoch)),
            Target::Earliest => {
                let start = inner.log.start_offset();
                return plain(start, inner.log.epoch_at(start));
            }
            Target::Latest { .. } if behind && !self.tells_any_end() => {
                return Err(PartitionError::OffsetNotAvailable);
            }
            Target::Latest { committed } => {
                let offset = if committed { inner.last_stable() } else { inner.high_watermark };
                Some(FoundOffset { offset, timestamp_ms: -1, epoch: Some(epoch) })
            }
            Target::MaxTimestamp { .. } => found(inner.log.max_timestamp()?),
            Target::Timestamp { timestamp_ms, .. } => found(inner.log.offset_for_timestamp(timestamp_ms)?),
        };
        if !self.context.lease.held() {
            return Err(PartitionError::NotLeader);
        }
        let (Target::Timestamp { committed, .. } | Target::MaxTimestamp { committed }) = target else {
            return Ok(found);
        };
        let bound = if committed { inner.last_stable() } else { inner.high_watermark };
        match found.filter(|found| found.offset >= bound) {
            None => Ok(found),
            Some(_) if behind => Err(PartitionError::OffsetNotAvailable),
            Some(_) => Ok(None),
        }
    }

    fn tells_any_end(&self) -> bool {
        let bugs = self.context.bugs;
        bugs.has(Bug::ServeBeforeEpochStart) || bugs.has(Bug::HighWatermarkForgotten)
    }

    /// The largest epoch not above `epoch` and where it ended in this leader's log (KIP-101, KIP-279).
    ///
    /// # Errors
    /// [`PartitionError`].
    pub fn end_of_epoch(
        &self,
        asked: Option<LeaderEpoch>,
        epoch: LeaderEpoch,
    ) -> Result<Option<(LeaderEpoch, Offset)>, PartitionError> {
        let inner = self.lock();
        self.leading(&inner, asked)?;
        let end = inner.log.end_offset_for(epoch);
        self.entitled(Ok(end))
    }

    /// The epoch in which this replica leads, if it does.
    pub fn leads_in(&self) -> Option<LeaderEpoch> {
        match &self.lock().role {
            Role::Leader(leadership) => Some(leadership.epoch()),
            Role::Idle | Role::Follower(_) => None,
        }
    }
}

fn found(record: Option<crate::log::TimestampedOffset>) -> Option<FoundOffset> {
    record.map(|record| FoundOffset {
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        epoch: record.leader_epoch,
    })
}
