//! One record, two places: a value stands at two offsets of a log, by reads, replicas, or two acknowledgements.

use crate::anomaly::AnomalyKind;
use crate::anomaly::Witness;
use crate::claim::Claim;
use crate::claims::fate::told;
use crate::claims::{Case, Definition, Instance};
use crate::log::facts::Dossier;
use history::Value;
use std::collections::BTreeMap;

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::Duplicate,
    name: "duplicate",
    claim: Claim::NoDuplicate,
    jepsen: Some("duplicate"),
    meaning: "a value stands at two offsets of one log",
    example: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 1:1.0 [3 4]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 [3 4]
        c2 poll 0:1.0 [5 6]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    case.dossiers().filter(|(value, _)| value.is_ordinary()).filter_map(|(value, d)| twice(case, value, d)).collect()
}

fn twice(case: &Case<'_>, value: Value, dossier: &Dossier) -> Option<Instance> {
    let log = case.leads.log;
    let mut seen: BTreeMap<i64, Option<Witness>> = BTreeMap::new();
    let copies = dossier.copies.iter().filter(|c| c.log == log && c.offset.0 < case.leads.edges.committed);
    seen.extend(copies.map(|c| (c.offset.0, None)));
    seen.extend(dossier.stands.iter().filter(|s| s.log == log).map(|s| (s.offset, Some(s.first.clone()))));
    let acks =
        dossier.appends.iter().filter(|op| op.log == log).filter_map(|op| Some((told(op)?, Some(Witness::bare(op)))));
    let acks: BTreeMap<i64, Option<Witness>> = acks.collect();
    let places = if acks.len() > 1 { acks.into_iter().chain(seen).collect() } else { seen };
    let (first, last) = (*places.first_key_value()?.0, *places.last_key_value()?.0);
    let sentence =
        format!("record {value} stands at {} offsets of {}, first {first} and last {last}", places.len(), case.name());
    let appends = dossier.appends.iter().filter(|op| op.log == log).map(Witness::bare);
    let witnesses = appends.chain(places.values().flatten().cloned()).collect();
    (places.len() > 1).then(|| Instance {
        offset: first,
        values: vec![value],
        witnesses,
        sentence,
        ..Instance::default()
    })
}
