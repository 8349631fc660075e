//! From a history to transactions.
//!
//! What a process did between its begin and its commit or abort is one transaction; without an end it was aborted, since
//! nobody ever asked to commit it. Reads outside are transactions of their own, and so are appends and commits, where a
//! transaction touches the same log or group. A drain's fetches of one log, each from where the last ended, are one read.

use super::transaction::{Extent, MicroOp, Place, PositionRead, Status, Transaction};
use crate::hash::Map;
use history::{History, Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, Role};

/// What a history holds of transactions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gathered {
    /// Transactions, and single operations on what they touch.
    pub transactions: Vec<Transaction>,
    /// Positions read.
    pub positions: Vec<PositionRead>,
}

/// Gathers what `history` holds of transactions. Reads of processes for which `isolated` is false may show uncommitted data
/// and are left out.
pub fn gather(history: &History, isolated: impl Fn(ProcessId) -> bool) -> Gathered {
    let mut order: Vec<&Op> = history.ops.iter().collect();
    order.sort_by_key(|op| (op.process(), op.invoked, op.kind() != Kind::TxnBegin));
    let (mut gathered, mut singles) = (Gathered::default(), Vec::new());
    for of_process in order.chunk_by(|a, b| a.process() == b.process()) {
        let mut gatherer = Gatherer {
            history,
            reads: isolated(of_process[0].process()),
            drains: history.names.role(of_process[0].process()) == Role::Drain,
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

struct Gatherer<'a> {
    history: &'a History,
    reads: bool,
    drains: bool,
    open: Option<Transaction>,
    /// By log, the drain's last read: its place, and the offset the next one must start at.
    drained: Map<LogId, (usize, Offset)>,
    gathered: &'a mut Gathered,
    singles: &'a mut Vec<Transaction>,
}

impl Gatherer<'_> {
    fn take(&mut self, op: &Op) {
        match (op.kind(), op.outcome()) {
            (Kind::TxnBegin, Outcome::Ok | Outcome::Unknown) => {
                self.close(None);
                self.open = Some(transaction(op, Status::Aborted, Vec::new()));
            }
            (Kind::TxnCommit | Kind::TxnAbort, _) => self.close(Some(op)),
            (Kind::Committed, Outcome::Ok) => {
                let (group, log, offset) = (op.group(), op.log, op.offset);
                let (invoked, returned) = (op.invoked, op.returned);
                self.gathered.positions.push(PositionRead { group, log, offset, invoked, returned });
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
            (Kind::Poll | Kind::Fetch, Outcome::Ok) if self.reads => self.read(op),
            _ => (),
        }
    }

    /// Into the open transaction, or on its own.
    fn add(&mut self, op: &Op, micro: MicroOp) {
        match &mut self.open {
            Some(open) => open.ops.push(micro),
            None => {
                let status = if op.outcome() == Outcome::Ok { Status::Committed } else { Status::Unknown };
                self.singles.push(transaction(op, status, vec![micro]));
            }
        }
    }

    fn read(&mut self, op: &Op) {
        let records = self.history.records_of(op);
        let end = super::edges::tail_end(op.offset, records);
        let extent = match (op.kind(), records.is_empty()) {
            (Kind::Fetch, true) => Extent::Tail,
            (Kind::Fetch, false) => Extent::Window,
            _ => Extent::Some,
        };
        if let (true, Some((at, next))) = (self.drains, self.drained.get_mut(&op.log))
            && *next == op.offset
            && let Some(MicroOp::Read { records: so_far, extent: so_far_extent, .. }) =
                self.singles[*at].ops.first_mut()
        {
            so_far.extend_from_slice(records);
            *so_far_extent = extent;
            self.singles[*at].returned = Some(op.returned);
            *next = Offset(end);
            return;
        }
        if self.drains && extent != Extent::Some {
            self.drained.insert(op.log, (self.singles.len(), Offset(end)));
        }
        self.add(op, MicroOp::Read { log: op.log, from: op.offset, records: records.to_vec(), extent });
    }

    /// Ends the open transaction, by the operation that ended it if there is one.
    fn close(&mut self, end: Option<&Op>) {
        let Some(mut open) = self.open.take() else { return };
        if let Some(end) = end {
            open.returned = Some(end.returned).filter(|returned| *returned != Nanos::NEVER);
            open.id = end.detail;
            open.status = match (end.kind(), end.outcome()) {
                (Kind::TxnCommit, Outcome::Ok) => Status::Committed,
                (Kind::TxnCommit, Outcome::Unknown) => Status::Unknown,
                _ => Status::Aborted,
            };
            // An abort that nobody acknowledged has not surely ended the transaction by its return.
            if open.status == Status::Aborted && end.outcome() != Outcome::Ok {
                open.returned = None;
            }
        }
        self.gathered.transactions.push(open);
    }
}

fn transaction(op: &Op, status: Status, ops: Vec<MicroOp>) -> Transaction {
    let returned = Some(op.returned).filter(|returned| *returned != Nanos::NEVER && !ops.is_empty());
    Transaction { id: op.detail, process: op.process(), invoked: op.invoked, returned, status, ops }
}

impl Gathered {
    /// Adds the single operations on what some transaction touches.
    fn add_touching(&mut self, mut singles: Vec<Transaction>) {
        let (mut logs, mut positions) = (Map::default(), Map::default());
        for op in self.transactions.iter().flat_map(|t| &t.ops) {
            match op {
                MicroOp::Append { log, .. } | MicroOp::Read { log, .. } => _ = logs.insert(*log, ()),
                MicroOp::Position { group, log, .. } => _ = positions.insert((*group, *log), ()),
            }
        }
        singles.retain(|t| match t.ops[..] {
            [MicroOp::Append { log, .. } | MicroOp::Read { log, .. }] => logs.contains_key(&log),
            [MicroOp::Position { group, log, .. }] => positions.contains_key(&(group, log)),
            _ => false,
        });
        self.transactions.append(&mut singles);
        self.positions.retain(|read| positions.contains_key(&(read.group, read.log)));
    }
}
