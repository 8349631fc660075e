//! From the client processes' journals to one [`History`].
//!
//! An `Invoke` and its `Return` become one operation, matched by (process, kind, log, detail) over all segments; an
//! `Invoke` alone becomes an operation that nobody knows the end of. **Invariants:** no invocation that was written is
//! lost, whatever killed its writer; the order of segments does not matter; what does not fit is counted as a problem
//! and never stops the merge; memory is what the history takes, 8 bytes an operation for its plan, and the open
//! invocations: segments are read in windows.

use crate::file::{self, FileError, Place, Problem, unread};
use history::journal::{self, ENTRY_WORDS, Entry, HEADER_WORDS, Header};
use history::{History, Kind, LogId, Names, Nanos, Offset, Op, Outcome, ProcessId};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Words of a segment held in memory at once; grows only for an entry that is longer, and never beyond the segment.
const WINDOW_WORDS: usize = if cfg!(test) { 24 } else { 1 << 20 };

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
                let op = Op::invoke(kind, process, log, invoked).with_detail(detail);
                self.invoke((process, kind, log, detail), op, intended);
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
        *op = op.complete(reply.outcome, reply.returned, reply.offset);
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

/// How a segment begins.
enum Start {
    Ours,
    /// Made and never written to.
    Empty,
    Torn(FileError),
    Foreign(FileError),
}

/// A segment read in windows. `words` always begins with the segment's header, as decoding wants it.
struct Segment {
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
    fn open(path: &Path) -> Result<Segment, FileError> {
        let file = file::open(path)?;
        Ok(Segment { path: path.to_owned(), file, words: Vec::new(), bytes: Vec::new(), passed: 0, tail: Vec::new() })
    }

