//! A zombie's write: a record stands after one whose append was invoked when the record's own transaction had ended.
//!
//! A single append on its own is no transaction; the per-log claims judge it. Offsets are given in the order of time, so the record was written after the end of its transaction: by a producer that
//! had been fenced, or by a broker that applied a request twice.
//!
//! ```text
//! T1  append x, abort acknowledged at 5
//! T2  begun at 6: append y @7;   x stands at 8        caught
//! T2  begun at 4: append y @7;   x stands at 8        innocent: they were open together
//! ```

use super::case::Case;
use super::finding::{Finding, FindingKind};
use super::transaction::Status;
use history::{Nanos, Offset};

/// One finding for each such transaction and log.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for log in case.versions.logs() {
        let mut latest: Option<(Nanos, usize, i64)> = None;
        let mut last = None;
        for (offset, append) in case.versions.all(log) {
            let append = case.writers.appends[append as usize];
            let txn = append.txn as usize;
            let transaction = &case.transactions[txn];
            let plain = transaction.ops.len() == 1 && transaction.status == Status::Committed;
            let ended = transaction.returned.filter(|_| transaction.status != Status::Unknown && !plain);
            let after = latest.filter(|(invoked, _, _)| ended.is_some_and(|ended| ended < *invoked));
            if let Some((_, newer, stood)) = after
                && last.replace(txn) != Some(txn)
            {
                let sentence = format!(
                    "{} of {} was written at offset {offset} after its end: {stood} before it belongs to {}, begun later",
                    append.value,
                    case.label(txn),
                    case.label(newer),
                );
                let finding = Finding::new(FindingKind::ZombieWrite, vec![txn, newer], sentence);
                findings.push(finding.at(log, Some(Offset(offset)), vec![append.value]));
            }
            if latest.is_none_or(|(invoked, ..)| invoked < transaction.invoked) {
                latest = Some((transaction.invoked, txn, offset));
            }
        }
    }
    findings
}
