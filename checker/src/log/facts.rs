//! What the second pass leaves: everything about the suspects, and nothing about the rest.

use crate::anomaly::Witness;
use history::{Kind, LogId, NodeId, Offset, Op, Outcome, ProcessId, Record, Value};
use std::collections::{BTreeMap, HashMap};

/// A value at an offset, as readers saw it.
#[derive(Clone, Debug)]
pub struct Stand {
    /// The log.
    pub log: LogId,
    /// The offset.
    pub offset: i64,
    /// The read that returned first.
    pub first: Witness,
    /// The read that returned last.
    pub last: Witness,
    /// How many there were.
    pub reads: u64,
    /// Whether the drain was among them.
    pub drained: bool,
    /// Whether anybody else was.
    pub live: bool,
}

impl Stand {
    pub(super) fn also(&mut self, reads: u64, first: Witness, last: Witness) {
        self.reads += reads;
        if first.time() < self.first.time() {
            self.first = first;
        }
        if last.time() > self.last.time() {
            self.last = last;
        }
    }

    pub(super) fn merge(&mut self, other: Stand) {
        self.drained |= other.drained;
        self.live |= other.live;
        self.also(other.reads, other.first, other.last);
    }
}

/// A value on a replica's disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Copy {
    /// The log.
    pub log: LogId,
    /// The offset.
    pub offset: Offset,
    /// Whose disk.
    pub node: NodeId,
}

/// All that is known of one value.
#[derive(Clone, Default, Debug)]
pub struct Dossier {
    /// Its appends, on any log.
    pub appends: Vec<Op>,
    /// Where readers saw it, by rising (log, offset).
    pub stands: Vec<Stand>,
    /// Where replicas have it.
    pub copies: Vec<Copy>,
}

/// A step of a reader: records handed over, or its position lost.
#[derive(Clone, Debug)]
pub struct Step {
    /// Who.
    pub process: ProcessId,
    /// The operation.
    pub op: Op,
    /// First and last offset handed over; none if the position was lost.
    pub span: Option<(Record, Record)>,
    /// How many.
    pub count: usize,
}

/// A fault within one read.
#[derive(Clone, Debug)]
pub struct Jump {
    /// The read, with the two records.
    pub read: Witness,
    /// The offset before.
    pub from: i64,
    /// The offset after.
    pub to: i64,
}

/// What the second pass knows of one log, beside the values.
#[derive(Clone, Default, Debug)]
pub struct LogFacts {
    /// Operations that admit too little, other than appends.
    pub late: Vec<Witness>,
    /// By offset, the operation that first proved it.
    pub proofs: BTreeMap<i64, Witness>,
    /// Steps of its readers.
    pub steps: Vec<Step>,
    /// Jumps within one read.
    pub jumps: Vec<Jump>,
    /// Answers of the counters that went back.
    pub answers: Vec<Op>,
}

impl LogFacts {
    pub(super) fn merge(&mut self, other: LogFacts) {
        self.late.extend(other.late);
        self.steps.extend(other.steps);
        self.jumps.extend(other.jumps);
        self.answers.extend(other.answers);
        other.proofs.into_iter().for_each(|(low, proof)| self.prove(low, proof));
    }

    pub(super) fn prove(&mut self, low: i64, proof: Witness) {
        let held = self.proofs.entry(low).or_insert_with(|| proof.clone());
        if proof.time() < held.time() {
            *held = proof;
        }
    }
}

/// All that the second pass found.
#[derive(Default, Debug)]
pub struct Facts {
    pub(super) dossiers: HashMap<Value, Dossier>,
    pub(super) logs: HashMap<LogId, LogFacts>,
    pub(super) transactions: Vec<Op>,
}

/// What became of the transaction an append belonged to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transaction {
    /// It belonged to none, or to one that was committed.
    Visible,
    /// It belonged to one that was aborted or of which nobody can tell.
    Doubtful,
}

impl Facts {
    /// What is known of `value`.
    pub fn dossier(&self, value: Value) -> Option<&Dossier> {
        self.dossiers.get(&value)
    }

    /// What is known of `log` beside its values.
    pub fn log(&self, log: LogId) -> Option<&LogFacts> {
        self.logs.get(&log)
    }

    /// Whether the run has any transaction.
    pub fn transactions(&self) -> bool {
        !self.transactions.is_empty()
    }

    /// The transaction of an append: the last one its process began before it.
    pub fn transaction(&self, append: &Op) -> Transaction {
        let key = (append.process(), append.invoked);
        let mine = |op: &&Op| op.process() == append.process();
        let next = self.transactions.partition_point(|op| (op.process(), op.invoked) <= key);
        let begun = self.transactions[..next].iter().rev().take_while(mine).find(|op| op.kind() == Kind::TxnBegin);
        let closed = self.transactions[..next].iter().rev().take_while(mine).find(|op| op.kind() != Kind::TxnBegin);
        let open = |begin: &Op| closed.is_none_or(|close| close.invoked < begin.invoked);
        if !begun.is_some_and(open) {
            return Transaction::Visible;
        }
        let end = self.transactions[next..].iter().take_while(mine).next();
        match end {
            Some(end) if end.kind() == Kind::TxnCommit && end.outcome() == Outcome::Ok => Transaction::Visible,
            _ => Transaction::Doubtful,
        }
    }
}

/// Whether any offset strictly between `from` and `to` lies in one of the rising `intervals`.
pub fn crosses(intervals: &[(i64, i64)], from: i64, to: i64) -> bool {
    let next = intervals.partition_point(|i| i.1 <= from.saturating_add(1));
    to > from.saturating_add(1) && intervals.get(next).is_some_and(|i| i.0 < to)
}
