//! One segment file, read in windows: the file may be larger than memory, its writer may have been killed anywhere.

use crate::file::{self, FileError, Place, Problem, unread};
use history::journal::{self, Anchor, Entry, HEADER_WORDS, Header};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Words of a segment held in memory at once; grows only for an entry that is longer, and never beyond the segment.
const WINDOW_WORDS: usize = if cfg!(test) { 24 } else { 1 << 20 };

/// How a segment begins.
pub enum Start {
    /// As a segment of this run.
    Ours,
    /// Made and never written to.
    Empty,
    /// Cut within its header.
    Torn(FileError),
    /// Something else.
    Foreign(FileError),
}

/// A segment read in windows. `words` always begins with the segment's header, as decoding wants it.
pub struct Segment {
    path: PathBuf,
    file: File,
    words: Vec<u64>,
    bytes: Vec<u8>,
    /// Words of the segment before those in the window.
    passed: usize,
    /// Bytes after the last whole word.
    tail: Vec<u8>,
}

impl Segment {
    /// Opens a segment.
    pub fn open(path: &Path) -> Result<Segment, FileError> {
        let file = file::open(path)?;
        Ok(Segment { path: path.to_owned(), file, words: Vec::new(), bytes: Vec::new(), passed: 0, tail: Vec::new() })
    }

    /// Reads its header, once.
    pub fn header(&mut self, run: u64) -> Result<Start, FileError> {
        self.fill(HEADER_WORDS)?;
        let error = |byte, problem| FileError::new(&self.path, Place::Byte(byte), problem);
        if self.words.len() < HEADER_WORDS {
            let bytes = (self.words.len() * 8 + self.tail.len()) as u64;
            let problem = Problem::Truncated(format!("a journal's header has {} bytes", HEADER_WORDS * 8));
            return Ok(if bytes == 0 { Start::Empty } else { Start::Torn(error(bytes, problem)) });
        }
        Ok(match Header::decode(&self.words) {
            Some(header) if header.run == run => Start::Ours,
            Some(header) => Start::Foreign(error(8, Problem::Foreign(format!("of run {:#x}", header.run)))),
            None if self.words.iter().all(|word| *word == 0) => Start::Empty,
            None => Start::Foreign(error(0, Problem::Foreign("no journal".into()))),
        })
    }

    /// Calls `each` for every whole entry and returns where the segment is torn, if it is.
    pub fn entries(&mut self, mut each: impl FnMut(Entry<'_>)) -> Result<Option<FileError>, FileError> {
        let (mut window, mut anchor) = (WINDOW_WORDS, Anchor::default());
        loop {
            let more = self.fill(window)?;
            let (next, whole) = journal::decode_from(&self.words, HEADER_WORDS, &mut anchor, &mut each);
            let taken = next - HEADER_WORDS;
            let at_zero = whole && next < self.words.len();
            if at_zero || !more {
                return Ok(if at_zero || self.is_whole(next) { None } else { Some(self.torn(next)) });
            }
            if taken == 0 {
                window *= 2;
            }
            self.words.drain(HEADER_WORDS..next);
            self.passed += taken;
        }
    }

    fn is_whole(&self, next: usize) -> bool {
        next == self.words.len() && self.tail.iter().all(|byte| *byte == 0)
    }

    fn torn(&self, next: usize) -> FileError {
        let byte = ((self.passed + next) * 8) as u64;
        let problem = Problem::Truncated("no whole entry".into());
        FileError::new(&self.path, Place::Byte(byte), problem)
    }

    /// Reads on until `words` holds `window` words; false at the segment's end.
    fn fill(&mut self, window: usize) -> Result<bool, FileError> {
        let missing = window.saturating_sub(self.words.len()) * 8;
        self.bytes.clear();
        self.bytes.append(&mut self.tail);
        let wanted = missing.saturating_sub(self.bytes.len()) as u64;
        let read = (&mut self.file).take(wanted).read_to_end(&mut self.bytes).map_err(unread(&self.path))? as u64;
        let (words, tail) = self.bytes.as_chunks::<8>();
        self.words.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
        self.tail.extend_from_slice(tail);
        Ok(read == wanted)
    }
}
