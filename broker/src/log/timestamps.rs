//! From timestamps to offsets (ListOffsets).

use super::{LeaderEpoch, Log, Offset, ReadError};

/// A record found by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp, milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Epoch it was appended in.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl Log {
    /// The first record whose timestamp is at least `timestamp_ms`.
    ///
    /// # Errors
    /// [`ReadError`]: `Corrupt` or `Storage`.
    pub fn offset_for_timestamp(&self, timestamp_ms: i64) -> Result<Option<TimestampedOffset>, ReadError> {
        let _ = timestamp_ms;
        Ok(None)
    }

    /// The first record with the largest timestamp of the log (KIP-734).
    ///
    /// # Errors
    /// [`ReadError`]: `Corrupt` or `Storage`.
    pub fn max_timestamp(&self) -> Result<Option<TimestampedOffset>, ReadError> {
        Ok(None)
    }
}