    fn header(&mut self, run: u64) -> Result<Start, FileError> {
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
    fn entries(&mut self, mut each: impl FnMut(Entry<'_>)) -> Result<Option<FileError>, FileError> {
        let mut window = WINDOW_WORDS;
        loop {
            let more = self.fill(window)?;
            let mut taken = 0;
            let end = journal::decode(&self.words, |entry| {
                taken += entry.words();
                each(entry);
            });
            let next = HEADER_WORDS + taken;
            let at_zero = end == journal::End::Whole && next < self.words.len();
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
        let problem = Problem::Truncated(format!("an entry has at least {} bytes", ENTRY_WORDS * 8));
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

#[cfg(test)]
mod tests {
    use super::*;
    use history::{Record, Value};

    const RUN: u64 = 77;

    fn words(entries: &[Entry<'_>]) -> Vec<u64> {
        let mut words = Header { run: RUN, mono: Nanos(1), wall: 2 }.encode().to_vec();
        for entry in entries {
            let at = words.len();
            words.resize(at + entry.words(), 0);
            words[at] = entry.encode(&mut words[at..]);
        }
        words
    }

    fn bytes(entries: &[Entry<'_>]) -> Vec<u8> {
        words(entries).iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn merged(segments: &[Vec<u8>]) -> (Recording, Problems) {
        let dir = tempfile::tempdir().unwrap();
        for (n, segment) in segments.iter().enumerate() {
            fs::write(dir.path().join(format!("{n}.sgj")), segment).unwrap();
        }
        fs::write(dir.path().join("notes.txt"), "not a segment").unwrap();
        merge(dir.path(), Names { run: RUN, ..Names::default() }).unwrap()
    }

    fn invoke(process: u32, detail: u64, at: u64) -> Entry<'static> {
        let (process, kind, log) = (ProcessId(process), Kind::Append, LogId(0));
        Entry::Invoke { process, kind, log, detail, invoked: Nanos(at), intended: Nanos(at - 1) }
    }

    fn reply(process: u32, detail: u64, at: u64) -> Entry<'static> {
        let (process, kind, log, outcome) = (ProcessId(process), Kind::Append, LogId(0), Outcome::Ok);
        Entry::Return {
            process,
            kind,
            log,
            detail,
            returned: Nanos(at),
            outcome,
            error: -5,
            offset: Offset(detail as i64),
        }
    }

    fn read(process: u32, at: u64, records: &[u64]) -> Entry<'_> {
        let (process, kind, log, outcome, error) = (ProcessId(process), Kind::Poll, LogId(0), Outcome::Ok, 0);
        let (invoked, returned) = (Nanos(at), Nanos(at + 1));
        Entry::Read { process, kind, log, from: Offset(0), invoked, returned, outcome, error, records }
    }

    fn observe(at: u64) -> Entry<'static> {
        Entry::Observe {
            process: ProcessId(9),
            kind: Kind::EndOffset,
            log: LogId(0),
            detail: 3,
            invoked: Nanos(at),
            returned: Nanos(at + 1),
            outcome: Outcome::Unknown,
            error: -1,
            offset: Offset(12),
        }
    }

    fn append(process: u32, value: u64, at: u64) -> Op {
        Op::invoke(Kind::Append, ProcessId(process), LogId(0), Nanos(at)).with_detail(value)
    }

    #[test]
    fn an_invocation_and_its_reply_become_one_operation_and_one_alone_stays_open() {
        let (recording, problems) = merged(&[bytes(&[invoke(1, 7, 10), invoke(1, 8, 11), reply(1, 7, 20)])]);
        let ops = [append(1, 7, 10).complete(Outcome::Ok, Nanos(20), Offset(7)), append(1, 8, 11)];
        assert_eq!(recording.history.ops, ops);
        assert_eq!((ops[1].outcome(), ops[1].returned), (Outcome::Unknown, Nanos::NEVER));
        assert_eq!(
            (recording.intended.as_slice(), [0, 1].map(|op| recording.error(op))),
            ([Nanos(9), Nanos(10)].as_slice(), [-5, 0])
        );
        assert!(problems.is_empty());
    }

    #[test]
    fn reads_and_observations_stand_for_themselves() {
        let (recording, problems) = merged(&[bytes(&[read(2, 5, &[0, 7, 1, 8]), read(2, 6, &[]), observe(7)])]);
        let [first, empty, told] = recording.history.ops[..] else { panic!("three operations") };
        let records = [(0, 7), (1, 8)].map(|(offset, value)| Record { offset: Offset(offset), value: Value(value) });
        assert_eq!(
            (recording.history.records_of(&first), recording.history.records_of(&empty)),
            (&records[..], &[][..])
        );
        assert_eq!(
            (told.offset, told.detail, told.outcome(), recording.error(2)),
            (Offset(12), 3, Outcome::Unknown, -1)
        );
        assert!(problems.is_empty());
    }

    #[test]
    fn a_reply_is_found_in_whichever_segment_it_lies() {
        let halves = [bytes(&[reply(1, 7, 20)]), bytes(&[invoke(1, 7, 10)])];
        for segments in [[halves[0].clone(), halves[1].clone()], [halves[1].clone(), halves[0].clone()]] {
            let (recording, problems) = merged(&segments);
            assert_eq!(recording.history.ops, [append(1, 7, 10).complete(Outcome::Ok, Nanos(20), Offset(7))]);
            assert!(problems.is_empty());
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_rest_is_merged() {
        let large = invoke(Op::PROCESS_MAX + 1, 1, 10);
        let entries = [invoke(1, 7, 10), invoke(1, 7, 11), reply(1, 7, 20), reply(1, 7, 21), reply(3, 9, 5), large];
        let (recording, problems) = merged(&[
            bytes(&entries),
            b"something else, and longer than a header of 64 bytes, so that it is read".to_vec(),
        ]);
        assert_eq!(recording.history.ops, [append(1, 7, 10).complete(Outcome::Ok, Nanos(20), Offset(7))]);
        let counts = (problems.invokes_repeated, problems.returns_without_invoke, problems.entries_too_large);
        assert_eq!((counts, problems.foreign.len(), problems.doubtful()), ((1, 2, 1), 1, 4));
        assert!(problems.foreign[0].to_string().ends_with("1.sgj, byte 0: not ours: no journal"));
    }

    #[test]
    fn another_runs_segment_is_foreign() {
        let mut words = words(&[invoke(1, 7, 10)]);
        words[1] = RUN + 1;
        let (recording, problems) = merged(&[words.iter().flat_map(|w| w.to_le_bytes()).collect()]);
        assert_eq!((recording.history.ops.len(), problems.foreign[0].place), (0, Place::Byte(8)));
    }

    #[test]
    fn a_segment_cut_at_any_byte_gives_a_prefix_and_the_byte_where_it_is_torn() {
        let records: Vec<u64> = (0..60).collect();
        let entries = [invoke(1, 7, 10), read(2, 5, &records), reply(1, 7, 20), observe(30), invoke(1, 8, 40)];
        let whole = bytes(&entries);
        let mut ends = vec![HEADER_WORDS * 8];
        ends.extend(entries.iter().scan(HEADER_WORDS * 8, |at, e| {
            *at += e.words() * 8;
            Some(*at)
        }));
        for cut in 0..=whole.len() {
            let (recording, problems) = merged(&[whole[..cut].to_vec()]);
            let passed = ends.iter().filter(|end| **end <= cut).count();
            let expected = [0, 0, 1, 2, 2, 3, 4][passed];
            assert_eq!(recording.history.ops.len(), expected, "cut {cut}");
            let last = *ends.iter().rfind(|end| **end <= cut).unwrap_or(&cut);
            let blank = cut == 0 || whole[last.min(cut)..cut].iter().all(|b| *b == 0) && passed > 0;
            assert_eq!(
                problems.torn.iter().map(|t| t.place).next(),
                (!blank).then_some(Place::Byte(last as u64)),
                "cut {cut}"
            );
        }
    }

    #[test]
    fn a_preallocated_segment_ends_at_its_first_zero() {
        let mut segment = bytes(&[invoke(1, 7, 10)]);
        segment.extend([0; 4096]);
        let (recording, problems) = merged(&[segment, vec![0; 4096], Vec::new()]);
        assert_eq!((recording.history.ops.len(), problems.is_empty()), (1, true));
    }

    #[test]
    fn random_words_after_a_header_are_never_a_panic() {
        let mut state = 1u64;
        for _ in 0..500 {
            let mut words = words(&[invoke(1, 7, 10)]);
            words.extend((0..100).map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                state >> (state >> 58)
            }));
            merged(&[words.iter().flat_map(|w| w.to_le_bytes()).collect()]);
        }
    }
}
