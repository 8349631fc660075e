//! One segment of a journal: a file of a fixed length, mapped, its blocks reserved.

#![allow(unsafe_code)] // mapping, and storing through the mapping, each with its SAFETY sentence

use super::{JournalError, SEGMENT_BYTES, SEGMENT_WORDS, WORD};
use crate::clock;
use history::journal::{HEADER_WORDS, Header};
use memmap2::{Advice, MmapMut, MmapOptions};
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, posix_fallocate};
use nix::unistd::linkat;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A segment open for writing.
#[derive(Debug)]
pub(super) struct Segment {
    map: MmapMut,
    file: File,
}

impl Segment {
    /// A new segment of `run`; the file must not exist.
    pub(super) fn create(path: &Path, run: u64) -> Result<Segment, JournalError> {
        // Where the file system can, it has its header before it has its name: nobody reads one without.
        if let Some(made) = Segment::bare(folder_of(path), run).ok().filter(|made| made.name(path)) {
            return Ok(made);
        }
        let failed = |what| move |source| JournalError::Io { path: path.to_owned(), what, source };
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(failed("create"))?;
        // Nothing is in it, and its name is wanted again should there be room later.
        Segment::over(file, path, run).inspect_err(|_| drop(std::fs::remove_file(path)))
    }

    /// A new segment of `run` in `folder` without a name, which nobody sees and which ends with the process; its pages are
    /// in memory, so that no store into it waits for one.
    pub(super) fn unnamed(folder: &Path, run: u64) -> Result<Segment, JournalError> {
        let segment = Segment::bare(folder, run)?;
        // A kernel that cannot (before 5.14) brings each page at its first store.
        let _ = segment.map.advise(Advice::PopulateWrite);
        Ok(segment)
    }

    fn bare(folder: &Path, run: u64) -> Result<Segment, JournalError> {
        let failed = |source| JournalError::Io { path: folder.to_owned(), what: "create", source };
        let mut how = OpenOptions::new();
        how.read(true).write(true).custom_flags(OFlag::O_TMPFILE.bits());
        Segment::over(how.open(folder).map_err(failed)?, folder, run)
    }

    /// Gives an unnamed segment its name, and says whether that was possible; an existing file stays.
    pub(super) fn name(&self, path: &Path) -> bool {
        let unnamed = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        linkat(AT_FDCWD, unnamed.as_str(), AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW).is_ok()
    }

    fn over(file: File, path: &Path, run: u64) -> Result<Segment, JournalError> {
        let failed = |what| move |source| JournalError::Io { path: path.to_owned(), what, source };
        posix_fallocate(&file, 0, SEGMENT_BYTES as i64).map_err(|e| failed("reserve its blocks")(e.into()))?;
        // SAFETY: the file was created here under a name of its own or none, and nobody else writes it or cuts it short while it
        // is mapped; its blocks are reserved, so that no store can fail for want of space.
        let map = unsafe { MmapOptions::new().len(SEGMENT_BYTES).map_mut(&file) }.map_err(failed("map"))?;
        let mut segment = Segment { map, file };
        let header = Header { run, mono: clock::now(), wall: clock::wall() }.encode();
        segment.words()[1..HEADER_WORDS].copy_from_slice(&header[1..]);
        segment.publish(0, header[0]);
        Ok(segment)
    }

    /// Stores an entry of so many words at the word `at`, where it must fit. `encode` writes all but its first word, and
    /// returns that.
    #[inline]
    pub(super) fn store(&mut self, at: usize, words: usize, encode: impl FnOnce(&mut [u64]) -> u64) {
        let first = encode(&mut self.words()[at..at + words]);
        self.publish(at, first);
    }

    /// Gives back the blocks after the word `at`. Nothing depends on its success.
    pub(super) fn cut(&self, at: usize) {
        let _ = self.file.set_len((at * WORD) as u64);
    }

    fn publish(&mut self, at: usize, first: u64) {
        let word: *mut u64 = &mut self.words()[at];
        // SAFETY: `word` is valid, aligned and borrowed for the duration of the store.
        unsafe { AtomicU64::from_ptr(word) }.store(first, Ordering::Release);
    }

    fn words(&mut self) -> &mut [u64] {
        // SAFETY: a mapping is aligned to a page and SEGMENT_BYTES long, every bit pattern is a u64, and the borrow of
        // `self` keeps it exclusive within this process.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast::<u64>(), SEGMENT_WORDS) }
    }
}

/// The folder of a journal's file.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
