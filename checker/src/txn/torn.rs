//! A transaction is visible in part: some of its records were read, and others are known to be absent.
//!
//! ```text
//! T1  append x to A, append y to B, commit
//! R   A from start to end: x;  B from start to end: nothing      caught
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

/// One finding for each torn transaction.
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

/// Some of its records were read and some were not.
fn is_suspect(case: &Case<'_>, txn: usize) -> bool {
    let appends = || appends(case, txn);
    appends().any(|n| case.versions.seen[n as usize]) && appends().any(|n| !case.versions.seen[n as usize])
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
    let seen = appends(case, txn).find(|number| case.versions.seen[*number as usize])?;
    let [seen, gone] = [seen, gone].map(|number| case.writers.appends[number as usize]);
    let sentence = format!(
        "{} is visible in part: {} of {} was read, and {} did not find {} in {}",
        case.label(txn),
        seen.value,
        case.names.log(seen.log),
        case.label(proof),
        gone.value,
        case.names.log(gone.log),
    );
    let values = missing.iter().map(|(number, _)| case.writers.appends[*number as usize].value).collect();
    let finding = Finding::new(FindingKind::Torn, vec![txn, proof], sentence);
    Some(finding.at(gone.log, (gone.offset >= 0).then_some(history::Offset(gone.offset)), values))
}
