//! Offsets with two values, sorted by who said so.

use crate::anomaly::{AnomalyKind, Witness};
use crate::claims::fate::told;
use crate::claims::{Case, Instance};
use history::{NodeId, Value};
use std::collections::BTreeMap;

/// Whose word counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// Acknowledgements, reads and replicas.
    Anything,
    /// Reads alone.
    Reads,
    /// Replicas, and reads against them.
    Replicas,
}

/// Who says that one value stands at an offset.
#[derive(Default)]
struct Voices {
    acks: Vec<Witness>,
    reads: Vec<Witness>,
    replicas: Vec<NodeId>,
}

type Offsets = BTreeMap<i64, BTreeMap<Value, Voices>>;

pub(super) fn disputes(case: &Case<'_>, sort: Sort, kind: AnomalyKind) -> Vec<Instance> {
    voices(case).into_iter().filter_map(|(offset, values)| dispute(case, (sort, kind), offset, values)).collect()
}

fn voices(case: &Case<'_>) -> Offsets {
    let (log, disputed) = (case.leads.log, &case.leads.disputed);
    let mut offsets = Offsets::new();
    let open = |offset: &i64| disputed.binary_search(offset).is_ok();
    let ordinary = case.dossiers().filter(|(value, _)| !disputed.is_empty() && value.is_ordinary());
    for (value, dossier) in ordinary {
        let mut at = |offset: i64, speak: &mut dyn FnMut(&mut Voices)| {
            speak(offsets.entry(offset).or_default().entry(value).or_default());
        };
        for op in dossier.appends.iter().filter(|op| op.log == log) {
            told(op).filter(open).inspect(|&o| at(o, &mut |v| v.acks.push(Witness::bare(op))));
        }
        for stand in dossier.stands.iter().filter(|s| s.log == log && open(&s.offset)) {
            at(stand.offset, &mut |v| v.reads.push(stand.first.clone()));
        }
        let committed = |o: i64| o < case.leads.edges.committed && open(&o);
        for copy in dossier.copies.iter().filter(|c| c.log == log && committed(c.offset.0)) {
            at(copy.offset.0, &mut |v| v.replicas.push(copy.node));
        }
    }
    offsets
}

fn dispute(
    case: &Case<'_>,
    (sort, kind): (Sort, AnomalyKind),
    offset: i64,
    mut values: BTreeMap<Value, Voices>,
) -> Option<Instance> {
    values.retain(|_, voices| match sort {
        Sort::Anything => true,
        Sort::Reads => !voices.reads.is_empty(),
        Sort::Replicas => !voices.reads.is_empty() || !voices.replicas.is_empty(),
    });
    let on_disk = values.values().any(|v| !v.replicas.is_empty());
    if values.len() < 2 || sort == Sort::Replicas && !on_disk {
        return None;
    }
    let said: Vec<String> = values.iter().map(|(value, voices)| voices.say(*value)).collect();
    let verb = if kind == AnomalyKind::ChangedOffset { "was read as" } else { "is" };
    let sentence = format!("offset {offset} of {} {verb} {}", case.name(), said.join(" and as "));
    let mut replicas: Vec<NodeId> = values.values().flat_map(|v| v.replicas.iter().copied()).collect();
    replicas.sort_unstable();
    replicas.dedup();
    let names = values.keys().copied().collect();
    let mut witnesses: Vec<Witness> = values.into_values().flat_map(|v| v.acks.into_iter().chain(v.reads)).collect();
    witnesses.sort_by_key(Witness::time);
    Some(Instance { offset, values: names, replicas, witnesses, sentence, ..Instance::default() })
}

impl Voices {
    fn say(&self, value: Value) -> String {
        let mut by = Vec::new();
        by.extend((!self.acks.is_empty()).then(|| "its acknowledgement".to_owned()));
        by.extend((!self.reads.is_empty()).then(|| "readers".to_owned()));
        let nodes: Vec<String> = self.replicas.iter().map(|n| n.0.to_string()).collect();
        by.extend((!nodes.is_empty()).then(|| format!("replica {}", nodes.join(", "))));
        format!("{value} ({})", by.join(", "))
    }
}
