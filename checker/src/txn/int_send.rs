//! What one transaction appended to one log, step by step: does each record stand right behind the one before?
//!
//! ```text
//! T1  append x @0, append y @2;   z of T2 stands at 1        int-send-skip: no harm, logs are shared
//! T1  append x @1, append y @0                               int-nonmonotonic-send: the order is lost
//! T1  append x @0, append y @2;   1 is a marker              innocent
//! ```

use super::case::Case;
use super::finding::{Finding, FindingKind};
use super::transaction::MicroOp;
use crate::hash::Map;
use history::{LogId, Offset, Value};

/// One finding for each transaction, log and kind, with how often.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    (0..case.transactions.len()).flat_map(|txn| of_transaction(case, txn)).collect()
}

fn of_transaction(case: &Case<'_>, txn: usize) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut last: Map<LogId, (i64, Value)> = Map::default();
    if case.transactions[txn].ops.len() < 2 {
        return findings;
    }
    for op in &case.transactions[txn].ops {
        let MicroOp::Append { log, value, place } = op else { continue };
        let Some(offset) = place.offset() else { continue };
        if let Some((before, earlier)) = last.insert(*log, (offset.0, *value))
            && let Some(kind) = step(case, txn, *log, (before, offset.0))
        {
            let known = findings.iter_mut().find(|f| f.kind == kind && f.log == Some(*log));
            match known {
                Some(known) => known.count += 1,
                None => findings.push(finding(case, txn, kind, (*log, before, earlier), (offset, *value))),
            }
        }
    }
    findings
}

fn step(case: &Case<'_>, txn: usize, log: LogId, (from, to): (i64, i64)) -> Option<FindingKind> {
    if to <= from {
        return Some(FindingKind::IntNonmonotonicSend);
    }
    let between = case.versions.after(log, from.saturating_add(1)).take_while(|(offset, _)| *offset < to);
    let mut others = between.filter(|(_, append)| case.writers.appends[*append as usize].txn as usize != txn);
    others.next().map(|_| FindingKind::IntSendSkip)
}

fn finding(
    case: &Case<'_>,
    txn: usize,
    kind: FindingKind,
    (log, before, earlier): (LogId, i64, Value),
    (offset, value): (Offset, Value),
) -> Finding {
    let how = match kind {
        FindingKind::IntSendSkip => "with another's records between them",
        _ => "which does not rise",
    };
    let sentence = format!(
        "{} appended {earlier} at offset {before} of {} and next {value} at {}, {how}",
        case.label(txn),
        case.names.log(log),
        offset.0,
    );
    Finding::new(kind, vec![txn], sentence).at(log, Some(offset), vec![earlier, value])
}
