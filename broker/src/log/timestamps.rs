//! From timestamps to offsets (ListOffsets).

use super::batch::Batch;
use super::read::at;
use super::reader::WALK_BYTES;
use super::segment::Segment;
use super::{LeaderEpoch, Log, Offset, ReadError, records};

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
    /// The first record whose timestamp is at least `timestamp_ms`. A batch whose records cannot be read is answered
    /// by its first offset.
    ///
    /// # Errors
    /// [`ReadError`]: `Corrupt` or `Storage`.
    pub fn offset_for_timestamp(&self, timestamp_ms: i64) -> Result<Option<TimestampedOffset>, ReadError> {
        let wanted = |segment: &&Segment| {
            segment.end() > self.start && segment.largest().is_some_and(|largest| largest.timestamp_ms >= timestamp_ms)
        };
        for segment in self.segments.iter().filter(wanted) {
            if let Some(found) = self.find_in(segment, timestamp_ms)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record with the largest timestamp of the log (KIP-734).
    ///
    /// # Errors
    /// [`ReadError`]: `Corrupt` or `Storage`.
    pub fn max_timestamp(&self) -> Result<Option<TimestampedOffset>, ReadError> {
        let mut largest = None;
        for segment in self.segments.iter().filter(|segment| segment.end() > self.start) {
            largest = largest.max(self.largest_of(segment)?);
        }
        largest.map_or(Ok(None), |timestamp_ms| self.offset_for_timestamp(timestamp_ms))
    }

    /// The largest timestamp of the segment's batches that reach above the start of the log.
    fn largest_of(&self, segment: &Segment) -> Result<Option<i64>, ReadError> {
        match segment.largest() {
            None => return Ok(None),
            Some(largest) if largest.offset >= self.start => return Ok(Some(largest.timestamp_ms)),
            Some(_) => {}
        }
        let mut largest = None;
        let mut reader = segment.reader(0, WALK_BYTES);
        while let Some(header) = reader.header_before_damage()? {
            let timestamp_ms =
                Some(header.max_timestamp).filter(|time| *time >= 0 && header.last_offset() >= self.start);
            largest = largest.max(timestamp_ms);
            reader.skip(&header);
        }
        Ok(largest)
    }

    fn find_in(&self, segment: &Segment, timestamp_ms: i64) -> Result<Option<TimestampedOffset>, ReadError> {
        let mut reader = segment.reader(segment.position_of_timestamp(timestamp_ms)?, WALK_BYTES);
        while let Some(header) = reader.header().map_err(|error| at(segment.base(), error))? {
            if header.max_timestamp >= timestamp_ms && header.last_offset() >= self.start {
                let bytes = segment.read_exact(reader.position(), header.size())?;
                let batch = Batch::first(&bytes).map_err(|error| at(header.base_offset, error.into()))?;
                if let Some(found) = self.find_among(&batch, timestamp_ms) {
                    return Ok(Some(found));
                }
            }
            reader.skip(&header);
        }
        Ok(None)
    }

    fn find_among(&self, batch: &Batch<'_>, timestamp_ms: i64) -> Option<TimestampedOffset> {
        let leader_epoch = batch.header.leader_epoch();
        let Some(plain) = records::decompressed(batch) else {
            let offset = batch.header.base_offset.max(self.start);
            return Some(TimestampedOffset { offset, timestamp_ms: batch.header.max_timestamp, leader_epoch });
        };
        let mut records = records::records(batch, &plain);
        let record = records.find(|record| record.timestamp_ms >= timestamp_ms && record.offset >= self.start)?;
        Some(TimestampedOffset { offset: record.offset, timestamp_ms: record.timestamp_ms, leader_epoch })
    }
}
