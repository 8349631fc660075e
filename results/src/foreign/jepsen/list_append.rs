//! Jepsen's list-append workload: transactions of `[:append k v]` and `[:r k [v …]]`.
//!
//! A list is a log without offsets: an element's place in the longest read is its offset. A read gives the whole list as it
//! was, its transaction's own appends included.

use super::Operation;
use super::kafka::{raw, shortened};
use crate::foreign::edn::Edn;
use crate::foreign::error::ReadError;
use crate::foreign::lists::ListHistory;
use crate::foreign::values::{Raw, Values};
use checker::txn::{Extent, MicroOp, Place, Status, Transaction, View};
use history::{LogId, Names, Offset, ProcessId, ProcessName, Record, Role, Value};
use history::{Nanos, Outcome};
use std::collections::HashMap;

/// See the module.
#[derive(Default)]
pub(super) struct ListAppend {
    names: Names,
    keys: HashMap<Box<str>, LogId>,
    processes: HashMap<i64, ProcessId>,
    values: Values,
    transactions: Vec<Transaction>,
}

impl ListAppend {
    /// Everything was read.
    pub(super) fn finish(self, notes: Vec<String>) -> ListHistory {
        let (named, _) = self.values.name(self.names.processes.len() as u32, 0);
        let ours = |value: &mut Value| *value = named.values.get(value.0 as usize).copied().unwrap_or(Value::FOREIGN);
        let mut transactions = self.transactions;
        for op in transactions.iter_mut().flat_map(|t| &mut t.ops) {
            match op {
                MicroOp::Append { value, .. } => ours(value),
                MicroOp::Read { records, .. } => records.iter_mut().for_each(|r| ours(&mut r.value)),
                MicroOp::Position { .. } => {}
            }
        }
        ListHistory { transactions, names: self.names, named, notes }
    }

    pub(super) fn take(&mut self, op: &Operation) -> Result<bool, ReadError> {
        if !matches!(&*op.f, "txn" | "append" | "read" | "r") {
            return Ok(false);
        }
        let members = op.members().ok_or_else(|| op.fault("the :value must be a list of micro-operations"))?;
        let process = self.process(op)?;
        let at = self.transactions.len() as u32;
        let mops = members.iter().map(|mop| self.mop(op, process, at, mop)).collect::<Result<Vec<_>, _>>()?;
        let status = match op.outcome {
            Outcome::Ok => Status::Committed,
            Outcome::Fail => Status::Aborted,
            Outcome::Unknown => Status::Unknown,
        };
        self.transactions.push(Transaction {
            id: u64::from(at),
            process,
            invoked: op.invoked,
            returned: Some(op.returned()).filter(|returned| *returned != Nanos::NEVER),
            status,
            ops: mops.into_iter().flatten().collect(),
        });
        Ok(true)
    }

    fn process(&mut self, op: &Operation) -> Result<ProcessId, ReadError> {
        let next = ProcessId(self.names.processes.len() as u32);
        let process = *self.processes.entry(op.process).or_insert(next);
        if process == next {
            if next.0 >= history::Op::PROCESS_MAX {
                return Err(op.fault(format!("more than {} processes", history::Op::PROCESS_MAX)));
            }
            let name = op.process_name();
            self.names.processes.push(ProcessName { name, role: Role::Producer, writer: None });
        }
        Ok(process)
    }

    fn key(&mut self, key: &Edn) -> LogId {
        let name = format!("key {key}");
        let next = LogId(self.names.logs.len() as u32);
        let log = *self.keys.entry(name.as_str().into()).or_insert(next);
        if log == next {
            self.names.logs.push(name);
        }
        log
    }

    /// A micro-operation, its values as slots; none for a read without an answer.
    fn mop(&mut self, op: &Operation, process: ProcessId, at: u32, mop: &Edn) -> Result<Option<MicroOp>, ReadError> {
        let parts = mop.members().unwrap_or(&[]);
        match (parts.first().and_then(Edn::keyword), parts) {
            (Some("append"), [_, key, value]) => {
                let log = self.key(key);
                let slot = self.values.slot(log.0, raw(value));
                self.values.appended(slot, at, process, None);
                let place = if op.outcome == Outcome::Ok { Place::Untold } else { Place::Unacknowledged };
                Ok(Some(MicroOp::Append { log, value: Value(u64::from(slot)), place }))
            }
            (Some("r"), [_, key, Edn::Nil]) if op.outcome != Outcome::Ok || op.answered.members().is_none() => {
                self.key(key);
                Ok(None)
            }
            (Some("r"), [_, key, list]) => {
                let list = match list {
                    Edn::Nil => &[][..],
                    list => list.members().ok_or_else(|| op.fault(format!("not a list: {}", shortened(list))))?,
                };
                Ok((op.outcome == Outcome::Ok).then(|| self.read(key, list)))
            }
            _ => Err(op.fault(format!("not a micro-operation of this workload: {}", shortened(mop)))),
        }
    }

    fn read(&mut self, key: &Edn, list: &[Edn]) -> MicroOp {
        let log = self.key(key);
        let record = |(place, element): (usize, &Edn)| {
            let raw: Raw = raw(element);
            let slot = self.values.slot(log.0, raw);
            self.values.slots[slot as usize].read = true;
            Record { offset: Offset(place as i64), value: Value(u64::from(slot)) }
        };
        let records = list.iter().enumerate().map(record).collect();
        MicroOp::Read { log, from: Offset(0), records, extent: Extent::Tail, view: View::Committed }
    }
}
