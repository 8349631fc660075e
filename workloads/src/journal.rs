//! The journal of one client process: an append-only file that survives the process's SIGKILL.
//!
//! Entries (`history::journal`) are written into a file mapped MAP_SHARED: once stored they are the kernel's, whatever
//! becomes of the process. A journal is a chain of segments of [`SEGMENT_BYTES`]: `NAME.sgj`, `NAME.1.sgj`, …, each
//! with its blocks reserved before it is mapped, so that a full disk is an error here and never a SIGBUS.
//!
//! **Invariants:** an entry's first word is stored last, with release order, so that whoever reads sees it whole or not
//! at all; an entry never spans two segments; a segment is never written again once its successor exists.
//!
//! Deliberately absent: fsync. A journal survives its process and its controller, not the machine.

#![allow(unsafe_code)] // mapping and storing through the mapping, each with its SAFETY sentence

use crate::clock;
use history::journal::{ENTRY_WORDS, End, Entry, HEADER_WORDS, Header};
use history::{Kind, LogId, Nanos, Offset, Outcome, ProcessId, Record};
use memmap2::{MmapMut, MmapOptions};
use nix::fcntl::posix_fallocate;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a segment, reserved at once.
pub const SEGMENT_BYTES: usize = 4 << 20;
/// Segments of one journal: 64 GiB, some 1.7 thousand million entries.
pub const SEGMENTS_MAX: u32 = 16 * 1024;
/// Records of one [`Entry::Read`]; longer reads are written as several entries.
pub const RECORDS_PER_READ_MAX: usize = 64 * 1024;

const WORD: usize = size_of::<u64>();
const SEGMENT_WORDS: usize = SEGMENT_BYTES / WORD;

/// Why a journal could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("journal {path}: {what}: {source}")]
    Io {
        /// The segment.
        path: PathBuf,
        /// What was attempted.
        what: &'static str,
        /// What it answered.
        source: io::Error,
    },
    /// The file does not begin with a journal's header.
    #[error("journal {path}: byte 0 is not the start of a journal segment")]
    Foreign {
        /// The segment.
        path: PathBuf,
    },
    /// A later segment belongs to another run.
    #[error("journal {path}: belongs to run {found:#x}, not to run {run:#x}")]
    OtherRun {
        /// The segment.
        path: PathBuf,
        /// What it says.
        found: u64,
        /// What was expected.
        run: u64,
    },
    /// An entry longer than [`RECORDS_PER_READ_MAX`] allows, or more than [`SEGMENTS_MAX`] segments.
    #[error("journal {path}: {what} over the limit of {max}")]
    Limit {
        /// The segment.
        path: PathBuf,
        /// What is too large.
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

/// A journal open for writing by any number of threads of one process.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    run: u64,
    tail: Mutex<Tail>,
}

#[derive(Debug)]
struct Tail {
    segment: Segment,
    index: u32,
    /// Next free word.
    at: usize,
}

#[derive(Debug)]
struct Segment {
    map: MmapMut,
    file: File,
}

/// What identifies an operation, apart from its times and its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject {
    /// Who asks.
    pub process: ProcessId,
    /// What for.
    pub kind: Kind,
    /// Of which log.
    pub log: LogId,
    /// See [`Kind`].
    pub detail: u64,
}

/// What is known of an operation after its reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Whether it happened.
    pub outcome: Outcome,
    /// The client's error code, 0 none.
    pub error: i16,
    /// The offset told, or −1.
    pub offset: Offset,
}

impl Answer {
    /// It happened, at `offset`.
    pub fn ok(offset: Offset) -> Answer {
        Answer { outcome: Outcome::Ok, error: 0, offset }
    }

    /// No offset was told, for this reason.
    pub fn error(outcome: Outcome, error: i16) -> Answer {
        Answer { outcome, error, offset: Offset::UNKNOWN }
    }
}

impl Journal {
    /// Creates the journal at `path` (its first segment; must not exist) for `run`.
    pub fn create(path: &Path, run: u64) -> Result<Journal, JournalError> {
        let segment = Segment::create(path, run)?;
        let tail = Tail { segment, index: 0, at: HEADER_WORDS };
        Ok(Journal { path: path.to_owned(), run, tail: Mutex::new(tail) })
    }

