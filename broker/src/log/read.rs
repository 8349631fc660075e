//! Reading whole batches by offset.

use super::batch::{BatchError, Batches};
use super::reader::WalkError;
use super::segment::{Located, Segment};
use super::{Log, LogError, Offset};
use bytes::Bytes;
use std::fs::File;
use std::sync::Arc;
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

/// Whole batches where they stand in a segment's file.
#[derive(Clone, Debug)]
pub struct FileSlice {
    /// The file; it outlives the segment's name.
    pub file: Arc<File>,
    /// Where the first batch begins.
    pub at: u64,
    /// Bytes.
    pub len: usize,
}

impl FileSlice {
    /// Longest one, bytes: what is longer is read into memory.
    pub const BYTES_MAX: usize = 64 << 20;
    /// Below this, reading is cheaper than leaving it where it is.
    const BYTES_MIN: usize = 16 << 10;
}

/// Whole batches.
#[derive(Clone, Debug)]
pub enum Records {
    /// Read.
    Memory(Bytes),
    /// Left where they are.
    File(FileSlice),
}

impl Log {
    /// As [`Log::read`], but what is long stays in its file. Checksums are not looked at.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read_in_place(
        &self,
        from: Offset,
        bytes_max: usize,
        upper_bound: Offset,
        at_least_one: bool,
    ) -> Result<Records, ReadError> {
        match self.first_for(from, upper_bound)? {
            Some((segment, first)) => slice_at(segment, &first, bytes_max, upper_bound, at_least_one),
            None => Ok(Records::Memory(Bytes::new())),
        }
    }

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
        match self.first_for(from, upper_bound)? {
            Some((segment, first)) => read_at(segment, &first, bytes_max, upper_bound, at_least_one),
            None => Ok(Bytes::new()),
        }
    }

    /// Where reading from `from` begins, if there is anything below `upper_bound`.
    fn first_for(&self, from: Offset, upper_bound: Offset) -> Result<Option<(&Segment, Located)>, ReadError> {
        let (start, end) = (self.start_offset(), self.end_offset());
        if from < start || from > end {
            return Err(ReadError::OutOfRange { start, end });
        }
        if from >= upper_bound {
            return Ok(None);
        }
        for segment in self.segments.from(from) {
            if let Some(first) = segment.locate(from).map_err(|error| at(from, error))? {
                return Ok(Some((segment, first)));
            }
        }
        Ok(None)
    }
}

pub(super) fn at(offset: Offset, error: WalkError) -> ReadError {
    match error {
        WalkError::Batch(error) => ReadError::Corrupt { offset, error },
        WalkError::Storage(error) => ReadError::Storage(error),
    }
}

/// How many bytes from `first` on may be read; not yet cut to whole batches.
fn room(
    segment: &Segment,
    first: &Located,
    bytes_max: usize,
    upper_bound: Offset,
    at_least_one: bool,
) -> Result<usize, LogError> {
    if first.header.last_offset() >= upper_bound {
        return Ok(0);
    }
    let limit = match first.header.size() {
        size if size <= bytes_max => bytes_max,
        size if at_least_one => size,
        _ => return Ok(0),
    };
    let available = segment.position_bound(upper_bound)?.saturating_sub(first.position);
    Ok(usize::try_from(available).unwrap_or(usize::MAX).min(limit))
}

/// Batches of `segment` from `first` on, within the limits.
fn read_at(
    segment: &Segment,
    first: &Located,
    bytes_max: usize,
    upper_bound: Offset,
    at_least_one: bool,
) -> Result<Bytes, ReadError> {
    let room = room(segment, first, bytes_max, upper_bound, at_least_one)?;
    if room == 0 {
        return Ok(Bytes::new());
    }
    let mut bytes = segment.read_exact(first.position, room)?;
    bytes.truncate(whole(&bytes, upper_bound));
    Ok(Bytes::from(bytes))
}

/// The same, long ones where they are.
fn slice_at(
    segment: &Segment,
    first: &Located,
    bytes_max: usize,
    upper_bound: Offset,
    at_least_one: bool,
) -> Result<Records, ReadError> {
    let room = room(segment, first, bytes_max, upper_bound, at_least_one)?;
    if !(FileSlice::BYTES_MIN..=FileSlice::BYTES_MAX).contains(&room) {
        return read_at(segment, first, bytes_max, upper_bound, at_least_one).map(Records::Memory);
    }
    let before = first.position + room as u64;
    let end = segment.whole_before(first, before, upper_bound)?;
    let len = usize::try_from(end.saturating_sub(first.position)).unwrap_or(0);
    if len == 0 {
        return Ok(Records::Memory(Bytes::new()));
    }
    Ok(Records::File(FileSlice { file: segment.file().clone(), at: first.position, len }))
}

/// The bytes of the whole batches at the front that lie below `upper_bound`. Damage ends them: whoever reads on from
/// there will be told.
fn whole(bytes: &[u8], upper_bound: Offset) -> usize {
    let batches = Batches::new(bytes).map_while(Result::ok);
    batches.take_while(|batch| batch.header.last_offset() < upper_bound).map(|batch| batch.bytes.len()).sum()
}
