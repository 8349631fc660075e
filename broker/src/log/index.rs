//! The three indexes beside a segment: offset to position, timestamp to offset, and aborted transactions.
//!
//! An index is a sorted file of entries of one size. One that is added to is held in memory and written when its
//! segment is closed; one that is not is searched on disk, so that an idle log costs no memory.
//!
//! **Invariant:** an index is never needed to be right about the log, only to be fast: a segment at or above the
//! recovery point is indexed anew after an unclean stop, and an index that does not fit its segment likewise.
//! Deliberately without preallocation: Kafka's zero tail is taken for what it is, damage, and rebuilt.

use super::LogError;
use bytes::{Buf, BufMut};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The bytes of the largest entry of any index.
const ENTRY_BYTES_MAX: usize = 34;

/// One entry of an index, always encoded in the same number of bytes.
pub(super) trait Entry: Copy {
    /// Its size on disk.
    const BYTES: usize;
    /// Appends it to `out`.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads it off exactly [`Entry::BYTES`] bytes.
    fn decode(bytes: &[u8]) -> Self;
}

/// `.index`: the batch at `position` ends with the record `relative` to the segment's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetEntry {
    pub relative: u32,
    pub position: u32,
}

impl Entry for OffsetEntry {
    const BYTES: usize = 8;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.relative);
        out.put_u32(self.position);
    }

    fn decode(mut bytes: &[u8]) -> OffsetEntry {
        OffsetEntry { relative: bytes.get_u32(), position: bytes.get_u32() }
    }
}

/// `.timeindex`: no record up to the one `relative` to the segment's base is younger than `timestamp_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeEntry {
    pub timestamp_ms: i64,
    pub relative: u32,
}

impl Entry for TimeEntry {
    const BYTES: usize = 12;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_i64(self.timestamp_ms);
        out.put_u32(self.relative);
    }

    fn decode(mut bytes: &[u8]) -> TimeEntry {
        TimeEntry { timestamp_ms: bytes.get_i64(), relative: bytes.get_u32() }
    }
}

/// A sorted file of entries.
#[derive(Debug)]
pub(super) struct Index<E> {
    path: PathBuf,
    entries: Entries<E>,
}

#[derive(Debug)]
enum Entries<E> {
    Resident(Vec<E>),
    OnDisk { file: Arc<File>, count: usize },
}

impl<E: Entry> Index<E> {
    /// An index without entries, in memory.
    pub fn empty(path: PathBuf) -> Index<E> {
        Index { path, entries: Entries::Resident(Vec::new()) }
    }

    /// The index in `path`, on disk; `None` if there is no such file or its size is not one of whole entries.
    pub fn open(path: PathBuf) -> Result<Option<Index<E>>, LogError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LogError::io("open", &path)(error)),
        };
        let bytes = file.metadata().map_err(LogError::io("examine", &path))?.len();
        let (count, rest) = (bytes / E::BYTES as u64, bytes % E::BYTES as u64);
        let count = usize::try_from(count).ok().filter(|_| rest == 0);
        Ok(count.map(|count| Index { path, entries: Entries::OnDisk { file: Arc::new(file), count } }))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        match &self.entries {
            Entries::Resident(entries) => entries.len(),
            Entries::OnDisk { count, .. } => *count,
        }
    }

    /// The entry at `at`, or `None` behind the last.
    pub fn get(&self, at: usize) -> Result<Option<E>, LogError> {
        match &self.entries {
            Entries::Resident(entries) => Ok(entries.get(at).copied()),
            Entries::OnDisk { file, count } if at < *count => {
                let mut buffer = [0; ENTRY_BYTES_MAX];
                let bytes = &mut buffer[..E::BYTES];
                file.read_exact_at(bytes, (at * E::BYTES) as u64).map_err(LogError::io("read", &self.path))?;
                Ok(Some(E::decode(bytes)))
            }
            Entries::OnDisk { .. } => Ok(None),
        }
    }

    /// The last entry.
    pub fn last(&self) -> Result<Option<E>, LogError> {
        self.len().checked_sub(1).map_or(Ok(None), |at| self.get(at))
    }

    /// How many entries come before the first for which `before` no longer holds.
    pub fn partition_point(&self, before: impl Fn(&E) -> bool) -> Result<usize, LogError> {
        if let Entries::Resident(entries) = &self.entries {
            return Ok(entries.partition_point(before));
        }
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle)? {
                Some(entry) if before(&entry) => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The entries in memory, read from the file if need be.
    fn resident(&mut self) -> Result<&mut Vec<E>, LogError> {
        if let Entries::OnDisk { count, .. } = &self.entries {
            let mut bytes = fs::read(&self.path).map_err(LogError::io("read", &self.path))?;
            bytes.truncate(count * E::BYTES);
            self.entries = Entries::Resident(bytes.chunks_exact(E::BYTES).map(E::decode).collect());
        }
        match &mut self.entries {
            Entries::Resident(entries) => Ok(entries),
            Entries::OnDisk { .. } => unreachable!("made resident above"),
        }
    }

    /// Appends an entry, which the caller keeps in order.
    pub fn push(&mut self, entry: E) -> Result<(), LogError> {
        self.resident()?.push(entry);
        Ok(())
    }

    /// Keeps the first `count` entries.
    pub fn truncate(&mut self, count: usize) -> Result<(), LogError> {
        self.resident()?.truncate(count);
        Ok(())
    }

    /// Writes the entries to the file and lets go of them in memory.
    pub fn store(&mut self) -> Result<(), LogError> {
        let Entries::Resident(entries) = &self.entries else { return Ok(()) };
        let mut bytes = Vec::with_capacity(entries.len() * E::BYTES);
        entries.iter().for_each(|entry| entry.encode(&mut bytes));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&self.path)
            .map_err(LogError::io("create", &self.path))?;
        file.write_all(&bytes).map_err(LogError::io("write", &self.path))?;
        self.entries = Entries::OnDisk { file: Arc::new(file), count: entries.len() };
        Ok(())
    }

    /// The file to sync, once stored.
    pub fn file(&self) -> Option<(&Path, &Arc<File>)> {
        match &self.entries {
            Entries::Resident(_) => None,
            Entries::OnDisk { file, .. } => Some((&self.path, file)),
        }
    }

    /// Removes the file, if there is one.
    pub fn remove(&self) -> Result<(), LogError> {
        remove_if_there(&self.path)
    }
}

/// Removes a file; that it is not there is as good.
pub(super) fn remove_if_there(path: &Path) -> Result<(), LogError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LogError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
