//! Reading whole batches by offset.

use super::batch::{BatchError, Batches};
use super::reader::WalkError;
use super::segment::{Located, Segment};
use super::{Log, LogError, Offset};
use bytes::Bytes;
use thiserror::Error;

/// Why a read gave nothing.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The offset is not in the log (OFFSET_OUT_OF_RANGE).
    #[error("offset is outside {start}..{end}")]
    OutOfRange {
        /// First offset of the log.
        start: Offset,
        /// Offset after its last.
        end: Offset,
    },
    /// The bytes on disk at this offset are no batch (CORRUPT_MESSAGE): they changed after they were written.
    #[error("offset {offset}: {error}")]
    Corrupt {
        /// Where the log is damaged.
        offset: Offset,
        /// How.
        error: BatchError,
    },
    /// The disk failed (KAFKA_STORAGE_ERROR).
    #[error(transparent)]
    Storage(#[from] LogError),
}

impl Log {
    /// Whole batches from the one that holds `from` on, out of one segment: at most `bytes_max` bytes, none with a
    /// record at or past `upper_bound`. With `at_least_one` the first batch comes whole even above the limit (KIP-74).
    /// Empty if there is nothing to read; the first batch may begin before `from`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(
        &self,
        from: Offset,
        bytes_max: usize,
        upper_bound: Offset,
        at_least_one: bool,
    ) -> Result<Bytes, ReadError> {
        let (start, end) = (self.start_offset(), self.end_offset());
        if from < start || from > end {
            return Err(ReadError::OutOfRange { start, end });
        }
        if from >= upper_bound {
            return Ok(Bytes::new());
        }
        for segment in self.segments.from(from) {
            if let Some(first) = segment.locate(from).map_err(|error| at(from, error))? {
                return read_at(segment, &first, bytes_max, upper_bound, at_least_one);
            }
        }
        Ok(Bytes::new())
    }
}

pub(super) fn at(offset: Offset, error: WalkError) -> ReadError {
    match error {
        WalkError::Batch(error) => ReadError::Corrupt { offset, error },
        WalkError::Storage(error) => ReadError::Storage(error),
    }
}

/// Batches of `segment` from `first` on, within the limits.
fn read_at(
    segment: &Segment,
    first: &Located,
    bytes_max: usize,
    upper_bound: Offset,
    at_least_one: bool,
) -> Result<Bytes, ReadError> {
    if first.header.last_offset() >= upper_bound {
        return Ok(Bytes::new());
    }
    let limit = match first.header.size() {
        size if size <= bytes_max => bytes_max,
        size if at_least_one => size,
        _ => return Ok(Bytes::new()),
    };
    let available = segment.position_bound(upper_bound)?.saturating_sub(first.position);
    let len = usize::try_from(available).unwrap_or(usize::MAX).min(limit);
    let mut bytes = segment.read_exact(first.position, len)?;
    bytes.truncate(whole(&bytes, upper_bound));
    Ok(Bytes::from(bytes))
}

/// The bytes of the whole batches at the front that lie below `upper_bound`. Damage ends them: whoever reads on from
/// there will be told.
fn whole(bytes: &[u8], upper_bound: Offset) -> usize {
    let batches = Batches::new(bytes).map_while(Result::ok);
    batches.take_while(|batch| batch.header.last_offset() < upper_bound).map(|batch| batch.bytes.len()).sum()
}
