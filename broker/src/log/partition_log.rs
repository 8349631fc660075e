//! One partition's log: its segments, epochs and producers, and the operations that keep the three in step.
//!
//! **Invariant:** at every moment the epochs and the producers are those of the batches in `start..end`; the epoch
//! checkpoint is written before the first batch of an epoch is (KAFKA-16541), so that it never lacks one.

use super::checkpoint::{self, LEADER_EPOCH_FILE};
use super::epochs::EpochCache;
use super::producers::{Producer, ProducerId, Producers};
use super::reader::WalkError;
use super::segments::Segments;
use super::{AbortedTransaction, LeaderEpoch, LogConfig, Offset};
use crate::bugs::Bug;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A system call on a log's files failed. The caller fails the log folder, as Kafka does.
#[derive(Debug, Error)]
pub enum LogError {
    /// What was tried, on which file, and why it failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// An earlier append failed half-way: nobody knows what of it is there, and nothing may follow it.
    #[error("an earlier append to {} failed", path.display())]
    Failed {
        /// The log's folder or file.
        path: PathBuf,
    },
}

impl LogError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError + use<> {
        let path = path.to_path_buf();
        move |source| LogError::Io { doing, path, source }
    }
}

/// What a truncation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// End of the log before.
    pub from: Offset,
    /// End of the log now; below what was asked for if that was in the middle of a batch.
    pub to: Offset,
    /// Bytes removed.
    pub bytes: u64,
}

/// The log of one partition on one broker.
#[derive(Debug)]
pub struct Log {
    pub(super) config: LogConfig,
    pub(super) segments: Segments,
    pub(super) start: Offset,
    pub(super) epochs: EpochCache,
    pub(super) producers: Producers,
    /// Offsets of the producer snapshots on disk.
    pub(super) snapshots: BTreeSet<Offset>,
    pub(super) recovery_point: Offset,
    /// The last one heard of; here only to know which transactions are final.
    pub(super) high_watermark: Offset,
    pub(super) flushed_ms: i64,
    /// Compacted up to here.
    pub(super) clean_until: Offset,
    /// Counts truncations: a sync begun before one proves nothing about what was written after it.
    pub(super) truncations: u64,
    /// Counts the times files came or went.
    pub(super) dir_changes: u64,
    /// The count at which the folder was last synced.
    pub(super) dir_synced: u64,
    /// An append has failed: no other is begun.
    pub(super) failed: bool,
}

