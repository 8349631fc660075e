//! G1a: a record of an aborted transaction was read.
//!
//! ```text
//! T1  append x, abort
//! R           read x          caught
//! T2  append y, commit unknown
//! R           read y          innocent: T2 happened
//! ```

use super::case::Case;
use super::finding::{Finding, FindingKind};
use super::transaction::Status;
use crate::hash::Map;

/// One finding for each aborted transaction, with its first reader and all its values read.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut of_writer: Map<u32, usize> = Map::default();
    for reading in case.committed_readings() {
        for record in reading.records {
            let Some((_, append)) = case.append(record.value) else { continue };
            let writer = append.txn as usize;
            if case.transactions[writer].status != Status::Aborted || writer == reading.txn {
                continue;
            }
            if let Some(known) = of_writer.get(&append.txn) {
                findings[*known].count += 1;
                findings[*known].values.push(record.value);
                continue;
            }
            of_writer.insert(append.txn, findings.len());
            let (who, what) = (case.label(reading.txn), case.label(writer));
            let sentence =
                format!("{who} returned {} at offset {}, which {what} had aborted", record.value, record.offset.0);
            let finding = Finding::new(FindingKind::AbortedRead, vec![writer, reading.txn], sentence);
            findings.push(finding.at(reading.log, Some(record.offset), vec![record.value]));
        }
    }
    for finding in &mut findings {
        finding.values.sort_unstable();
        finding.values.dedup();
    }
    findings
}
