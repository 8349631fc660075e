//! Reading through a segment's file from a position on, in chunks, batch by batch.
//!
//! **Invariant:** memory is bounded by the chunk, whatever lengths the file claims: a batch larger than that has its
//! CRC computed piece by piece and is never held.

use super::LogError;
use super::batch::{BatchError, CRC_START, HEADER_BYTES, Header};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use thiserror::Error;

/// Enough to look at headers.
pub(super) const WALK_BYTES: usize = 4096;
/// Enough to read everything.
pub(super) const SCAN_BYTES: usize = 256 * 1024;

/// Why no batch could be read.
#[derive(Debug, Error)]
pub(super) enum WalkError {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Storage(#[from] LogError),
}

/// A cursor over `position..end` of a file.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    file: &'a File,
    path: &'a Path,
    position: u64,
    end: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
    chunk_bytes_max: usize,
}

impl<'a> Reader<'a> {
    pub fn new(file: &'a File, path: &'a Path, range: std::ops::Range<u64>, chunk_bytes_max: usize) -> Reader<'a> {
        let (position, end) = (range.start, range.end);
        Reader { file, path, position, end, chunk: Vec::new(), chunk_at: position, chunk_bytes_max }
    }

    /// Where the next batch begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes from the position to the end.
    fn left(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }

    /// At most `bytes` (not above the chunk size) from the position on; fewer only at the end.
    fn peek(&mut self, bytes: usize) -> Result<&[u8], LogError> {
        let want = usize::try_from(self.left()).unwrap_or(usize::MAX).min(bytes);
        let held = self.chunk_at..self.chunk_at + self.chunk.len() as u64;
        if self.position < held.start || self.position + want as u64 > held.end {
            self.refill()?;
        }
        let from = usize::try_from(self.position - self.chunk_at).unwrap_or(usize::MAX);
        let to = (from + want).min(self.chunk.len());
        Ok(self.chunk.get(from..to).unwrap_or_default())
    }

    fn refill(&mut self) -> Result<(), LogError> {
        let want = usize::try_from(self.left()).unwrap_or(usize::MAX).min(self.chunk_bytes_max);
        self.chunk.resize(want, 0);
        self.chunk_at = self.position;
        let mut filled = 0;
        while filled < want {
            match self.file.read_at(&mut self.chunk[filled..], self.position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LogError::io("read", self.path)(error)),
            }
        }
        self.chunk.truncate(filled);
        Ok(())
    }

    /// The header at the position, if the whole batch is there; `None` at the end. Does not move.
    pub fn header(&mut self) -> Result<Option<Header>, WalkError> {
        let left = self.left();
        if left == 0 {
            return Ok(None);
        }
        let header = Header::parse(self.peek(HEADER_BYTES)?)?;
        if header.size() as u64 > left {
            let have = usize::try_from(left).unwrap_or(usize::MAX);
            return Err(BatchError::Incomplete { have, need: header.size() }.into());
        }
        Ok(Some(header))
    }

    /// As [`Reader::header`], but damage is the end.
    pub fn header_before_damage(&mut self) -> Result<Option<Header>, LogError> {
        match self.header() {
            Ok(header) => Ok(header),
            Err(WalkError::Batch(_)) => Ok(None),
            Err(WalkError::Storage(error)) => Err(error),
        }
    }

    /// The whole batch at the position, into `bytes`, and passes over it.
    pub fn read_batch(&mut self, header: &Header, bytes: &mut Vec<u8>) -> Result<(), LogError> {
        bytes.resize(header.size(), 0);
        self.file.read_exact_at(bytes, self.position).map_err(LogError::io("read", self.path))?;
        self.skip(header);
        Ok(())
    }

    /// Passes over the batch at the position.
    pub fn skip(&mut self, header: &Header) {
        self.position += header.size() as u64;
    }

    /// Passes over the batch at the position after checking its CRC. On an error the position has not moved.
    pub fn check(&mut self, header: &Header) -> Result<(), WalkError> {
        let start = self.position;
        let end = start + header.size() as u64;
        self.position += CRC_START as u64;
        let mut computed = 0;
        while self.position < end {
            let rest = usize::try_from(end - self.position).unwrap_or(usize::MAX);
            let part = self.peek(rest.min(self.chunk_bytes_max))?;
            if part.is_empty() {
                let have = usize::try_from(self.position - start).unwrap_or(usize::MAX);
                self.position = start;
                return Err(BatchError::Incomplete { have, need: header.size() }.into());
            }
            computed = crc32c::crc32c_append(computed, part);
            self.position += part.len() as u64;
        }
        header.fits_crc(computed).inspect_err(|_| self.position = start)?;
        Ok(())
    }
}
