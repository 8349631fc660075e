//! Jepsen's Kafka workload: sends, polls and transactions of both, on keys that are logs.
//!
//! ```text
//! [:send k v] becomes [:send k [offset v]]       offset nil where it is not known, kept in :info and :fail operations
//! [:poll]     becomes [:poll {k [[offset v] …]}]
//! {:f :assign|:subscribe, :value [k …]}          :seek-to-beginning? true starts anew
//! ```
//! An operation of several micro-operations is a transaction. A reader's position moves with `:ok` operations only (the
//! others rewind), so that the reads of others belong to a process of their own, as do reads of keys that a rebalance moved
//! meanwhile: they show what stands where, and say nothing of where the reader was.

use super::Operation;
use crate::foreign::edn::Edn;
use crate::foreign::error::ReadError;
use crate::foreign::logs::{Builder, Logs, Start};
use crate::foreign::values::Raw;
use history::{Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, Role};
use std::collections::{BTreeSet, HashMap};

/// See the module.
pub(super) struct Kafka {
    logs: Builder,
    transactions: u64,
    /// Those met already, by the file's numbers.
    keys: HashMap<i64, LogId>,
    processes: HashMap<i64, ProcessId>,
}

/// What was read of a log: offsets and values.
type Polled = (LogId, Vec<(i64, Raw)>);

/// A micro-operation, with its keys as logs.
enum Mop {
    Send(LogId, Option<i64>, Raw),
    Poll(Vec<Polled>),
}

impl Kafka {
    pub(super) fn new() -> Kafka {
        Kafka { logs: Builder::new(Start::Earliest), transactions: 0, keys: HashMap::new(), processes: HashMap::new() }
    }

    pub(super) fn finish(mut self, notes: Vec<String>) -> Result<Logs, ReadError> {
        self.logs.notes.extend(notes);
        self.logs.finish()
    }

    pub(super) fn take(&mut self, op: &Operation) -> Result<bool, ReadError> {
        self.logs.at(op.place);
        match &*op.f {
            "assign" | "subscribe" => self.assign(op)?,
            "send" | "poll" | "txn" => self.work(op)?,
            "crash" | "debug-topic-partitions" => {}
            _ => return Ok(false),
        }
        self.logs.operations += 1;
        Ok(true)
    }

    fn process(&mut self, op: &Operation) -> Result<ProcessId, ReadError> {
        if let Some(process) = self.processes.get(&op.process) {
            return Ok(*process);
        }
        let process = self.logs.process(&op.process_name(), Role::Consumer)?;
        self.processes.insert(op.process, process);
        Ok(process)
    }

    fn key(&mut self, key: &Edn) -> LogId {
        let number = key.int();
        if let Some(log) = number.and_then(|number| self.keys.get(&number)) {
            return *log;
        }
        let log = self.logs.log(&format!("key {key}"));
        self.keys.extend(number.map(|number| (number, log)));
        log
    }

    fn assign(&mut self, op: &Operation) -> Result<(), ReadError> {
        self.logs.subscribed |= &*op.f == "subscribe";
        if op.outcome == Outcome::Fail {
            return Ok(());
        }
        let keys = op.members().ok_or_else(|| op.fault("the :value of an assignment must be a list of keys"))?;
        let process = self.process(op)?;
        let keys: BTreeSet<LogId> = keys.iter().map(|key| self.key(key)).collect();
        let (gained, lost) = self.logs.ways().assign(process, keys, op.invoked, op.seeks);
        let span = (op.invoked, op.completed);
        lost.into_iter().try_for_each(|log| self.logs.reset(Kind::Revoke, process, log, span))?;
        gained.into_iter().try_for_each(|log| self.logs.reset(Kind::Assign, process, log, span))
    }

    fn work(&mut self, op: &Operation) -> Result<(), ReadError> {
        let members = op.members().ok_or_else(|| op.fault("the :value must be a list of micro-operations"))?;
        let told = op.answered.members().is_some();
        let mops = members.iter().map(|mop| self.mop(op, mop, told)).collect::<Result<Vec<_>, _>>()?;
        let process = self.process(op)?;
        let transaction = mops.len() > 1;
        let txn = Op::invoke(Kind::TxnBegin, process, LogId(0), op.invoked).with_detail(self.transactions);
        if transaction {
            self.logs.push(txn.complete(Outcome::Ok, op.invoked, Offset::UNKNOWN).with_detail(self.transactions))?;
        }
        let mut polls: Vec<Vec<Polled>> = Vec::new();
        for mop in mops {
            match mop {
                Mop::Send(log, offset, raw) => self.send(op, process, (log, offset, raw), transaction)?,
                Mop::Poll(poll) => polls.push(poll),
            }
        }
        self.polls(op, process, polls)?;
        if transaction {
            self.end(op, process)?;
        }
        Ok(())
    }

    fn end(&mut self, op: &Operation, process: ProcessId) -> Result<(), ReadError> {
        let (kind, outcome) = match op.outcome {
            Outcome::Fail => (Kind::TxnAbort, Outcome::Ok),
            outcome => (Kind::TxnCommit, outcome),
        };
        // After its appends were invoked, even where no completion came.
        let asked = op.completed.max(Nanos(op.invoked.0.saturating_add(1)));
        let end = Op::invoke(kind, process, LogId(0), asked).with_detail(self.transactions);
        self.transactions += 1;
        self.logs.push(end.complete(outcome, op.returned(), Offset::UNKNOWN))
    }

