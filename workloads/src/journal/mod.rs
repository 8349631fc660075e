//! The journal of one client process: an append-only file that survives the process's SIGKILL.
//!
//! Entries (`history::journal`) are written into a file mapped MAP_SHARED: once stored they are the kernel's, whatever
//! becomes of the process. A journal is a chain of segments of [`SEGMENT_BYTES`]: `NAME.sgj`, `NAME.1.sgj`, …, each
//! with its blocks reserved before it is mapped, so that a full disk is an error here and never a SIGBUS.
//!
//! **Invariants:** an entry's first word is stored last, with release order, so that whoever reads sees it whole or not
//! at all; an entry never spans two segments; a segment is never written again once its successor has its name. Entries in
//! brief (`history::journal::Anchor`, `Run`) say the same as whole ones, and lean on nothing outside their segment.
//!
//! Deliberately absent: fsync. A journal survives its process and its controller, not the machine.

mod ahead;
mod read;
mod segment;
#[cfg(test)]
mod tests;

pub use read::{Summary, read, segment_path};

use crate::clock;
use ahead::Ahead;
use history::journal::{Anchor, ENTRY_WORDS, Entry, HEADER_WORDS, RUN_WORDS, Run};
use history::{Kind, LogId, Nanos, Offset, Outcome, ProcessId, Record};
use segment::Segment;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Bytes of a segment, reserved at once.
pub const SEGMENT_BYTES: usize = 4 << 20;
/// Segments of one journal: 64 GiB, some 1.7 thousand million entries.
pub const SEGMENTS_MAX: u32 = 16 * 1024;
/// Records of one [`Entry::Read`]; longer reads are written as several entries.
pub const RECORDS_PER_READ_MAX: usize = 64 * 1024;

const WORD: usize = size_of::<u64>();
const SEGMENT_WORDS: usize = SEGMENT_BYTES / WORD;
/// Where a segment's successor is asked for.
const HALF_WORDS: usize = SEGMENT_WORDS / 2;
const _: () = assert!(HEADER_WORDS + ENTRY_WORDS + 2 * RECORDS_PER_READ_MAX <= SEGMENT_WORDS);

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
    /// None where nothing is recorded.
    tail: Option<Mutex<Tail>>,
}

