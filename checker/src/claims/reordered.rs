//! Order lost on the way: a writer's record stands behind one that it handed over later.

use crate::anomaly::AnomalyKind;
use crate::anomaly::Witness;
use crate::claim::Claim;
use crate::claims::{Case, Definition, Instance};
use crate::log::facts::Dossier;
use crate::log::order::Inversion;
use history::Value;

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::Reordered,
    name: "reordered",
    claim: Claim::ProducerOrder,
    jepsen: Some("nonmonotonic-send"),
    meaning: "a writer's later record stands before an earlier one",
    example: "
        w1 append 1.0 @1 [1 9]
        w1 append 1.1 @0 [2 8]
        c1 poll 0:1.1 1:1.0 [10 11]
    ",
    innocent: "
        w1 append 1.0 @1 [1 9]
        w2 append 2.1 @0 [2 8]
        c1 poll 0:2.1 1:1.0 [10 11]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    case.leads.inversions.iter().filter_map(|inversion| confirmed(case, inversion)).collect()
}

/// A second place of a value is a duplicate, not an inversion, and a place that only an acknowledgement told may be none.
fn confirmed(case: &Case<'_>, inversion: &Inversion) -> Option<Instance> {
    let Inversion { value, offset, before, .. } = *inversion;
    if value == before {
        return None;
    }
    let (late, early) = (case.facts.dossier(value)?, case.facts.dossier(before)?);
    let before_offset = first_place(case, early)?;
    if first_place(case, late)? != offset.0 || before_offset >= offset.0 {
        return None;
    }
    let sentence = format!(
        "record {value} stands at offset {offset} of {}, behind {before} at {before_offset}, which was handed over later",
        case.name(),
        offset = offset.0,
    );
    let witnesses = evidence(case, before, early).into_iter().chain(evidence(case, value, late)).collect();
    Some(Instance { offset: offset.0, values: vec![before, value], witnesses, sentence, ..Instance::default() })
}

fn first_place(case: &Case<'_>, dossier: &Dossier) -> Option<i64> {
    let log = case.leads.log;
    let stands = dossier.stands.iter().filter(|s| s.log == log).map(|s| s.offset);
    let committed = |offset: &i64| *offset < case.leads.edges.committed;
    let copies = dossier.copies.iter().filter(|c| c.log == log).map(|c| c.offset.0).filter(committed);
    let acks = dossier.appends.iter().filter(|op| op.log == log && op.offset.0 >= 0).map(|op| op.offset.0);
    stands.min().or(copies.min()).or(acks.min())
}

fn evidence(case: &Case<'_>, value: Value, dossier: &Dossier) -> Vec<Witness> {
    let mine = |op: &&history::Op| op.log == case.leads.log && op.value() == value;
    let append = dossier.appends.iter().find(mine).map(Witness::bare);
    let read = dossier.stands.iter().find(|s| s.log == case.leads.log).map(|s| s.first.clone());
    append.into_iter().chain(read).collect()
}
