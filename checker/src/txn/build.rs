//! From a history to transactions.
//!
//! What a process did between its begin and its commit or abort is one transaction; without an end it was aborted, since
//! nobody ever asked to commit it. Reads outside are transactions of their own, and so are appends and commits, where a
//! transaction touches the same log or group. A drain's fetches of one log, each from where the last ended, are one read.

use super::transaction::{Extent, MicroOp, Place, PositionRead, Status, Transaction, View};
use crate::contract::Bind;
use crate::hash::Map;
use crate::source::{Source, extract};
use history::{History, Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, Role};

/// What a history holds of transactions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gathered {
    /// Transactions, and single operations on what they touch.
    pub transactions: Vec<Transaction>,
    /// For each of them the operation that began it, or was it, and the one that ended it.
    pub evidence: Vec<(Op, Option<Op>)>,
    /// Positions read, of groups that transactions store positions for.
    pub positions: Vec<PositionRead>,
    /// The answer that each of them is.
    pub answers: Vec<Op>,
}

/// Gathers what a run holds of transactions. `view` says what each process's reads may show, `empty_fetches` whether an
/// empty fetch of another process than a drain proves that there was nothing.
pub fn gather(source: &dyn Source, view: impl Fn(ProcessId) -> View, empty_fetches: Bind) -> Gathered {
    let history = touched(source);
    let mut order: Vec<&Op> = history.ops.iter().collect();
    order.sort_by_key(|op| (op.process(), op.invoked, op.kind() != Kind::TxnBegin));
    let mut gathered = Gathered::default();
    let mut singles = Singles::default();
    for of_process in order.chunk_by(|a, b| a.process() == b.process()) {
        let mut gatherer = Gatherer {
            history: &history,
            view: view(of_process[0].process()),
            drains: history.names.role(of_process[0].process()) == Role::Drain,
            empty_fetches,
            open: None,
            drained: Map::default(),
            gathered: &mut gathered,
            singles: &mut singles,
        };
        of_process.iter().for_each(|op| gatherer.take(op));
        gatherer.close(None);
    }
    gathered.add_touching(singles);
    gathered
}

/// The operations of processes that begin transactions, and all others on logs these touch.
fn touched(source: &dyn Source) -> History {
    let (mut processes, mut logs) = (Map::default(), Map::default());
    source.walk(&mut |batch| {
        let begins = batch.ops.iter().filter(|op| op.kind() == Kind::TxnBegin);
        processes.extend(begins.map(|op| (op.process(), ())));
    });
    if processes.is_empty() {
        return History { names: source.names().clone(), ..History::default() };
    }
    source.walk(&mut |batch| {
        let theirs = batch.ops.iter().filter(|op| processes.contains_key(&op.process()));
        let on_logs = theirs.filter(|op| !matches!(op.kind(), Kind::TxnBegin | Kind::TxnCommit | Kind::TxnAbort));
        logs.extend(on_logs.map(|op| (op.log, ())));
    });
    let told = |kind| !matches!(kind, Kind::EndOffset | Kind::StableEnd | Kind::LogStart | Kind::Epoch);
    extract(source, |op| told(op.kind()) && (processes.contains_key(&op.process()) || logs.contains_key(&op.log)))
}

/// Operations outside of transactions.
#[derive(Default)]
struct Singles {
    transactions: Vec<Transaction>,
    evidence: Vec<(Op, Option<Op>)>,
}

/// A transaction that has begun.
struct Open {
    begin: Op,
    ops: Vec<MicroOp>,
}

struct Gatherer<'a> {
    history: &'a History,
    view: View,
    drains: bool,
    empty_fetches: Bind,
    open: Option<Open>,
    /// By log, the drain's last read: its place, and the offset the next one must start at.
    drained: Map<LogId, (usize, Offset)>,
    gathered: &'a mut Gathered,
    singles: &'a mut Singles,
}