#[derive(Debug)]
struct Tail {
    segment: Segment,
    index: u32,
    /// Next free word.
    at: usize,
    /// What must happen before an entry ends beyond this word: [`HALF_WORDS`] the successor is asked for,
    /// [`SEGMENT_WORDS`] it takes over.
    mark: usize,
    /// Of this segment.
    anchor: Anchor,
    ahead: Ahead,
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
        let ahead = Ahead::new(path, run);
        let tail = Tail { segment, index: 0, at: HEADER_WORDS, mark: HALF_WORDS, anchor: Anchor::default(), ahead };
        Ok(Journal { path: path.to_owned(), run, tail: Some(Mutex::new(tail)) })
    }

    /// A journal that records nothing: to measure what recording costs, and for nothing else.
    pub fn absent(run: u64) -> Journal {
        Journal { path: PathBuf::new(), run, tail: None }
    }

    /// The run it belongs to.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Appends an entry. When this returns, the entry survives the process.
    pub fn append(&self, entry: &Entry<'_>) -> Result<(), JournalError> {
        let Some(tail) = &self.tail else { return Ok(()) };
        self.put(&mut tail.lock().unwrap_or_else(PoisonError::into_inner), entry)
    }

    #[inline]
    fn put(&self, tail: &mut Tail, entry: &Entry<'_>) -> Result<(), JournalError> {
        // Room for the longer form, so that what it leans on is in the segment it goes to.
        let words = entry.words();
        self.room(tail, words)?;
        match tail.anchor.brief(entry) {
            Some(word) => tail.store(1, |_| word),
            None => tail.store(words, |out| entry.encode(out)),
        }
        Ok(())
    }

    #[inline]
    fn room(&self, tail: &mut Tail, words: usize) -> Result<(), JournalError> {
        if tail.at + words > tail.mark { self.make_room(tail, words) } else { Ok(()) }
    }

    /// Journals that `subject` is about to be asked for, and returns when that was.
    pub fn invoke(&self, subject: Subject, intended: Nanos) -> Result<Nanos, JournalError> {
        let invoked = clock::now();
        self.invoke_at(subject, invoked, intended)?;
        Ok(invoked)
    }

    /// As [`Journal::invoke`], by a clock read a little earlier: an invocation may be older than it was, never younger.
    pub fn invoke_at(&self, subject: Subject, invoked: Nanos, intended: Nanos) -> Result<(), JournalError> {
        let Subject { process, kind, log, detail } = subject;
        self.append(&Entry::Invoke { process, kind, log, detail, invoked, intended })
    }

    /// Journals the reply to an invocation.
    pub fn complete(&self, subject: Subject, answer: Answer) -> Result<(), JournalError> {
        self.complete_all(&[(subject, answer)])
    }

    /// Journals replies that have all been parsed, under one time: a reply may be younger than it was, never older.
    pub fn complete_all(&self, replies: &[(Subject, Answer)]) -> Result<(), JournalError> {
        let Some(tail) = &self.tail else { return Ok(()) };
        let returned = clock::now();
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = replies;
        while let Some((first, later)) = rest.split_first() {
            rest = match run_at(rest, returned) {
                Some(run) => {
                    self.room(&mut tail, RUN_WORDS)?;
                    tail.store(RUN_WORDS, |out| run.encode(out));
                    &rest[run.count..]
                }
                None => {
                    let (Subject { process, kind, log, detail }, Answer { outcome, error, offset }) = *first;
                    let entry = Entry::Return { process, kind, log, detail, returned, outcome, error, offset };
                    self.put(&mut tail, &entry)?;
                    later
                }
            };
        }
        Ok(())
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

    #[cold]
    fn make_room(&self, tail: &mut Tail, words: usize) -> Result<(), JournalError> {
        if tail.mark < SEGMENT_WORDS {
            tail.ahead.ask();
            tail.mark = SEGMENT_WORDS;
        }
        match tail.at + words > SEGMENT_WORDS {
            true => self.next_segment(tail, words),
            false => Ok(()),
        }
    }

    fn next_segment(&self, tail: &mut Tail, words: usize) -> Result<(), JournalError> {
        let limit = |what, max| JournalError::Limit { path: self.path.clone(), what, max };
        if words > SEGMENT_WORDS - HEADER_WORDS {
            return Err(limit("records of one read", RECORDS_PER_READ_MAX as u64));
        }
        if tail.index + 1 >= SEGMENTS_MAX {
            return Err(limit("segments", u64::from(SEGMENTS_MAX)));
        }
        let path = segment_path(&self.path, tail.index + 1);
        let successor = match tail.ahead.take() {
            Some(made) if made.name(&path) => made,
            _ => Segment::create(&path, self.run)?,
        };
        tail.ahead.retire(std::mem::replace(&mut tail.segment, successor));
        tail.index += 1;
        (tail.at, tail.mark, tail.anchor) = (HEADER_WORDS, HALF_WORDS, Anchor::default());
        Ok(())
    }
}

impl Tail {
    #[inline]
    fn store(&mut self, words: usize, encode: impl FnOnce(&mut [u64]) -> u64) {
        self.segment.store(self.at, words, encode);
        self.at += words;
    }
}

/// The run of two or more that `replies` start with, if they do.
fn run_at(replies: &[(Subject, Answer)], returned: Nanos) -> Option<Run> {
    let (Subject { process, log, detail, .. }, Answer { offset, .. }) = *replies.first()?;
    let alike = replies.iter().take_while(|(subject, answer)| {
        let same = subject.kind == Kind::Append && subject.process == process && subject.log == log;
        same && answer.outcome == Outcome::Ok && answer.error == 0
    });
    let (count, step) = Run::reach(alike.map(|(subject, answer)| (subject.detail, answer.offset)));
    (count > 1).then_some(Run { process, log, returned, count, detail, step, offset })
}

impl Drop for Journal {
    /// Gives back what the last segment reserved and did not use. Nothing depends on its success.
    fn drop(&mut self) {
        if let Some(tail) = &mut self.tail {
            let tail = tail.get_mut().unwrap_or_else(PoisonError::into_inner);
            tail.segment.cut(tail.at);
        }
    }
}