impl Log {
    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Takes new settings; they count from the next operation on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.segments.dir()
    }

    /// Offset of the first record, or of the next one if there is none.
    #[must_use]
    pub fn start_offset(&self) -> Offset {
        self.start
    }

    /// Offset of the next record.
    #[must_use]
    pub fn end_offset(&self) -> Offset {
        self.segments.active().end()
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments.size()
    }

    /// Notes that this broker leads in `epoch` from the end of the log on, before anything is appended.
    ///
    /// # Errors
    /// [`LogError`] if the checkpoint cannot be written.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) -> Result<(), LogError> {
        let end = self.end_offset();
        if self.epochs.assign(epoch, end) { self.write_epochs() } else { Ok(()) }
    }

    /// Epoch of the newest batch (or of the reign begun), if any.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// Epoch that the record at `offset` was appended in.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.epoch_at(offset)
    }

    /// All epochs with their start offsets, oldest first.
    #[must_use]
    pub fn epochs(&self) -> &[(LeaderEpoch, Offset)] {
        self.epochs.entries()
    }

    /// The largest epoch not above `epoch`, and the offset at which it ended here (KIP-279). If every epoch here is
    /// above, the asked epoch itself with the start of the first one; `None` if `epoch` is above all epochs here.
    #[must_use]
    pub fn end_offset_for(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.end_offset_for(epoch, self.end_offset())
    }

    pub(super) fn write_epochs(&self) -> Result<(), LogError> {
        checkpoint::write_epochs(&self.dir().join(LEADER_EPOCH_FILE), self.epochs.entries())
    }

    /// Removes everything from `offset` on, an epoch begun there without records included. In the middle of a batch the
    /// whole batch goes; below the start of the log, everything. The caller writes the recovery point, which may have gone back, to its checkpoint.
    ///
    /// # Errors
    /// [`LogError`]: fatal for the folder.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<Truncated, LogError> {
        let from = self.end_offset();
        if offset >= from {
            self.forget_empty_epoch()?;
            return Ok(Truncated { from, to: from, bytes: 0 });
        }
        if offset < self.segments.first_base() {
            return self.truncate_fully_and_start_at(offset);
        }
        self.truncations += 1;
        self.dir_changes += 1;
        let dropped = self.segments.drop_from(offset)?;
        let cut = self.cut_active(offset)?;
        self.start = self.start.min(self.end_offset());
        self.forget_from_end()?;
        Ok(Truncated { from, to: self.end_offset(), bytes: dropped + cut })
    }

    /// Forgets an epoch that began at the end of the log and wrote nothing: its leader was deposed before its first
    /// record, and the next leader may never have heard of it.
    fn forget_empty_epoch(&mut self) -> Result<(), LogError> {
        if self.epochs.truncate_end(self.end_offset()) { self.write_epochs() } else { Ok(()) }
    }

    /// Cuts the active segment before the batch that holds `offset`.
    fn cut_active(&mut self, offset: Offset) -> Result<u64, LogError> {
        let active = self.segments.active_mut();
        let before = active.size();
        match active.locate(offset) {
            Ok(None) => {}
            Ok(Some(found)) => active.cut(found.position, found.header.base_offset.min(offset))?,
            Err(WalkError::Batch(_)) => active.cut_at_damage(offset)?,
            Err(WalkError::Storage(error)) => return Err(error),
        }
        Ok(before - self.segments.active().size())
    }

    /// Brings recovery point, epochs and producers back to an end that has moved down.
    fn forget_from_end(&mut self) -> Result<(), LogError> {
        let end = self.end_offset();
        self.recovery_point = self.recovery_point.min(end);
        if self.epochs.truncate_end(end) {
            self.write_epochs()?;
        }
        self.drop_snapshots_above(end)?;
        self.load_producers(end)
    }

    /// Removes everything; the log starts and ends at `offset`.
    ///
    /// # Errors
    /// [`LogError`]: fatal for the folder.
    pub fn truncate_fully_and_start_at(&mut self, offset: Offset) -> Result<Truncated, LogError> {
        let from = self.end_offset();
        self.truncations += 1;
        self.dir_changes += 1;
        let bytes = self.segments.restart(offset)?;
        self.start = offset;
        self.recovery_point = offset;
        self.epochs.clear();
        self.write_epochs()?;
        self.drop_snapshots_above(Offset(-1))?;
        self.producers = Producers::default();
        Ok(Truncated { from, to: offset, bytes })
    }

    /// Takes note of the high watermark: transactions decided below it no longer hold the last stable offset back.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.high_watermark = high_watermark;
        self.producers.on_high_watermark(high_watermark);
    }

    /// First offset of a transaction that is open, or decided but not yet replicated; `None` if there is none. The
    /// last stable offset is the smaller of it and the high watermark.
    #[must_use]
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let first = if self.config.bugs.has(Bug::LastStableOffByOne) {
            self.producers.second_unstable()
        } else {
            self.producers.first_unstable()
        };
        first.map(|first| first.max(self.start))
    }

    /// The aborted transactions a read-committed reader of `from..up_to` must filter out, by their markers.
    ///
    /// # Errors
    /// [`LogError`] if a `.txnindex` cannot be read.
    pub fn aborted_transactions(&self, from: Offset, up_to: Offset) -> Result<Vec<AbortedTransaction>, LogError> {
        let mut found = Vec::new();
        for segment in self.segments.from(from) {
            let mut at = segment.aborted.partition_point(|aborted| aborted.last < from)?;
            while let Some(aborted) = segment.aborted.get(at)? {
                if aborted.first < up_to {
                    found.push(aborted);
                }
                if aborted.last_stable >= up_to {
                    return Ok(found);
                }
                at += 1;
            }
        }
        Ok(found)
    }

    /// The producers that wrote to this log and have not been forgotten (DescribeProducers), in no order.
    pub fn producers(&self) -> impl Iterator<Item = (ProducerId, &Producer)> {
        self.producers.iter()
    }

    /// What is known of one producer.
    #[must_use]
    pub fn producer(&self, id: ProducerId) -> Option<&Producer> {
        self.producers.get(id)
    }

    /// Forgets producers that have been idle for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now_ms: i64) {
        self.producers.expire(now_ms, self.config.producer_id_expiration_ms);
    }

    /// Syncs everything, writes indexes and the producers' snapshot: the next open may be told of a clean stop.
    ///
    /// # Errors
    /// [`LogError`]: then the stop was not clean.
    pub fn close(mut self) -> Result<(), LogError> {
        self.write_snapshot()?;
        self.segments.active_mut().seal()?;
        self.dir_changes += 1;
        self.flush_ticket().sync()
    }
}
