//! A segment file as a row of batches, one in memory at a time.
//!
//! **Invariant:** what is read is bounded by the file, never by what a batch claims; after a flaw that hides where the next
//! batch begins there is no next batch.

use super::Flaw;
use super::batch::{HEADER_BYTES, Header};
use crate::file::{self, FileError, unread};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

const READ_BYTES: usize = 1 << 18;

/// Reads a segment.
pub struct SegmentReader {
    path: PathBuf,
    file: BufReader<File>,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
}

/// What stands next in a segment.
pub enum Next<'a> {
    /// A whole batch, at this byte.
    Batch(u64, Header, &'a [u8]),
    /// Bytes that are none, at this byte; nothing after them is read.
    Flaw(u64, Flaw),
}

impl SegmentReader {
    /// Opens a segment.
    pub fn open(path: &Path) -> Result<SegmentReader, FileError> {
        let file = file::open(path)?;
        let end = file.metadata().map_err(unread(path))?.len();
        let file = BufReader::with_capacity(READ_BYTES, file);
        Ok(SegmentReader { path: path.to_owned(), file, at: 0, end, buffer: Vec::new() })
    }

    /// The next batch, or what is wrong there; `None` at the end.
    pub fn step(&mut self) -> Result<Option<Next<'_>>, FileError> {
        if self.at >= self.end {
            return Ok(None);
        }
        let at = self.at;
        match self.header().map_err(unread(&self.path))? {
            Ok(header) => {
                self.at += header.bytes;
                Ok(Some(Next::Batch(at, header, &self.buffer)))
            }
            Err(flaw) => {
                self.at = self.end;
                Ok(Some(Next::Flaw(at, flaw)))
            }
        }
    }

    /// Leaves a whole batch in the buffer.
    fn header(&mut self) -> io::Result<Result<Header, Flaw>> {
        self.buffer.clear();
        self.file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut self.buffer)?;
        let bytes = self.end - self.at;
        Ok(Err(match self.buffer.first_chunk().map(Header::parse) {
            Some(Some(header)) if header.bytes <= bytes => {
                let rest = header.bytes - HEADER_BYTES as u64;
                self.file.by_ref().take(rest).read_to_end(&mut self.buffer)?;
                return Ok(Ok(header));
            }
            Some(None) if self.buffer.iter().all(|byte| *byte == 0) && only_zeros(&mut self.file)? => {
                Flaw::Zeros { bytes }
            }
            Some(None) => Flaw::NotABatch { bytes },
            None | Some(Some(_)) => Flaw::TornBatch { bytes },
        }))
    }
}

fn only_zeros(file: &mut BufReader<File>) -> io::Result<bool> {
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let bytes = bytes.len();
        file.consume(bytes);
    }
}
