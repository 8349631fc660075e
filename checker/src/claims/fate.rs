//! What became of an acknowledged record: the one decision behind loss, trimming and "not yet read".
//!
//! The drain decides where it got to; elsewhere the replicas' logs do; where there is neither, nobody can.

use crate::anomaly::{AnomalyKind, Witness};
use crate::claims::{Case, Instance};
use crate::log::facts::{Dossier, Transaction};
use history::{Kind, NodeId, Op, Outcome, Value};

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The drain read it, or it need not be readable.
    Fine,
    /// It exists, and no drain was there to read it.
    Exists,
    /// It fell below the log's start before anybody read it.
    Trimmed,
    /// It exists on a replica and cannot be read.
    Unread,
    /// It is gone.
    Lost,
    /// Nobody can tell.
    Undecided,
}

/// The acknowledged append of a value on the case's log.
pub(crate) fn acknowledged<'a>(case: &Case<'_>, dossier: &'a Dossier) -> Option<&'a Op> {
    dossier.appends.iter().find(|op| op.log == case.leads.log && op.outcome() == Outcome::Ok)
}

/// Replicas of the case's log that have the value.
pub(crate) fn holders(case: &Case<'_>, dossier: &Dossier) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = dossier.copies.iter().filter(|c| c.log == case.leads.log).map(|c| c.node).collect();
    nodes.dedup();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// What became of the record that `append` appended.
pub(crate) fn fate(case: &Case<'_>, dossier: &Dossier, append: &Op) -> Fate {
    let coverage = &case.leads.edges.coverage;
    let mut stands = dossier.stands.iter().filter(|s| s.log == case.leads.log).peekable();
    let read = stands.peek().map(|s| s.offset);
    let place = told(append).or(read);
    let read = read.is_some();
    if stands.any(|s| s.drained) || case.facts.transaction(append) == Transaction::Doubtful {
        return Fate::Fine;
    }
    if place.is_some_and(|offset| offset < case.leads.edges.start) {
        return if read { Fate::Fine } else { Fate::Trimmed };
    }
    if place.is_none() && case.leads.edges.start > 0 {
        return Fate::Undecided;
    }
    let held = !holders(case, dossier).is_empty();
    let beyond = place.is_none_or(|offset| coverage.end.is_some_and(|end| offset >= end));
    match (coverage.whole, place.is_some_and(|offset| coverage.decides(offset))) {
        (true, _) if held && beyond => Fate::Unread,
        (true, _) => Fate::Lost,
        (false, _) if held && place.is_some_and(|offset| coverage.withholds(offset)) => Fate::Unread,
        (false, _) if held => Fate::Exists,
        (false, true) => Fate::Lost,
        (false, false) if !case.replicas.is_empty() => Fate::Lost,
        (false, false) if read => Fate::Exists,
        (false, false) => Fate::Undecided,
    }
}

/// Where in the log a lost record stood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Prefix,
    Middle,
    Postfix,
}

fn place(case: &Case<'_>, offset: i64) -> Place {
    match case.leads.survivors {
        Some((low, _)) if offset >= 0 && offset < low => Place::Prefix,
        Some((_, high)) if offset >= 0 && offset < high => Place::Middle,
        _ => Place::Postfix,
    }
}

/// The lost records of one place.
pub(crate) fn lost(case: &Case<'_>, kind: AnomalyKind) -> Vec<Instance> {
    let wanted = match kind {
        AnomalyKind::LostPrefix => Place::Prefix,
        AnomalyKind::LostMiddle => Place::Middle,
        _ => Place::Postfix,
    };
    of_fate(case, Fate::Lost).into_iter().filter(|i| place(case, i.offset) == wanted).collect()
}

/// The acknowledged records of one fate.
pub(crate) fn of_fate(case: &Case<'_>, wanted: Fate) -> Vec<Instance> {
    let mut found = Vec::new();
    for (value, dossier) in case.dossiers() {
        let Some(append) =
            acknowledged(case, dossier).filter(|op| value.is_ordinary() && fate(case, dossier, op) == wanted)
        else {
            continue;
        };
        found.push(instance(case, value, dossier, append));
    }
    found
}

fn instance(case: &Case<'_>, value: Value, dossier: &Dossier, append: &Op) -> Instance {
    let replicas = holders(case, dossier);
    let mut witnesses = vec![Witness::bare(append)];
    witnesses.extend(dossier.stands.iter().filter(|s| s.log == case.leads.log).map(|s| s.last.clone()));
    Instance {
        offset: append.offset.0,
        values: vec![value],
        sentence: sentence(case, value, append, &replicas),
        replicas,
        witnesses,
        ..Instance::default()
    }
}

fn sentence(case: &Case<'_>, value: Value, append: &Op, replicas: &[NodeId]) -> String {
    let offset = match append.offset.0 {
        o if o >= 0 => format!("at offset {o} "),
        _ => String::new(),
    };
    let what = format!("record {value}, acknowledged {offset}of {}", case.name());
    let (coverage, start) = (&case.leads.edges.coverage, case.leads.edges.start);
    if (0..start).contains(&append.offset.0) {
        return format!("{what}, fell below the log's start at {start} before anybody had read it");
    }
    let drain = match (coverage.whole, coverage.end) {
        (true, Some(end)) => format!(", was not there when the log was read from {} to {end}", coverage.start),
        _ => String::from(", was not read to the end"),
    };
    match (replicas, case.replicas.len()) {
        ([], 0) => format!("{what}{drain}"),
        ([], n) => format!("{what}{drain} and is on none of its {n} replicas"),
        (some, n) => {
            let nodes: Vec<String> = some.iter().map(|node| node.0.to_string()).collect();
            format!("{what}{drain}; of its {n} replicas it is on {}", nodes.join(", "))
        }
    }
}

/// True for the kinds of operation that can be a claim to an offset.
pub(crate) fn told(op: &Op) -> Option<i64> {
    (op.kind() == Kind::Append && op.outcome() == Outcome::Ok && op.offset.0 >= 0).then_some(op.offset.0)
}
