//! A foreign history of logs, as it is read: operations of ours, with values still under the names the file gives them.
//!
//! A file without processes that read every log from start to end after the heal lacks what "lost" is decided by. In its
//! place its successful readers are taken together, as Jepsen's Kafka checker does: what they passed over and nobody got is
//! gone. They stand in the history as one more process, [`READERS`], whose windows are the readers' reads. It reached a
//! log's end only if every acknowledged record was read, or if a reader that was given the log after the last
//! acknowledgement read on to where it got nothing more. **Invariants:** limits on operations, records and processes; no
//! record is stored twice.

use super::error::ReadError;
use super::readers::{Readers, Tail};
use super::values::{Named, Origin, Raw, Slot, Values};
use crate::file::Place;
use history::{History, Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, ProcessName, Record, Role, Value};
use std::collections::HashMap;

/// The process that stands for all readers together.
pub const READERS: &str = "all readers together";
/// Most operations of a file.
pub const OPS_MAX: usize = 100_000_000;
/// Most records read in a file.
pub const RECORDS_MAX: usize = 200_000_000;

/// Where a reader without a position is taken to begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// At offset 0, whatever it got first: every reader begins at the earliest record.
    Earliest,
    /// At what it got first.
    FirstRead,
}

/// A history of logs that was read.
#[derive(Debug)]
pub struct Logs {
    /// Operations and names, values ours.
    pub history: History,
    /// What the readers together went over, as operations of a process that is not yet in the names.
    pub readers: Vec<Op>,
    /// Ours to the file's.
    pub names: Named,
    /// Acknowledged records that no successful read returned.
    pub unread: Vec<Unread>,
    /// Operations as the file counts them.
    pub operations: u64,
    /// Readers were given logs by the group, which may move them at any time.
    pub subscribed: bool,
    /// Times are of one clock and enclose the operations.
    pub timed: bool,
    /// What the reader of the verdict must know of the file.
    pub notes: Vec<String>,
}

/// An acknowledged record that no successful read returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unread {
    /// Its append.
    pub append: Op,
    /// A value of the same log that was read, and whose append was invoked after this one's acknowledgement: it stands
    /// later in the log, so readers passed over this one.
    pub passed_for: Option<Value>,
}

/// What is being read.
pub struct Builder {
    history: History,
    readers: Vec<Op>,
    values: Values,
    ways: Readers,
    logs: HashMap<Box<str>, LogId>,
    processes: HashMap<Box<str>, ProcessId>,
    start: Start,
    place: Place,
    writers_from: u32,
    drained: bool,
    latest: Nanos,
    /// By log, when its last append was acknowledged.
    acked: HashMap<LogId, Nanos>,
    /// Counted by those who know.
    pub operations: u64,
    /// Set by those who know.
    pub subscribed: bool,
    /// Set by those who know.
    pub timed: bool,
    /// See [`Logs::notes`].
    pub notes: Vec<String>,
}

impl Builder {
    /// Nothing yet.
    pub fn new(start: Start) -> Builder {
        Builder {
            history: History::default(),
            readers: Vec::new(),
            values: Values::default(),
            ways: Readers::default(),
            logs: HashMap::new(),
            processes: HashMap::new(),
            start,
            place: Place::Whole,
            writers_from: 0,
            drained: false,
            latest: Nanos(0),
            acked: HashMap::new(),
            operations: 0,
            subscribed: false,
            timed: true,
            notes: Vec::new(),
        }
    }

    /// What follows was read at `place`.
    pub fn at(&mut self, place: Place) {
        self.place = place;
    }

    /// An error here.
    pub fn fault(&self, what: impl Into<String>) -> ReadError {
        ReadError::malformed(self.place, what)
    }

    /// The log of this name.
    pub fn log(&mut self, name: &str) -> LogId {
        if let Some(log) = self.logs.get(name) {
            return *log;
        }
        let log = LogId(self.history.names.logs.len() as u32);
        self.history.names.logs.push(name.to_owned());
        self.logs.insert(name.into(), log);
        log
    }

