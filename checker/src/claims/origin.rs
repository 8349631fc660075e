//! Records that stand in a log and should not: told apart by where, if anywhere, they were appended.

use crate::anomaly::Witness;
use crate::claims::{Case, Instance};
use crate::log::facts::{Dossier, Stand};
use history::{NodeId, Outcome, Value};
use std::collections::BTreeMap;

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// Some append to this log may have made it.
    Here,
    /// It was appended to this log, and every append failed.
    Failed,
    /// It was appended, to other logs only.
    Elsewhere,
    /// Nobody appended it.
    Nowhere,
}

fn origin(case: &Case<'_>, dossier: &Dossier) -> Origin {
    let mut here = dossier.appends.iter().filter(|op| op.log == case.leads.log).peekable();
    match (here.peek().is_some(), dossier.appends.is_empty()) {
        (true, _) if here.all(|op| op.outcome() == Outcome::Fail) => Origin::Failed,
        (true, _) => Origin::Here,
        (false, true) => Origin::Nowhere,
        (false, false) => Origin::Elsewhere,
    }
}

/// The ordinary records of one origin that stand in the log.
pub(super) fn strangers(case: &Case<'_>, wanted: Origin, what: &str) -> Vec<Instance> {
    let mut found = Vec::new();
    for (value, dossier) in case.dossiers().filter(|(v, d)| v.is_ordinary() && origin(case, d) == wanted) {
        for (offset, (read, replicas)) in standing(case, dossier) {
            let appends = dossier.appends.iter().map(Witness::bare);
            let witnesses = appends.chain(read.map(|s| s.first.clone())).collect();
            let sentence = format!("record {value} at offset {offset} of {} {what}", case.name());
            found.push(Instance { offset, values: vec![value], replicas, witnesses, sentence, ..Instance::default() });
        }
    }
    found
}

/// The offsets at which a reserved value stands.
pub(super) fn places(case: &Case<'_>, value: Value, what: &str) -> Vec<Instance> {
    let Some(dossier) = case.leads.values.binary_search(&value).ok().and_then(|_| case.facts.dossier(value)) else {
        return Vec::new();
    };
    let instance = |(offset, (read, replicas)): (i64, (Option<&Stand>, Vec<NodeId>))| {
        let sentence = format!("{what} at offset {offset} of {}", case.name());
        let witnesses = read.map(|s| s.first.clone()).into_iter().collect();
        Instance { offset, values: vec![value], replicas, witnesses, sentence, ..Instance::default() }
    };
    standing(case, dossier).into_iter().map(instance).collect()
}

/// Where a value stands: by reads, and by replicas where committed.
fn standing<'a>(case: &Case<'_>, dossier: &'a Dossier) -> BTreeMap<i64, (Option<&'a Stand>, Vec<NodeId>)> {
    let mut places: BTreeMap<i64, (Option<&Stand>, Vec<NodeId>)> = BTreeMap::new();
    for stand in dossier.stands.iter().filter(|s| s.log == case.leads.log) {
        places.entry(stand.offset).or_default().0 = Some(stand);
    }
    let committed =
        dossier.copies.iter().filter(|c| c.log == case.leads.log && c.offset.0 < case.leads.edges.committed);
    for copy in committed {
        places.entry(copy.offset.0).or_default().1.push(copy.node);
    }
    places
}