impl Gatherer<'_> {
    fn take(&mut self, op: &Op) {
        match (op.kind(), op.outcome()) {
            (Kind::TxnBegin, Outcome::Ok | Outcome::Unknown) => {
                self.close(None);
                self.open = Some(Open { begin: *op, ops: Vec::new() });
            }
            (Kind::TxnCommit | Kind::TxnAbort, _) => self.close(Some(op)),
            (Kind::Committed, Outcome::Ok) => {
                let (group, log, offset) = (op.group(), op.log, op.offset);
                let (invoked, returned) = (op.invoked, op.returned);
                self.gathered.positions.push(PositionRead { group, log, offset, invoked, returned });
                self.gathered.answers.push(*op);
            }
            (_, Outcome::Fail) => (),
            (Kind::Append, _) => {
                let place = match op.outcome() {
                    Outcome::Ok if op.offset >= Offset(0) => Place::At(op.offset),
                    Outcome::Ok => Place::Untold,
                    _ => Place::Unacknowledged,
                };
                self.add(op, MicroOp::Append { log: op.log, value: op.value(), place });
            }
            (Kind::Commit, _) => {
                self.add(op, MicroOp::Position { group: op.group(), log: op.log, offset: op.offset });
            }
            (Kind::Poll | Kind::Fetch | Kind::CommittedFetch, Outcome::Ok) => self.read(op),
            _ => (),
        }
    }

    /// Into the open transaction, or on its own.
    fn add(&mut self, op: &Op, micro: MicroOp) {
        match &mut self.open {
            Some(open) => open.ops.push(micro),
            None => {
                let status = if op.outcome() == Outcome::Ok { Status::Committed } else { Status::Unknown };
                let returned = Some(op.returned).filter(|returned| *returned != Nanos::NEVER);
                let (id, process, invoked) = (op.detail, op.process(), op.invoked);
                let single = Transaction { id, process, invoked, returned, status, ops: vec![micro] };
                self.singles.transactions.push(single);
                self.singles.evidence.push((*op, None));
            }
        }
    }

    fn read(&mut self, op: &Op) {
        let records = self.history.records_of(op);
        let end = super::edges::tail_end(op.offset, records);
        let proves = self.drains || self.empty_fetches == Bind::Binds;
        let extent = match (op.kind(), records.is_empty()) {
            (Kind::Fetch, true) if proves => Extent::Tail,
            (Kind::CommittedFetch, true) => Extent::Tail,
            (Kind::Fetch | Kind::CommittedFetch, false) => Extent::Window,
            _ => Extent::Some,
        };
        let view = if op.kind() == Kind::CommittedFetch { View::Committed } else { self.view };
        if let (true, Some((at, next))) = (self.drains, self.drained.get_mut(&op.log))
            && *next == op.offset
            && let Some(MicroOp::Read { records: so_far, extent: so_far_extent, .. }) =
                self.singles.transactions[*at].ops.first_mut()
        {
            so_far.extend_from_slice(records);
            *so_far_extent = extent;
            self.singles.transactions[*at].returned = Some(op.returned);
            *next = Offset(end);
            return;
        }
        if self.drains && extent != Extent::Some {
            self.drained.insert(op.log, (self.singles.transactions.len(), Offset(end)));
        }
        let (log, from, records) = (op.log, op.offset, records.to_vec());
        self.add(op, MicroOp::Read { log, from, records, extent, view });
    }

    /// Ends the open transaction, by the operation that ended it if there is one. An abort that nobody acknowledged has not
    /// surely ended it by its return.
    fn close(&mut self, end: Option<&Op>) {
        let Some(Open { begin, ops }) = self.open.take() else { return };
        let status = match end.map(|end| (end.kind(), end.outcome())) {
            Some((Kind::TxnCommit, Outcome::Ok)) => Status::Committed,
            Some((Kind::TxnCommit, Outcome::Unknown)) => Status::Unknown,
            _ => Status::Aborted,
        };
        let ended = |end: &&Op| status != Status::Aborted || end.outcome() == Outcome::Ok;
        let returned = end.filter(ended).map(|end| end.returned).filter(|returned| *returned != Nanos::NEVER);
        let id = end.map_or(begin.detail, |end| end.detail);
        let (process, invoked) = (begin.process(), begin.invoked);
        self.gathered.transactions.push(Transaction { id, process, invoked, returned, status, ops });
        self.gathered.evidence.push((begin, end.copied()));
    }
}

impl Gathered {
    /// Adds the single operations on what some transaction touches, and leaves out positions that none stores.
    fn add_touching(&mut self, singles: Singles) {
        let (mut logs, mut positions) = (Map::default(), Map::default());
        for op in self.transactions.iter().flat_map(|t| &t.ops) {
            match op {
                MicroOp::Append { log, .. } | MicroOp::Read { log, .. } => _ = logs.insert(*log, ()),
                MicroOp::Position { group, log, .. } => _ = positions.insert((*group, *log), ()),
            }
        }
        for (single, evidence) in singles.transactions.into_iter().zip(singles.evidence) {
            let touching = match single.ops[..] {
                [MicroOp::Append { log, .. } | MicroOp::Read { log, .. }] => logs.contains_key(&log),
                [MicroOp::Position { group, log, .. }] => positions.contains_key(&(group, log)),
                _ => false,
            };
            if touching {
                self.transactions.push(single);
                self.evidence.push(evidence);
            }
        }
        let reads = self.positions.drain(..).zip(self.answers.drain(..));
        let stored = reads.filter(|(read, _)| positions.contains_key(&(read.group, read.log)));
        (self.positions, self.answers) = stored.collect::<Vec<_>>().into_iter().unzip();
    }
}