    /// The run it belongs to.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Appends an entry. When this returns, the entry survives the process.
    pub fn append(&self, entry: &Entry<'_>) -> Result<(), JournalError> {
        let words = entry.words();
        let mut tail = self.tail();
        if tail.at + words > SEGMENT_WORDS {
            self.next_segment(&mut tail, words)?;
        }
        let at = tail.at;
        tail.segment.store(at, entry);
        tail.at += words;
        Ok(())
    }

    /// Journals that `subject` is about to be asked for, and returns when that was.
    pub fn invoke(&self, subject: Subject, intended: Nanos) -> Result<Nanos, JournalError> {
        let Subject { process, kind, log, detail } = subject;
        let invoked = clock::now();
        self.append(&Entry::Invoke { process, kind, log, detail, invoked, intended })?;
        Ok(invoked)
    }

    /// Journals the reply to an invocation.
    pub fn complete(&self, subject: Subject, answer: Answer) -> Result<(), JournalError> {
        let Subject { process, kind, log, detail } = subject;
        let (Answer { outcome, error, offset }, returned) = (answer, clock::now());
        self.append(&Entry::Return { process, kind, log, detail, returned, outcome, error, offset })
    }

    /// Journals a question that was asked at `invoked`, and its answer.
    pub fn observe(&self, subject: Subject, invoked: Nanos, answer: Answer) -> Result<(), JournalError> {
        let Subject { process, kind, log, detail } = subject;
        let (Answer { outcome, error, offset }, returned) = (answer, clock::now());
        self.append(&Entry::Observe { process, kind, log, detail, invoked, returned, outcome, error, offset })
    }

    /// Journals a read of `records` that was asked for at `invoked`, from the offset in `subject.detail`; in several
    /// entries where there are more than [`RECORDS_PER_READ_MAX`], each of them a window of its own.
    pub fn read(&self, subject: Subject, invoked: Nanos, records: &[Record]) -> Result<(), JournalError> {
        let Subject { process, kind, log, detail } = subject;
        let (outcome, error, returned) = (Outcome::Ok, 0, clock::now());
        let mut from = Offset(detail as i64);
        let mut rest = records;
        loop {
            let (now, later) = rest.split_at(rest.len().min(RECORDS_PER_READ_MAX));
            let words: Vec<u64> = now.iter().flat_map(|r| [r.offset.0 as u64, r.value.0]).collect();
            let records = words.as_slice();
            self.append(&Entry::Read { process, kind, log, from, invoked, returned, outcome, error, records })?;
            let Some(last) = now.last().filter(|_| !later.is_empty()) else { return Ok(()) };
            from = Offset(last.offset.0 + 1);
            rest = later;
        }
    }

    /// Journals a read that got no reply, or an error for one.
    pub fn read_failed(&self, subject: Subject, invoked: Nanos, error: i16) -> Result<(), JournalError> {
        let Subject { process, kind, log, detail } = subject;
        let (from, returned, outcome) = (Offset(detail as i64), clock::now(), Outcome::Unknown);
        self.append(&Entry::Read { process, kind, log, from, invoked, returned, outcome, error, records: &[] })
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_segment(&self, tail: &mut Tail, words: usize) -> Result<(), JournalError> {
        let limit = |what, max| JournalError::Limit { path: self.path.clone(), what, max };
        if words > SEGMENT_WORDS - HEADER_WORDS {
            return Err(limit("records of one read", RECORDS_PER_READ_MAX as u64));
        }
        if tail.index + 1 >= SEGMENTS_MAX {
            return Err(limit("segments", u64::from(SEGMENTS_MAX)));
        }
        tail.segment = Segment::create(&segment_path(&self.path, tail.index + 1), self.run)?;
        tail.index += 1;
        tail.at = HEADER_WORDS;
        Ok(())
    }
}

impl Drop for Journal {
    /// Gives back what the last segment reserved and did not use. Nothing depends on its success.
    fn drop(&mut self) {
        let tail = self.tail.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = tail.segment.file.set_len((tail.at * WORD) as u64);
    }
}

impl Segment {
    fn create(path: &Path, run: u64) -> Result<Segment, JournalError> {
        let failed = |what| move |source| JournalError::Io { path: path.to_owned(), what, source };
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(failed("create"))?;
        if let Err(refused) = posix_fallocate(&file, 0, SEGMENT_BYTES as i64) {
            // Nothing is in it, and its name is wanted again should there be room later.
            let _ = std::fs::remove_file(path);
            return Err(failed("reserve its blocks")(refused.into()));
        }
        // SAFETY: the file was created here under a name of its own and nobody else writes it or cuts it short while it
        // is mapped; its blocks are reserved, so that no store can fail for want of space.
        let map = unsafe { MmapOptions::new().len(SEGMENT_BYTES).map_mut(&file) }.map_err(failed("map"))?;
        let mut segment = Segment { map, file };
        let header = Header { run, mono: clock::now(), wall: clock::wall() }.encode();
        segment.words()[1..HEADER_WORDS].copy_from_slice(&header[1..]);
        segment.publish(0, header[0]);
        Ok(segment)
    }

