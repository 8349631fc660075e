//! G1b: a read that says it is complete shows one record of a transaction and not the next one in the same log.
//!
//! ```text
//! T1  append x @0, append y @1, commit
//! R   everything from 0 on: x             caught
//! R   some records: x                     innocent: it does not say that there were no more
//! ```

use super::case::{Case, Reading};
use super::edges::tail_end;
use super::finding::{Finding, FindingKind};
use super::transaction::{Extent, MicroOp};
use super::writers::Append;
use history::Offset;

/// One finding for each read, with the first such record.
pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.committed_readings()
        .filter(|reading| reading.extent != Extent::Some)
        .filter_map(|reading| in_reading(case, &reading))
        .collect()
}

fn in_reading(case: &Case<'_>, reading: &Reading<'_>) -> Option<Finding> {
    let end = tail_end(reading.from, reading.records);
    reading.records.iter().find_map(|record| {
        let (_, append) = case.append(record.value)?;
        let writer = append.txn as usize;
        if writer == reading.txn || case.transactions[writer].ops.len() == 1 {
            return None;
        }
        let next = following(case, append).filter(|next| next.acked)?;
        let must_be_there = match next.offset {
            told if told > record.offset.0 && told < end => true,
            told => reading.extent == Extent::Tail && (told < 0 || told >= end),
        };
        if !must_be_there || reading.records.iter().any(|other| other.value == next.value) {
            return None;
        }
        let (who, what) = (case.label(reading.txn), case.label(writer));
        let sentence =
            format!("{who} saw {} and not {}, both of which {what} appended to one log", record.value, next.value);
        let finding = Finding::new(FindingKind::IntermediateRead, vec![writer, reading.txn], sentence);
        Some(finding.at(reading.log, Some(Offset(record.offset.0)), vec![record.value, next.value]))
    })
}

/// The transaction's next append to the same log.
fn following<'a>(case: &'a Case<'_>, append: &Append) -> Option<&'a Append> {
    let ops = &case.transactions[append.txn as usize].ops;
    let mut later = ops.iter().filter_map(|op| match op {
        MicroOp::Append { log, value, .. } if *log == append.log => Some(*value),
        _ => None,
    });
    later.find(|value| *value == append.value)?;
    case.append(later.next()?).map(|(_, next)| next)
}
