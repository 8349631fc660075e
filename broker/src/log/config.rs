//! The settings of a topic that its storage obeys, with Kafka's defaults.

use super::batch::Codec;
use crate::bugs::{Bug, Bugs};

/// Which clock a batch's timestamps come from (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The leader's at append; it replaces the producer's.
    LogAppendTime,
}

/// Whether a follower takes a batch that leaves a hole behind the end of its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffsetGaps {
    /// A hole is an error: nothing removes records from the middle of this log.
    #[default]
    Refused,
    /// The topic is, or may ever have been, compacted: batches may be missing.
    Allowed,
}

/// What becomes of old records (`cleanup.policy`); both may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// Segments that are too old or too many are deleted.
    pub delete: bool,
    /// Records that a later one of the same key replaces are taken out.
    pub compact: bool,
}

/// When and how a log is compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionConfig {
    /// `min.cleanable.dirty.ratio`, in millionths.
    pub dirty_ppm_min: u32,
    /// `min.compaction.lag.ms`
    pub lag_ms_min: i64,
    /// `max.compaction.lag.ms`
    pub lag_ms_max: i64,
    /// `delete.retention.ms`: how long a tombstone stays after it was first seen by a compaction.
    pub delete_retention_ms: i64,
    /// `log.cleaner.dedupe.buffer.size`: memory for keys.
    pub keys_bytes_max: usize,
}

/// Settings of one log. Every field is named after Kafka's topic or broker property of the same meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment that would grow beyond it is closed first. At most `i32::MAX`.
    pub segment_bytes: u32,
    /// `segment.ms`: age of a segment's first batch at which it is closed.
    pub segment_ms: i64,
    /// `index.interval.bytes`: bytes of log between two index entries.
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`: a segment one of whose indexes is as large is closed.
    pub index_bytes_max: u32,
    /// `max.message.bytes`: the largest batch a leader takes, its 12 bytes of offset and length included.
    pub message_bytes_max: u32,
    /// `flush.messages`: records appended before a sync is due.
    pub flush_messages: u64,
    /// `flush.ms`: age of the oldest unsynced record at which a sync is due.
    pub flush_ms: i64,
    /// `retention.ms`: `None` keeps for ever.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`: `None` keeps everything.
    pub retention_bytes: Option<u64>,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a producer's clock may be behind.
    pub timestamp_before_ms_max: i64,
    /// `message.timestamp.after.max.ms`: how far a producer's clock may be ahead.
    pub timestamp_after_ms_max: i64,
    /// `producer.id.expiration.ms`: idle time after which a producer's state is forgotten.
    pub producer_id_expiration_ms: i64,
    /// How many batches per producer are remembered to recognise a duplicate: Kafka keeps five, and so at most five.
    pub dedup_batches: usize,
    /// Whether holes are allowed.
    pub offset_gaps: OffsetGaps,
    /// `cleanup.policy`
    pub cleanup: Cleanup,
    /// How it is compacted, if it is.
    pub compaction: CompactionConfig,
    /// `compression.type`: what batches are recompressed to; `None` keeps the producer's.
    pub compression: Option<Codec>,
    /// Planted bugs.
    pub bugs: Bugs,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: WEEK_MS,
            index_interval_bytes: 4096,
            index_bytes_max: 10 << 20,
            message_bytes_max: 1024 * 1024 + 12,
            flush_messages: u64::MAX,
            flush_ms: i64::MAX,
            retention_ms: Some(WEEK_MS),
            retention_bytes: None,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_ms_max: i64::MAX,
            timestamp_after_ms_max: 60 * 60 * 1000,
            producer_id_expiration_ms: 24 * 60 * 60 * 1000,
            dedup_batches: 5,
            offset_gaps: OffsetGaps::Refused,
            cleanup: Cleanup { delete: true, compact: false },
            compaction: CompactionConfig {
                dirty_ppm_min: 500_000,
                lag_ms_min: 0,
                lag_ms_max: i64::MAX,
                delete_retention_ms: 24 * 60 * 60 * 1000,
                keys_bytes_max: 128 << 20,
            },
            compression: None,
            bugs: Bugs::NONE,
        }
    }
}

impl LogConfig {
    /// How many batches per producer are remembered.
    pub(super) fn remembered(&self) -> usize {
        if self.bugs.has(Bug::DedupWindowSmall) { 1 } else { self.dedup_batches }
    }
}
