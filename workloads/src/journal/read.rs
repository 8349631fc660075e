//! Reading a journal back, whole or of a client that still writes it.

use super::{JournalError, SEGMENT_BYTES, SEGMENTS_MAX, WORD};
use history::journal::{End, Entry, Header};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file of segment `index` of the journal at `path`: `NAME.sgj`, `NAME.1.sgj`, `NAME.2.sgj` …
pub fn segment_path(path: &Path, index: u32) -> PathBuf {
    match index {
        0 => path.to_owned(),
        n => path.with_extension(format!("{n}.sgj")),
    }
}

/// What was found in a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Of the first segment.
    pub header: Header,
    /// Segments read.
    pub segments: u32,
    /// Entries handed over.
    pub entries: u64,
    /// How the last segment ended.
    pub end: End,
}

/// Reads the journal at `path` from its start, handing every whole entry to `each`, one segment in memory at a time.
///
/// A live writer may go on appending: what it wrote before the call is seen. What stands after a torn entry is not read.
pub fn read(path: &Path, mut each: impl FnMut(Entry<'_>)) -> Result<Summary, JournalError> {
    let mut words = Vec::new();
    let mut found: Option<Summary> = None;
    for index in 0..SEGMENTS_MAX {
        let segment = segment_path(path, index);
        if index > 0 && !segment.exists() {
            break;
        }
        load(&segment, &mut words)?;
        let Some(header) = Header::decode(&words) else {
            if index > 0 {
                break;
            }
            return Err(JournalError::Foreign { path: segment });
        };
        let mut summary = found.unwrap_or(Summary { header, segments: 0, entries: 0, end: End::Whole });
        if header.run != summary.header.run {
            return Err(JournalError::OtherRun { path: segment, found: header.run, run: summary.header.run });
        }
        summary.end = history::journal::decode(&words, |entry| {
            summary.entries += 1;
            each(entry);
        });
        summary.segments += 1;
        found = Some(summary);
        if summary.end != End::Whole {
            break;
        }
    }
    found.ok_or_else(|| JournalError::Foreign { path: path.to_owned() })
}

fn load(path: &Path, words: &mut Vec<u64>) -> Result<(), JournalError> {
    let failed = |what| move |source| JournalError::Io { path: path.to_owned(), what, source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed("open"))?;
    file.take(SEGMENT_BYTES as u64).read_to_end(&mut bytes).map_err(failed("read"))?;
    words.clear();
    words.extend(bytes.chunks_exact(WORD).map(|b| u64::from_le_bytes(b.try_into().expect("chunks are 8 bytes long"))));
    Ok(())
}
