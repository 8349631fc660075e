//! From the client processes' journals to one [`History`].
//!
//! An `Invoke` and its `Return` become one operation, matched by (process, kind, log, detail) over all segments; an
//! `Invoke` alone becomes an operation that nobody knows the end of. **Invariants:** no invocation that was written is
//! lost, whatever killed its writer; the order of segments does not matter; what does not fit is counted as a problem
//! and never stops the merge; memory is what the history takes, 8 bytes an operation for its plan, and the open
//! invocations: segments are read in windows.

mod segment;
#[cfg(test)]
mod tests;

use crate::file::{FileError, unread};
use history::journal::{self, Entry};
use history::{History, Kind, LogId, Names, Nanos, Offset, Op, Outcome, ProcessId};
use segment::{Segment, Start};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// A history and what belongs to its operations without being judged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recording {
    /// What is judged.
    pub history: History,
    /// When the load's plan wanted each operation; as long as [`History::ops`].
    pub intended: Vec<Nanos>,
    /// The client's error code, where there was one: (index of the operation, code), by rising index.
    pub errors: Vec<(u32, i16)>,
}

impl Recording {
    /// The client's error code of an operation, 0 none.
    pub fn error(&self, op: usize) -> i16 {
        let found = u32::try_from(op).ok().and_then(|op| self.errors.binary_search_by_key(&op, |e| e.0).ok());
        found.map_or(0, |at| self.errors[at].1)
    }
}

/// What did not fit in the journals of a run.
#[derive(Debug, Default)]
pub struct Problems {
    /// Segments that end in the middle of an entry or of their header.
    pub torn: Vec<FileError>,
    /// Segments of something else, not read.
    pub foreign: Vec<FileError>,
    /// Replies to requests nobody made.
    pub returns_without_invoke: u64,
    /// Requests made again before their reply came; one operation with the first one's time and the first reply.
    pub invokes_repeated: u64,
    /// Entries of processes or reads larger than an operation can carry.
    pub entries_too_large: u64,
}

impl Problems {
    /// True if everything fitted.
    pub fn is_empty(&self) -> bool {
        self.torn.is_empty() && self.foreign.is_empty() && self.doubtful() == 0
    }

    /// Entries that were left out or bent: anything but 0 makes a PASS doubtful. Torn ends are not among them, for a
    /// killed process leaves them and loses nothing that could have reached a broker.
    pub fn doubtful(&self) -> u64 {
        self.returns_without_invoke + self.invokes_repeated + self.entries_too_large
    }
}

/// Merges all segments (`*.sgj`) of a folder, in order of their names.
pub fn merge(journals: &Path, names: Names) -> Result<(Recording, Problems), FileError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(journals).map_err(unread(journals))? {
        let path = entry.map_err(unread(journals))?.path();
        if path.extension().is_some_and(|e| e == "sgj") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut merger = Merger::new(names);
    for path in &paths {
        merger.segment(path)?;
    }
    Ok(merger.finish())
}

/// An effect asked for whose reply has not been seen: process, kind, log, detail.
type Key = (ProcessId, Kind, LogId, u64);

struct Reply {
    key: Key,
    returned: Nanos,
    outcome: Outcome,
    error: i16,
    offset: Offset,
}

struct Merger {
    recording: Recording,
    problems: Problems,
    open: HashMap<Key, usize>,
    early: Vec<Reply>,
}

impl Merger {
    fn new(names: Names) -> Merger {
        let history = History { names, ..History::default() };
        let recording = Recording { history, ..Recording::default() };
        Merger { recording, problems: Problems::default(), open: HashMap::new(), early: Vec::new() }
    }

    fn segment(&mut self, path: &Path) -> Result<(), FileError> {
        let mut segment = Segment::open(path)?;
        match segment.header(self.recording.history.names.run)? {
            Start::Ours => {}
            Start::Empty => return Ok(()),
            Start::Torn(problem) => {
                self.problems.torn.push(problem);
                return Ok(());
            }
            Start::Foreign(problem) => {
                self.problems.foreign.push(problem);
                return Ok(());
            }
        }
        if let Some(torn) = segment.entries(|entry| self.entry(entry))? {
            self.problems.torn.push(torn);
        }
        Ok(())
    }

    fn entry(&mut self, entry: Entry<'_>) {
        match entry {
            Entry::Invoke { process, kind, log, detail, invoked, intended } => {
                let mut op = Op::invoke(kind, process, log, invoked).with_detail(detail);
                let mut wanted = intended;
                if kind == Kind::Commit {
                    (op.offset, wanted) = (Offset(intended.0 as i64), invoked);
                }
                self.invoke((process, kind, log, detail), op, wanted);
            }
            Entry::Return { process, kind, log, detail, returned, outcome, error, offset } => {
                let reply = Reply { key: (process, kind, log, detail), returned, outcome, error, offset };
                self.reply(reply);
            }
            Entry::Read { process, kind, log, from, invoked, returned, outcome, error, records } => {
                let op = Op::invoke(kind, process, log, invoked).complete(outcome, returned, from);
                self.read(op, error, records);
            }
            Entry::Observe { process, kind, log, detail, invoked, returned, outcome, error, offset } => {
                let op = Op::invoke(kind, process, log, invoked).complete(outcome, returned, offset);
                self.push(op.with_detail(detail), process, invoked, error);
            }
        }
    }

    fn invoke(&mut self, key: Key, op: Op, intended: Nanos) {
        if self.open.contains_key(&key) {
            self.problems.invokes_repeated += 1;
        } else if let Some(at) = self.push(op, key.0, intended, 0) {
            self.open.insert(key, at);
        }
    }

    fn reply(&mut self, reply: Reply) {
        let Some(at) = self.open.remove(&reply.key) else {
            self.early.push(reply);
            return;
        };
        let op = &mut self.recording.history.ops[at];
        let offset = if reply.key.1 == Kind::Commit { op.offset } else { reply.offset };
        *op = op.complete(reply.outcome, reply.returned, offset);
        self.note(at, reply.error);
    }

    fn read(&mut self, op: Op, error: i16, words: &[u64]) {
        if words.len() / 2 > Op::RECORDS_MAX {
            self.problems.entries_too_large += 1;
            return;
        }
        let start = self.recording.history.records.len();
        self.recording.history.records.extend(journal::records(words));
        self.push(op.with_records(start, words.len() / 2), op.process(), op.invoked, error);
    }

    fn push(&mut self, op: Op, process: ProcessId, intended: Nanos, error: i16) -> Option<usize> {
        let at = self.recording.history.ops.len();
        if process.0 > Op::PROCESS_MAX || at >= u32::MAX as usize {
            self.problems.entries_too_large += 1;
            return None;
        }
        self.recording.history.ops.push(op);
        self.recording.intended.push(intended);
        self.note(at, error);
        Some(at)
    }

    fn note(&mut self, at: usize, error: i16) {
        if error != 0 {
            self.recording.errors.push((at as u32, error));
        }
    }

    fn finish(mut self) -> (Recording, Problems) {
        for reply in std::mem::take(&mut self.early) {
            self.reply(reply);
        }
        self.problems.returns_without_invoke = self.early.len() as u64;
        self.recording.errors.sort_unstable();
        (self.recording, self.problems)
    }
}
