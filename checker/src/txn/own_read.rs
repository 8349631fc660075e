//! A transaction read what it had itself appended and not committed yet.
//!
//! ```text
//! T1  append x, read x, commit       caught: committed data alone may be read
//! T1  append x, commit;  T2  read x  innocent
//! ```

use super::case::Case;
use super::finding::{Finding, FindingKind};

/// One finding for each such transaction.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for reading in case.committed_readings().filter(|reading| case.transactions[reading.txn].ops.len() > 1) {
        let own = |value| case.append(value).is_some_and(|(_, append)| append.txn as usize == reading.txn);
        let Some(record) = reading.records.iter().find(|record| own(record.value)) else { continue };
        if let Some(known) = findings.last_mut().filter(|f| f.transactions == [reading.txn]) {
            known.count += 1;
            continue;
        }
        let who = case.label(reading.txn);
        let sentence = format!("{who} read its own {} at offset {} before its commit", record.value, record.offset.0);
        let finding = Finding::new(FindingKind::OwnRead, vec![reading.txn], sentence);
        findings.push(finding.at(reading.log, Some(record.offset), vec![record.value]));
    }
    findings
}
