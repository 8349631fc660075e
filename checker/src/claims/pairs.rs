//! Contradictions of the linearizable scan as pairs: what proved a length, and what was invoked later and admits less.

use crate::anomaly::{AnomalyKind, Witness};
use crate::claims::fate::told;
use crate::claims::{Case, Instance};
use crate::log::bounds::Stale;
use crate::log::facts::Stand;
use history::{Kind, Nanos, Op, Outcome, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The contradictions of a log, by what they have in common.
struct Pairs<'a> {
    case: &'a Case<'a>,
    /// By the length that is admitted too late.
    stale: BTreeMap<i64, &'a Stale>,
    /// Holes that only an unseen append can have filled.
    assigned: HashMap<Value, i64>,
    /// Acknowledgements without an offset, which prove one only together with a read.
    untold: HashMap<Nanos, &'a Op>,
}

/// The contradictions of one kind.
pub(super) fn of(case: &Case<'_>, kind: AnomalyKind) -> Vec<Instance> {
    if case.leads.stale.is_empty() {
        return Vec::new();
    }
    let pairs = Pairs::new(case);
    match kind {
        AnomalyKind::LateAppend | AnomalyKind::ReadBeforeSend => pairs.appends(kind),
        _ => pairs.denials(kind),
    }
}

impl<'a> Pairs<'a> {
    fn new(case: &'a Case<'a>) -> Pairs<'a> {
        let mine = case.dossiers().flat_map(|(_, d)| &d.appends).filter(|op| op.log == case.leads.log);
        let untold = mine.filter(|op| op.outcome() == Outcome::Ok && told(op).is_none());
        Pairs {
            case,
            stale: case.leads.stale.iter().map(|s| (s.high, s)).collect(),
            assigned: case.leads.assigned.iter().map(|a| (a.1, a.0)).collect(),
            untold: untold.map(|op| (op.returned, op)).collect(),
        }
    }

    fn stands(&self, value: Value) -> impl Iterator<Item = &'a Stand> + use<'a> {
        let (dossier, log) = (self.case.facts.dossier(value), self.case.leads.log);
        dossier.into_iter().flat_map(|d| &d.stands).filter(move |s| s.log == log)
    }

    /// Offsets of acknowledged records that were denied and that the drain read, and nobody else.
    fn hidden(&self) -> BTreeSet<i64> {
        let mut hidden = BTreeSet::new();
        for (value, dossier) in self.case.dossiers() {
            let told = dossier.appends.iter().filter(|op| op.log == self.case.leads.log).filter_map(told);
            for offset in told.filter(|offset| self.stale.contains_key(offset)) {
                let stand = self.stands(value).find(|s| s.offset == offset);
                hidden.extend(stand.filter(|s| s.drained && !s.live).map(|_| offset));
            }
        }
        hidden
    }

    /// Reads and questions that were told too little.
    fn denials(&self, kind: AnomalyKind) -> Vec<Instance> {
        let hidden = self.hidden();
        let mut found = Vec::new();
        for late in &self.case.log.late {
            let Some(stale) = self.stale.get(&late.op.offset.0) else { continue };
            let fetch = late.op.kind() == Kind::Fetch;
            let is = match (hidden.contains(&stale.high), fetch) {
                (true, _) => AnomalyKind::HiddenUntilHeal,
                (false, true) => AnomalyKind::StaleRead,
                (false, false) => AnomalyKind::StaleEnd,
            };
            if is == kind {
                let what = if fetch { "found nothing at" } else { "was told the end" };
                found.push(self.instance(stale, late.clone(), what));
            }
        }
        found
    }

    /// Appends whose offset is below an end proven before they were invoked.
    fn appends(&self, kind: AnomalyKind) -> Vec<Instance> {
        let appends = self.case.dossiers().flat_map(|(value, d)| d.appends.iter().map(move |op| (value, op)));
        let mine = appends.filter(|(_, op)| op.log == self.case.leads.log && op.outcome() != Outcome::Fail);
        mine.filter_map(|(value, op)| self.append(kind, value, op)).collect()
    }

    fn append(&self, kind: AnomalyKind, value: Value, op: &Op) -> Option<Instance> {
        let assigned = self.assigned.get(&value).copied();
        let places = told(op).or(assigned).into_iter().chain(self.stands(value).map(|s| s.offset));
        let stale = places.filter_map(|offset| self.stale.get(&offset)).find(|s| op.invoked > s.since)?;
        let early = self.stands(value).find(|s| s.first.op.returned < op.invoked);
        match (kind, early) {
            (AnomalyKind::ReadBeforeSend, Some(read)) => Some(self.read_before(value, read, op)),
            (AnomalyKind::LateAppend, None) => {
                let what = if assigned.is_some() { "alone can have made" } else { "was given" };
                Some(self.instance(stale, Witness::bare(op), what))
            }
            _ => None,
        }
    }

    fn read_before(&self, value: Value, read: &Stand, op: &Op) -> Instance {
        let (offset, log) = (read.offset, self.case.name());
        let sentence = format!("record {value} was read at offset {offset} of {log} before its append was invoked");
        let witnesses = vec![read.first.clone(), Witness::bare(op)];
        Instance { offset, values: vec![value], witnesses, sentence, ..Instance::default() }
    }

    fn instance(&self, stale: &Stale, late: Witness, what: &str) -> Instance {
        let (names, log) = (self.case.names, self.case.name());
        let who = names.process(late.op.process());
        let proof = self.proof(stale);
        let by = proof.as_ref().map_or_else(String::new, |p| format!(" by {}", names.process(p.op.process())));
        let (high, low) = (stale.high, stale.low);
        let sentence = format!("{who} {what} offset {high} of {log}, invoked after offset {low} had been proven{by}");
        let values = (late.op.kind() == Kind::Append).then(|| late.op.value()).into_iter().collect();
        let witnesses = proof.into_iter().chain([late]).collect();
        Instance { offset: high, values, witnesses, sentence, ..Instance::default() }
    }

    /// The operation that proved `low`: one whose reply said so, or an acknowledgement that did not tell its offset.
    fn proof(&self, stale: &Stale) -> Option<Witness> {
        let told = self.case.log.proofs.get(&stale.low).cloned();
        told.or_else(|| self.untold.get(&stale.since).map(|op| Witness::bare(op)))
    }
}