    /// The process of this name.
    ///
    /// # Errors
    /// More processes than an operation can name.
    pub fn process(&mut self, name: &str, role: Role) -> Result<ProcessId, ReadError> {
        if let Some(process) = self.processes.get(name) {
            return Ok(*process);
        }
        let processes = &mut self.history.names.processes;
        if processes.len() as u32 >= Op::PROCESS_MAX {
            return Err(self.fault(format!("more than {} processes", Op::PROCESS_MAX)));
        }
        let process = ProcessId(processes.len() as u32);
        processes.push(ProcessName { name: name.to_owned(), role, writer: None });
        self.processes.insert(name.into(), process);
        self.drained |= role == Role::Drain;
        Ok(process)
    }

    /// The names, for those whose file has them.
    pub fn names_mut(&mut self) -> &mut history::Names {
        &mut self.history.names
    }

    /// Readers' positions.
    pub fn ways(&mut self) -> &mut Readers {
        &mut self.ways
    }

    /// An append of `raw`, which is unique in `domain`. `settled`: its acknowledgement is for good (no open transaction).
    pub fn append(
        &mut self,
        op: Op,
        (domain, raw): (u32, Raw),
        sequence: Option<u64>,
        settled: bool,
    ) -> Result<(), ReadError> {
        if let Raw::Own(value) = raw {
            self.writers_from = self.writers_from.max(value.writer().0.saturating_add(1));
        }
        let slot = self.values.slot(domain, raw);
        self.values.appended(slot, self.history.ops.len() as u32, op.process(), sequence);
        if op.outcome() == Outcome::Ok {
            self.values.slots[slot as usize].acked |= settled;
            let acked = self.acked.entry(op.log).or_insert(op.returned);
            *acked = op.returned.max(*acked);
        }
        self.push(op.with_detail(u64::from(slot)))
    }

    /// A read. `domain` of its values; only one that `counts` moves its reader on and shows what is there.
    pub fn read(&mut self, op: Op, domain: u32, records: Vec<(i64, Raw)>, counts: bool) -> Result<(), ReadError> {
        let start = self.history.records.len();
        if records.len() > Op::RECORDS_MAX || start + records.len() > RECORDS_MAX {
            return Err(self.fault(format!("more than {RECORDS_MAX} records, or {} in one read", Op::RECORDS_MAX)));
        }
        let count = records.len();
        for (offset, raw) in records {
            if let Raw::Own(value) = raw {
                self.writers_from = self.writers_from.max(if value.is_ordinary() { value.writer().0 + 1 } else { 0 });
            }
            let slot = self.values.slot(domain, raw);
            self.values.slots[slot as usize].read |= counts;
            self.history.records.push(Record { offset: Offset(offset), value: Value(u64::from(slot)) });
        }
        if counts && op.kind() == Kind::Poll {
            self.went_over(&op, start, count);
        }
        self.push(op.with_records(start, count))
    }

    /// Adds a read's records to what the readers together went over, a window for each rising stretch.
    fn went_over(&mut self, op: &Op, start: usize, count: usize) {
        let records = &self.history.records[start..start + count];
        let Some(last) = records.last() else { return };
        let stood = self.ways.read(op.process(), op.log, last.offset.0);
        let mut at = start;
        for (i, run) in records.chunk_by(|a, b| a.offset < b.offset).enumerate() {
            let first = run[0].offset.0;
            let from = match (self.start, stood) {
                (_, Some(next)) if i == 0 && next <= first => next,
                (Start::Earliest, None) if i == 0 => 0,
                _ => first,
            };
            let window = Op::invoke(Kind::Fetch, ProcessId(0), op.log, op.invoked);
            self.readers.push(window.complete(Outcome::Ok, op.returned, Offset(from)).with_records(at, run.len()));
            at += run.len();
        }
    }

    /// Any other operation.
    pub fn push(&mut self, op: Op) -> Result<(), ReadError> {
        if self.history.ops.len() >= OPS_MAX {
            return Err(self.fault(format!("more than {OPS_MAX} operations")));
        }
        self.latest = self.latest.max(op.invoked);
        if op.returned != Nanos::NEVER {
            self.latest = self.latest.max(op.returned);
        }
        self.history.ops.push(op);
        Ok(())
    }