    fn store(&mut self, at: usize, entry: &Entry<'_>) {
        let end = at + entry.words();
        let first = entry.encode(&mut self.words()[at..end]);
        self.publish(at, first);
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

const _: () = assert!(HEADER_WORDS + ENTRY_WORDS + 2 * RECORDS_PER_READ_MAX <= SEGMENT_WORDS);

#[cfg(test)]
mod tests {
    use super::*;
    use history::Value;

    const APPEND: Subject = Subject { process: ProcessId(3), kind: Kind::Append, log: LogId(1), detail: 5 };

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("client-1.sgj");
        (dir, path)
    }

    fn count(path: &Path) -> (u64, u32, End) {
        let s = read(path, |_| ()).expect("a journal");
        (s.entries, s.segments, s.end)
    }

    #[test]
    fn what_was_appended_is_read_while_the_writer_lives_and_after() {
        let (_dir, path) = place();
        let journal = Journal::create(&path, 7).unwrap();
        journal.invoke(APPEND, Nanos(1)).unwrap();
        journal.complete(APPEND, Answer::ok(Offset(9))).unwrap();
        assert_eq!(count(&path), (2, 1, End::Whole));
        drop(journal);
        assert_eq!(count(&path), (2, 1, End::Whole));
        assert_eq!(path.metadata().unwrap().len(), ((HEADER_WORDS + 2 * ENTRY_WORDS) * WORD) as u64);
    }

    #[test]
    fn a_full_segment_is_followed_by_the_next() {
        let (_dir, path) = place();
        let journal = Journal::create(&path, 7).unwrap();
        let per_segment = ((SEGMENT_WORDS - HEADER_WORDS) / ENTRY_WORDS) as u64;
        for n in 0..2 * per_segment + 1 {
            journal.invoke(Subject { detail: n, ..APPEND }, Nanos(0)).unwrap();
        }
        let mut next = 0;
        let summary = read(&path, |entry| match entry {
            Entry::Invoke { detail, .. } if detail == next => next += 1,
            other => panic!("{other:?} is not invocation {next}"),
        });
        assert_eq!(summary.unwrap().segments, 3);
        assert_eq!(next, 2 * per_segment + 1);
    }

    #[test]
    fn threads_share_a_journal_and_lose_nothing() {
        let (_dir, path) = place();
        let journal = Journal::create(&path, 7).unwrap();
        std::thread::scope(|scope| {
            for process in 0..4 {
                let (journal, process) = (&journal, ProcessId(process));
                scope.spawn(move || {
                    (0..50_000).for_each(|detail| {
                        journal.invoke(Subject { process, detail, ..APPEND }, Nanos(0)).unwrap();
                    })
                });
            }
        });
        let mut next = [0; 4];
        read(&path, |entry| {
            let Entry::Invoke { process, detail, .. } = entry else { panic!("{entry:?}") };
            assert_eq!(detail, next[process.0 as usize]);
            next[process.0 as usize] += 1;
        })
        .unwrap();
        assert_eq!(next, [50_000; 4]);
    }

    #[test]
    fn a_read_too_long_for_one_entry_becomes_adjoining_windows() {
        let (_dir, path) = place();
        let journal = Journal::create(&path, 7).unwrap();
        let total = 2 * RECORDS_PER_READ_MAX + 3;
        let records: Vec<Record> =
            (0..total).map(|n| Record { offset: Offset(100 + n as i64), value: Value(n as u64) }).collect();
        let fetch = Subject { kind: Kind::Fetch, detail: 100, ..APPEND };
        journal.read(fetch, Nanos(1), &records).unwrap();
        journal.read(fetch, Nanos(1), &[]).unwrap();
        let (mut seen, mut windows) = (Vec::new(), Vec::new());
        read(&path, |entry| {
            let Entry::Read { from, records, .. } = entry else { panic!("{entry:?}") };
            windows.push(from.0);
            seen.extend(history::journal::records(records));
        })
        .unwrap();
        let step = RECORDS_PER_READ_MAX as i64;
        assert_eq!(windows, [100, 100 + step, 100 + 2 * step, 100]);
        assert_eq!(seen, records);
    }

    #[test]
    fn a_foreign_file_is_refused_and_one_cut_anywhere_gives_a_prefix() {
        let (_dir, path) = place();
        std::fs::write(&path, b"not a journal at all").unwrap();
        assert!(matches!(read(&path, |_| ()), Err(JournalError::Foreign { .. })));
        std::fs::remove_file(&path).unwrap();
        let journal = Journal::create(&path, 7).unwrap();
        for detail in 0..10 {
            journal.invoke(Subject { detail, ..APPEND }, Nanos(0)).unwrap();
        }
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in (HEADER_WORDS * WORD..whole.len()).step_by(7) {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut next = 0;
            read(&path, |entry| {
                assert!(matches!(entry, Entry::Invoke { detail, .. } if detail == next));
                next += 1;
            })
            .unwrap();
            assert!(next <= 10);
        }
    }

    #[test]
    fn a_successor_killed_while_it_was_made_holds_nothing() {
        let (_dir, path) = place();
        let journal = Journal::create(&path, 7).unwrap();
        journal.invoke(APPEND, Nanos(1)).unwrap();
        for unfinished in [&[][..], &[0; 4096][..]] {
            std::fs::write(segment_path(&path, 1), unfinished).unwrap();
            assert_eq!(count(&path), (1, 1, End::Whole));
        }
    }

    #[test]
    fn a_successor_of_another_run_is_refused() {
        let (_dir, path) = place();
        drop(Journal::create(&path, 7).unwrap());
        drop(Journal::create(&segment_path(&path, 1), 8).unwrap());
        assert!(matches!(read(&path, |_| ()), Err(JournalError::OtherRun { found: 8, run: 7, .. })));
    }

    #[test]
    fn an_existing_journal_is_never_written_over() {
        let (_dir, path) = place();
        drop(Journal::create(&path, 7).unwrap());
        assert!(matches!(Journal::create(&path, 7), Err(JournalError::Io { what: "create", .. })));
    }

    #[test]
    #[ignore = "prints what an event costs; run with --ignored --nocapture"]
    fn the_cost_of_an_event() {
        let (_dir, path) = place();
        let journal = Journal::create(&path, 7).unwrap();
        let (events, start) = (5_000_000, clock::now());
        for detail in 0..events / 2 {
            let subject = Subject { detail, ..APPEND };
            journal.invoke(subject, Nanos(0)).unwrap();
            journal.complete(subject, Answer::ok(Offset(1))).unwrap();
        }
        let spent = clock::now().since(start);
        println!("one thread: {} ns, {} B per event", spent / events, ENTRY_WORDS * WORD);
        let start = clock::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..events / 2).for_each(|n| drop(journal.invoke(Subject { detail: n, ..APPEND }, Nanos(0))))
            });
            scope.spawn(|| (0..events / 2).for_each(|_| drop(journal.complete(APPEND, Answer::ok(Offset(1))))));
        });
        println!("two threads: {} ns per event", clock::now().since(start) / events);
    }
}