    fn send(
        &mut self,
        op: &Operation,
        process: ProcessId,
        (log, offset, raw): (LogId, Option<i64>, Raw),
        transaction: bool,
    ) -> Result<(), ReadError> {
        let acknowledged = transaction && offset.is_some_and(|offset| offset >= 0);
        let (outcome, returned) = match acknowledged {
            true => (Outcome::Ok, op.completed),
            false => (op.outcome, op.returned()),
        };
        let append = Op::invoke(Kind::Append, process, log, op.invoked);
        let append = append.complete(outcome, returned, Offset(offset.unwrap_or(-1)));
        self.logs.append(append, (log.0, raw), None, op.outcome == Outcome::Ok)
    }

    /// All polls of one operation. Those of one key are one read, unless the key moved meanwhile.
    fn polls(&mut self, op: &Operation, process: ProcessId, polls: Vec<Vec<Polled>>) -> Result<(), ReadError> {
        let moved: BTreeSet<LogId> = op.moved.iter().map(|key| self.key(key)).collect();
        if op.outcome == Outcome::Ok && !polls.is_empty() {
            self.logs.ways().asked(process);
        }
        let mut joined: Vec<Polled> = Vec::new();
        let mut places = HashMap::new();
        for (nth, poll) in polls.into_iter().enumerate() {
            for (log, records) in poll {
                if moved.contains(&log) {
                    self.aside(op, (log, records), &format!("moved, poll {nth}"))?;
                    continue;
                }
                let at = *places.entry(log).or_insert(joined.len());
                match joined.get_mut(at) {
                    Some((_, known)) => known.extend(records),
                    None => joined.push((log, records)),
                }
            }
        }
        for (log, records) in joined {
            match op.outcome {
                Outcome::Ok => self.read(op, process, (log, records), true)?,
                _ => self.aside(op, (log, records), "rolled back")?,
            }
        }
        for log in moved {
            self.logs.ways().reset(process, log);
            self.logs.reset(Kind::Assign, process, log, (op.completed, op.completed))?;
        }
        Ok(())
    }

    /// A read that says nothing of its reader's position.
    fn aside(&mut self, op: &Operation, (log, records): Polled, why: &str) -> Result<(), ReadError> {
        let process = self.logs.process(&format!("{} ({why})", op.process_name()), Role::Consumer)?;
        let counts = op.outcome == Outcome::Ok;
        if counts {
            self.logs.ways().reset(process, log);
        }
        self.logs.reset(Kind::Assign, process, log, (op.invoked, op.invoked))?;
        self.read(op, process, (log, records), counts)
    }

    fn read(
        &mut self,
        op: &Operation,
        process: ProcessId,
        (log, records): Polled,
        counts: bool,
    ) -> Result<(), ReadError> {
        let first = Offset(records.first().map_or(-1, |record| record.0));
        let outcome = if counts { Outcome::Ok } else { Outcome::Unknown };
        let read = Op::invoke(Kind::Poll, process, log, op.invoked).complete(outcome, op.completed, first);
        self.logs.read(read, log.0, records, counts)
    }

    fn mop(&mut self, op: &Operation, mop: &Edn, told: bool) -> Result<Mop, ReadError> {
        let parts = mop.members().unwrap_or(&[]);
        match (parts.first().and_then(Edn::keyword), parts) {
            (Some("send"), [_, key, value]) => {
                let log = self.key(key);
                let (offset, value) = match value {
                    Edn::Seq(pair) if told && pair.len() == 2 => (offset(op, &pair[0])?, &pair[1]),
                    value => (None, value),
                };
                Ok(Mop::Send(log, offset, raw(value)))
            }
            (Some("poll"), [_]) | (Some("poll"), [_, Edn::Nil]) => Ok(Mop::Poll(Vec::new())),
            (Some("poll"), [_, Edn::Map(keys)]) => {
                let read = keys.iter().map(|(key, records)| Ok((self.key(key), records_of(op, records)?)));
                Ok(Mop::Poll(read.collect::<Result<Vec<_>, ReadError>>()?))
            }
            _ => Err(op.fault(format!("not a micro-operation of this workload: {}", shortened(mop)))),
        }
    }
}

fn offset(op: &Operation, told: &Edn) -> Result<Option<i64>, ReadError> {
    match told {
        Edn::Nil => Ok(None),
        Edn::Int(offset) => Ok(Some(*offset)),
        other => {
            Err(op.fault(format!("an offset must be nil or a whole number within 64 bits, not {}", shortened(other))))
        }
    }
}

fn records_of(op: &Operation, records: &Edn) -> Result<Vec<(i64, Raw)>, ReadError> {
    let record = |pair: &Edn| match pair.members() {
        Some([Edn::Int(offset), value]) => Ok((*offset, raw(value))),
        _ => Err(op.fault(format!("a polled record must be [offset value], not {}", shortened(pair)))),
    };
    match records {
        Edn::Nil => Ok(Vec::new()),
        records => records
            .members()
            .ok_or_else(|| op.fault("a key's polled records must be a list"))?
            .iter()
            .map(record)
            .collect(),
    }
}

/// A value under its name.
pub(super) fn raw(value: &Edn) -> Raw {
    match value {
        Edn::Int(n) => Raw::Int(*n),
        other => Raw::Text(other.to_string().into()),
    }
}

/// A form for a message.
pub(super) fn shortened(form: &Edn) -> String {
    const CHARS_MAX: usize = 80;
    let text = form.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