    /// Where a reader's position in a log is anew.
    pub fn reset(
        &mut self,
        kind: Kind,
        process: ProcessId,
        log: LogId,
        (invoked, returned): (Nanos, Nanos),
    ) -> Result<(), ReadError> {
        self.push(Op::invoke(kind, process, log, invoked).complete(Outcome::Ok, returned, Offset::UNKNOWN))
    }

    /// Everything was read.
    ///
    /// # Errors
    /// More writers than a value can name.
    pub fn finish(mut self) -> Result<Logs, ReadError> {
        let processes = self.history.names.processes.len() as u32;
        if u64::from(self.writers_from) + u64::from(processes) + 1 > u64::from(Value::WRITER_MAX) {
            return Err(self.fault("the writers' numbers leave none for those who have none"));
        }
        let (names, slots) = std::mem::take(&mut self.values).name(processes, self.writers_from);
        let tails = std::mem::take(&mut self.ways).finish();
        self.translate(&names.values);
        let unread = self.unread(&slots, &names.values);
        self.end_the_readers(&tails, &unread);
        self.drop_ambiguous();
        if names.ambiguous > 0 {
            let what = format!("{} values were appended more than once: nothing is said of them", names.ambiguous);
            self.notes.push(what);
        }
        if self.drained {
            self.readers.clear();
        }
        Ok(Logs {
            history: self.history,
            readers: self.readers,
            names,
            unread: if self.drained { Vec::new() } else { unread },
            operations: self.operations,
            subscribed: self.subscribed,
            timed: self.timed,
            notes: self.notes,
        })
    }

    fn translate(&mut self, values: &[Value]) {
        let ours = |slot: u64| values.get(slot as usize).copied().unwrap_or(Value::FOREIGN);
        for op in self.history.ops.iter_mut().filter(|op| op.kind() == Kind::Append) {
            *op = op.with_detail(ours(op.detail).0);
        }
        self.history.records.iter_mut().for_each(|record| record.value = ours(record.value.0));
    }

    fn drop_ambiguous(&mut self) {
        self.history.ops.retain(|op| op.kind() != Kind::Append || op.value() != Value::MARKER);
    }

    fn unread(&self, slots: &[Slot], values: &[Value]) -> Vec<Unread> {
        let append = |slot: &Slot| match slot.origin {
            Origin::Append { op, .. } => self.history.ops.get(op as usize).copied(),
            _ => None,
        };
        let mut latest: HashMap<LogId, (Nanos, Value)> = HashMap::new();
        for (slot, value) in slots.iter().zip(values).filter(|(slot, _)| slot.read) {
            let Some(op) = append(slot) else { continue };
            let held = latest.entry(op.log).or_insert((op.invoked, *value));
            if op.invoked > held.0 {
                *held = (op.invoked, *value);
            }
        }
        let unread = slots.iter().filter(|slot| slot.acked && !slot.read).filter_map(append);
        let later = |op: &Op| latest.get(&op.log).filter(|l| self.timed && l.0 > op.returned).map(|l| l.1);
        unread.map(|append| Unread { append, passed_for: later(&append) }).collect()
    }

    /// Says where the readers together reached a log's end, if they did.
    fn end_the_readers(&mut self, tails: &HashMap<LogId, Tail>, unread: &[Unread]) {
        let mut ends: HashMap<LogId, i64> = self.acked.keys().map(|log| (*log, 0)).collect();
        for window in &self.readers {
            let last = self.history.records_of(window).last().map_or(0, |r| r.offset.0.saturating_add(1));
            let end = ends.entry(window.log).or_default();
            *end = last.max(*end);
        }
        for missing in unread {
            let acked = self.acked.get(&missing.append.log).copied().unwrap_or(Nanos::NEVER);
            match tails.get(&missing.append.log) {
                Some(tail) if self.start == Start::Earliest && tail.given > acked => {
                    ends.entry(missing.append.log).and_modify(|end| *end = tail.end.max(*end));
                }
                _ => _ = ends.remove(&missing.append.log),
            }
        }
        let mut ends: Vec<(LogId, i64)> = ends.into_iter().collect();
        ends.sort_unstable();
        for (log, end) in ends {
            let asked = Op::invoke(Kind::Fetch, ProcessId(0), log, self.latest);
            self.readers.push(asked.complete(Outcome::Ok, self.latest, Offset(end)).with_records(0, 0));
        }
    }
}
