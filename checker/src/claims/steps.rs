//! Readers' ways, step by step: each read against the position the one before it left.

use crate::anomaly::Witness;
use crate::claims::{Case, Instance};
use crate::log::facts::{Step, Transaction, crosses};
use history::Record;
use std::collections::BTreeSet;

/// Which way a step went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// Not forward.
    Back,
    /// Over records.
    Over,
}

/// Wrong steps from one read to the next.
pub(super) fn between(case: &Case<'_>, way: Way) -> Vec<Instance> {
    let (mut found, mut last): (Vec<Instance>, Option<(&Step, Record)>) = (Vec::new(), None);
    let hidden = hidden(case);
    for step in &case.log.steps {
        let held = last.filter(|(before, _)| before.process == step.process);
        let Some((first, end)) = step.span else {
            last = None;
            continue;
        };
        if let Some((before, position)) = held {
            let (from, to) = (position.offset.0, first.offset.0);
            if wrong(case, &hidden, way, (from, to)) {
                let witnesses = vec![kept(before), kept(step)];
                found.push(instance(case, way, (from, to), witnesses));
            }
        }
        last = Some((step, end));
    }
    found
}

/// Wrong steps within one read.
pub(super) fn within(case: &Case<'_>, way: Way) -> Vec<Instance> {
    let hidden = hidden(case);
    let wrong = case.log.jumps.iter().filter(|j| wrong(case, &hidden, way, (j.from, j.to)));
    wrong.map(|j| instance(case, way, (j.from, j.to), vec![j.read.clone()])).collect()
}

fn wrong(case: &Case<'_>, hidden: &BTreeSet<i64>, way: Way, (from, to): (i64, i64)) -> bool {
    match way {
        Way::Back => to <= from,
        Way::Over if hidden.is_empty() => crosses(&case.leads.passed_over, from, to),
        Way::Over => {
            carried(case, from, to)
                > hidden.range(from.saturating_add(1)..to.max(from.saturating_add(1))).count() as i64
        }
    }
}

/// How many offsets strictly between carry a record.
fn carried(case: &Case<'_>, from: i64, to: i64) -> i64 {
    let stretches = case.leads.passed_over.iter().map(|i| (i.0.max(from.saturating_add(1)), i.1.min(to)));
    stretches.filter(|i| i.0 < i.1).map(|i| i.1 - i.0).sum()
}

/// Offsets that carry only records of transactions of which a reader may see nothing.
fn hidden(case: &Case<'_>) -> BTreeSet<i64> {
    let (mut hidden, mut shown) = (BTreeSet::new(), BTreeSet::new());
    if !case.facts.transactions() {
        return hidden;
    }
    for (_, dossier) in case.dossiers() {
        let doubtful = |op| case.facts.transaction(op) == Transaction::Doubtful;
        let aborted = !dossier.appends.is_empty() && dossier.appends.iter().all(doubtful);
        let offsets = dossier.stands.iter().filter(|s| s.log == case.leads.log).map(|s| s.offset);
        if aborted { hidden.extend(offsets) } else { shown.extend(offsets) }
    }
    &hidden - &shown
}

fn kept(step: &Step) -> Witness {
    let near: Vec<Record> = step.span.into_iter().flat_map(|(first, last)| [first, last]).take(step.count).collect();
    Witness { op: step.op, near, count: step.count }
}

fn instance(case: &Case<'_>, way: Way, (from, to): (i64, i64), witnesses: Vec<Witness>) -> Instance {
    let who = witnesses.last().map_or_else(String::new, |w| case.names.process(w.op.process()));
    let log = case.name();
    let sentence = match way {
        Way::Back => format!("{who} was handed offset {to} of {log} after it had been handed offset {from}"),
        Way::Over => format!("{who} was handed offset {to} of {log} next after {from}, and there are records between"),
    };
    Instance { offset: to, witnesses, sentence, ..Instance::default() }
}
