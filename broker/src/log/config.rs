//! The settings of a topic that its storage obeys, with Kafka's defaults.

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
    /// The topic is, or ever was, compacted: batches may be missing.
    Allowed,
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
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: WEEK_MS,
            index_interval_bytes: 4096,
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
        }
    }
}
