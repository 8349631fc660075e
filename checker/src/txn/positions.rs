//! Positions stored within transactions: both must happen, or neither.
//!
//! ```text
//! T1  store 5, append x, abort
//! R   position: 5                                 caught: a position without its transaction
//! T2  store 5, append x, commit acknowledged
//! R   position: 3, stored before T2 began         caught: a transaction without its position
//! R   position: 7, stored by somebody since       innocent
//! ```

use super::case::Case;
use super::coverage::Coverage;
use super::finding::{Finding, FindingKind};
use super::torn::{appends, visible_by};
use super::transaction::{MicroOp, PositionRead, Status};
use crate::hash::Map;
use history::{LogId, Nanos, Offset};

/// One group's position in one log.
type Register = (u32, LogId);

#[derive(Clone, Copy)]
struct Write {
    txn: usize,
    offset: Offset,
}

/// One finding for each read.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    if case.positions.is_empty() {
        return Vec::new();
    }
    let mut writes: Map<Register, Vec<Write>> = Map::default();
    for (txn, transaction) in case.transactions.iter().enumerate() {
        for op in &transaction.ops {
            if let MicroOp::Position { group, log, offset } = op {
                writes.entry((*group, *log)).or_default().push(Write { txn, offset: *offset });
            }
        }
    }
    let stored = |txn: usize| case.transactions[txn].ops.iter().any(|op| matches!(op, MicroOp::Position { .. }));
    let (visible, coverage) = (visible_by(case, stored), Coverage::new(case));
    let mut reads: Map<Register, Vec<usize>> = Map::default();
    for (at, read) in case.positions.iter().enumerate() {
        reads.entry((read.group, read.log)).or_default().push(at);
    }
    let mut findings = Vec::new();
    for (register, reads) in reads {
        let register = Stored::new(case, &visible, writes.remove(&register).unwrap_or_default());
        for at in reads {
            let read = &case.positions[at];
            let found = [register.without_transaction(case, &coverage, read), register.without_position(case, read)];
            let proved = found.into_iter().flatten().map(|finding| Finding { position: Some(at), ..finding });
            findings.extend(proved);
        }
    }
    findings.sort_unstable_by(|a, b| (&a.transactions, &a.sentence).cmp(&(&b.transactions, &b.sentence)));
    findings
}

/// The writes of one position, made ready for questions.
struct Stored {
    /// By value, those that did not surely fail first.
    by_offset: Map<Offset, Vec<Write>>,
    /// Of those that did more than store it (surely over, invoked, transaction), by rising first; the others are of the
    /// latest invoked so far.
    over: Vec<(Nanos, Nanos, usize)>,
}

/// Whether the transaction did more than store positions.
fn appends_too(case: &Case<'_>, txn: usize) -> bool {
    case.transactions[txn].ops.iter().any(|op| matches!(op, MicroOp::Append { .. }))
}

/// When a transaction had surely taken effect and could no more.
fn surely_over(case: &Case<'_>, txn: usize) -> Option<Nanos> {
    let transaction = &case.transactions[txn];
    transaction.returned.filter(|_| transaction.status == Status::Committed)
}

impl Stored {
    fn new(case: &Case<'_>, visible: &Map<usize, Nanos>, writes: Vec<Write>) -> Stored {
        let mut by_offset: Map<Offset, Vec<Write>> = Map::default();
        let mut over = Vec::new();
        for write in writes {
            by_offset.entry(write.offset).or_default().push(write);
            if !appends_too(case, write.txn) {
                continue;
            }
            let happened = surely_over(case, write.txn).or_else(|| {
                visible.get(&write.txn).copied().filter(|_| case.transactions[write.txn].status == Status::Unknown)
            });
            over.extend(happened.map(|time| (time, case.transactions[write.txn].invoked, write.txn)));
        }
        over.sort_unstable();
        for at in 1..over.len() {
            let (_, invoked, txn) = over[at - 1];
            if invoked > over[at].1 {
                (over[at].1, over[at].2) = (invoked, txn);
            }
        }
        Stored { by_offset, over }
    }

    /// The position read is of transactions alone that did not happen.
    fn without_transaction(&self, case: &Case<'_>, coverage: &Coverage, read: &PositionRead) -> Option<Finding> {
        let writes = self.by_offset.get(&read.offset)?;
        let invoked = |write: &&Write| case.transactions[write.txn].invoked <= read.returned;
        let absent = |write: &Write| match case.transactions[write.txn].status {
            Status::Aborted => Some(None),
            _ => appends(case, write.txn)
                .find_map(|number| coverage.proves_absent(case, number, Some(read.returned)))
                .map(Some),
        };
        let culprits: Option<Vec<(usize, Option<usize>)>> =
            writes.iter().filter(invoked).map(|write| Some((write.txn, absent(write)?))).collect();
        let (txn, proof) = *culprits?.first()?;
        let fate = match proof {
            None => "was aborted".to_owned(),
            Some(proof) => format!("has no records: {} did not find them", case.label(proof)),
        };
        let sentence = format!(
            "group {}'s position in {} is {}, which {} stored, and that {fate}",
            read.group,
            case.names.log(read.log),
            read.offset.0,
            case.label(txn),
        );
        let transactions = std::iter::once(txn).chain(proof).collect();
        let finding = Finding::new(FindingKind::PositionWithoutTransaction, transactions, sentence);
        Some(finding.at(read.log, Some(read.offset), Vec::new()))
    }

    /// The position read was stored before a transaction that had happened stored another.
    fn without_position(&self, case: &Case<'_>, read: &PositionRead) -> Option<Finding> {
        let at = self.over.partition_point(|(over, ..)| *over < read.invoked).checked_sub(1)?;
        let (_, invoked, txn) = self.over[at];
        let writes = self.by_offset.get(&read.offset).map_or(&[][..], Vec::as_slice);
        let mut known = writes.iter().filter(|write| case.transactions[write.txn].invoked <= read.returned).peekable();
        let told = known.peek().is_some() || read.offset == Offset::UNKNOWN;
        let before = |write: &Write| {
            let aborted = case.transactions[write.txn].status == Status::Aborted;
            aborted || surely_over(case, write.txn).is_some_and(|over| over < invoked)
        };
        if !told || !known.all(before) {
            return None;
        }
        let sentence = format!(
            "{} happened and the position it stored for group {} in {} did not: it was {} afterwards",
            case.label(txn),
            read.group,
            case.names.log(read.log),
            read.offset.0,
        );
        let finding = Finding::new(FindingKind::TransactionWithoutPosition, vec![txn], sentence);
        Some(finding.at(read.log, Some(read.offset), Vec::new()))
    }
}
