//! A transaction is visible in part: some of its records were read, and others are known to be absent. Or it is not visible at all,
//! although its commit was acknowledged.
//!
//! ```text
//! T1  append x to A, append y to B, commit
//! R   A from start to end: x;  B from start to end: nothing      caught: torn
//! R   A and B from start to end: nothing                         caught: its commit is lost
//! R   A: x;  B: read only below where y stands                   innocent: not read yet
//! ```

use super::case::Case;
use super::coverage::Coverage;
use super::finding::{Finding, FindingKind};
use super::transaction::{MicroOp, Status};
use crate::hash::Map;
use history::Nanos;

/// When each transaction that another read of was surely visible: when the first such read returned.
pub(super) fn visible_by(case: &Case<'_>, of_interest: impl Fn(usize) -> bool) -> Map<usize, Nanos> {
    let mut visible: Map<usize, Nanos> = Map::default();
    for reading in case.committed_readings() {
        let returned = case.transactions[reading.txn].returned.unwrap_or(Nanos::NEVER);
        for record in reading.records {
            let Some((_, append)) = case.append(record.value) else { continue };
            let writer = append.txn as usize;
            if writer != reading.txn && of_interest(writer) {
                let first = visible.entry(writer).or_insert(Nanos::NEVER);
                *first = returned.min(*first);
            }
        }
    }
    visible
}

/// One finding for each torn transaction, and for each whose commit is lost.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let torn = |txn: usize| case.transactions[txn].status != Status::Aborted && is_suspect(case, txn);
    let suspects: Vec<usize> = (0..case.transactions.len()).filter(|txn| torn(*txn)).collect();
    if suspects.is_empty() {
        return Vec::new();
    }
    let visible = visible_by(case, |txn| suspects.binary_search(&txn).is_ok());
    let coverage = Coverage::new(case);
    let visible_by = |txn: usize| {
        let transaction = &case.transactions[txn];
        let acknowledged = transaction.returned.filter(|_| transaction.status == Status::Committed);
        visible.get(&txn).copied().into_iter().chain(acknowledged).min()
    };
    suspects.into_iter().filter_map(|txn| finding(case, &coverage, txn, visible_by(txn))).collect()
}

/// Some of its records were not read although others were, or although it was committed.
fn is_suspect(case: &Case<'_>, txn: usize) -> bool {
    let appends = || appends(case, txn);
    let visible = || appends().any(|n| case.versions.seen[n as usize]);
    let committed = case.transactions[txn].status == Status::Committed;
    appends().any(|n| !case.versions.seen[n as usize]) && (committed || visible())
}

/// A transaction's appends.
pub(super) fn appends<'a>(case: &'a Case<'_>, txn: usize) -> impl Iterator<Item = u32> + 'a {
    case.transactions[txn].ops.iter().filter_map(move |op| match op {
        MicroOp::Append { value, .. } => {
            case.append(*value).filter(|(_, append)| append.txn as usize == txn).map(|(number, _)| number)
        }
        _ => None,
    })
}

fn finding(case: &Case<'_>, coverage: &Coverage, txn: usize, visible_by: Option<Nanos>) -> Option<Finding> {
    let missing: Vec<(u32, usize)> = appends(case, txn)
        .filter_map(|number| Some((number, coverage.proves_absent(case, number, visible_by)?)))
        .collect();
    let (gone, proof) = *missing.first()?;
    let append = |number: u32| case.writers.appends[number as usize];
    let seen = appends(case, txn).find(|number| case.versions.seen[*number as usize]).map(append);
    let gone = append(gone);
    let (kind, visible) = match seen {
        Some(seen) => {
            let read = format!("is visible in part: {} of {} was read", seen.value, case.names.log(seen.log));
            (FindingKind::Torn, read)
        }
        // Where not all of it is known to be absent it may just not have been read; what stands in no log is lost in each by itself.
        None if missing.len() < appends(case, txn).count() => return None,
        None if !missing.iter().all(|(number, _)| case.versions.present[*number as usize]) => return None,
        None => (FindingKind::LostCommit, "was committed and is not visible".to_owned()),
    };
    let (who, proof_label) = (case.label(txn), case.label(proof));
    let sentence =
        format!("{who} {visible}, and {proof_label} did not find {} in {}", gone.value, case.names.log(gone.log));
    let values = missing.iter().map(|(number, _)| append(*number).value).collect();
    let finding = Finding::new(kind, vec![txn, proof], sentence);
    Some(finding.at(gone.log, (gone.offset >= 0).then_some(history::Offset(gone.offset)), values))
}
