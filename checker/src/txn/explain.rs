//! A cycle in words: which record, which read, which times make each step.

use super::case::Case;
use super::cycles::{CycleShape, Hop};
use super::edges::{Dependency, tail_end};
use super::finding::{Because, Finding, FindingKind, Step};
use super::transaction::{Extent, MicroOp, View};
use history::{Nanos, Offset};

/// The finding for a cycle of the given nodes.
pub(super) fn cycle(case: &Case<'_>, shape: CycleShape, nodes: &[u32], hops: &[Hop]) -> Finding {
    let at = |i: usize| nodes[hops[i % hops.len()].0 as usize] as usize;
    let steps: Vec<Step> = hops
        .iter()
        .enumerate()
        .map(|(i, (_, kind))| Step { from: at(i), to: at(i + 1), because: because(case, at(i), at(i + 1), *kind) })
        .collect();
    let words: Vec<String> = steps.iter().map(|step| words(case, step)).collect();
    let sentence = format!("no order explains this ({}): {}", FindingKind::Cycle(shape), words.join("; "));
    let transactions = steps.iter().map(|step| step.from).collect();
    Finding { steps, ..Finding::new(FindingKind::Cycle(shape), transactions, sentence) }
}

fn because(case: &Case<'_>, from: usize, to: usize, kind: Dependency) -> Because {
    let found = match kind {
        Dependency::Ww => ww(case, from, to),
        Dependency::Wr => wr(case, from, to),
        Dependency::Rw => rw(case, from, to),
        Dependency::Rt => None,
    };
    let (earlier, later) = (&case.transactions[from], &case.transactions[to]);
    found.unwrap_or(Because::Rt { returned: earlier.returned.unwrap_or(Nanos::NEVER), invoked: later.invoked })
}

/// The places of a transaction's records: (log, offset).
fn places<'a>(case: &'a Case<'_>, txn: usize) -> impl Iterator<Item = (history::LogId, i64)> + 'a {
    let appends = case.transactions[txn].ops.iter().filter_map(|op| match op {
        MicroOp::Append { log, value, .. } => Some((*log, case.writers.find(*value)?)),
        _ => None,
    });
    appends.flat_map(|(log, append)| {
        let told = case.writers.appends[append as usize].offset;
        let known = case.versions.at(log, told) == Some(append);
        match known {
            true => Some((log, told)),
            false => case.versions.all(log).find(|(_, other)| *other == append).map(|(offset, _)| (log, offset)),
        }
    })
}

/// The next record of a transaction that happened, after `offset`.
fn next(case: &Case<'_>, log: history::LogId, offset: i64) -> Option<(i64, usize)> {
    let after = case.versions.after(log, offset);
    let writer = |append: u32| case.writers.appends[append as usize].txn as usize;
    after.map(|(offset, append)| (offset, writer(append))).find(|(_, txn)| case.versions.happened[*txn])
}

fn ww(case: &Case<'_>, from: usize, to: usize) -> Option<Because> {
    places(case, from).find_map(|(log, offset)| {
        let (after, _) = next(case, log, offset.checked_add(1)?).filter(|(_, writer)| *writer == to)?;
        Some(Because::Ww { log, offsets: (Offset(offset), Offset(after)) })
    })
}

fn wr(case: &Case<'_>, from: usize, to: usize) -> Option<Because> {
    case.transactions[to].ops.iter().find_map(|op| {
        let MicroOp::Read { log, records, view: View::Committed, .. } = op else { return None };
        let theirs = |value| case.append(value).is_some_and(|(_, append)| append.txn as usize == from);
        let record = records.iter().find(|record| theirs(record.value))?;
        Some(Because::Wr { log: *log, offset: record.offset, value: record.value })
    })
}

fn rw(case: &Case<'_>, from: usize, to: usize) -> Option<Because> {
    case.transactions[from].ops.iter().find_map(|op| {
        let MicroOp::Read { log, from, records, extent: Extent::Tail, view: View::Committed } = op else { return None };
        let end = tail_end(*from, records);
        let (offset, _) = next(case, *log, end).filter(|(_, writer)| *writer == to)?;
        Some(Because::Rw { log: *log, end: Offset(end), offset: Offset(offset) })
    })
}

fn words(case: &Case<'_>, step: &Step) -> String {
    let (earlier, later) = (case.label(step.from), case.label(step.to));
    let seconds = |t: Nanos| (i128::from(t.0) - i128::from(case.names.epoch.0)) as f64 / 1e9;
    match step.because {
        Because::Ww { log, offsets: (a, b) } => {
            format!("{later} wrote offset {} of {} next after {earlier} wrote {}", b.0, case.names.log(log), a.0)
        }
        Because::Wr { log, offset, value } => {
            format!("{later} read {value} at offset {} of {}, which {earlier} wrote", offset.0, case.names.log(log))
        }
        Because::Rw { log, end, offset } => {
            format!("{earlier} saw {} end at {}, where {later} wrote offset {}", case.names.log(log), end.0, offset.0)
        }
        Because::Rt { returned, invoked } => format!(
            "{earlier} had returned at {:.6} s before {later} was invoked at {:.6} s",
            seconds(returned),
            seconds(invoked)
        ),
    }
}
