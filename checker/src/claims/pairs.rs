//! Contradictions of the linearizable scan as pairs: what proved a length, and what was invoked later and admits less.

use crate::anomaly::{AnomalyKind, Witness};
use crate::claims::fate::told;
use crate::claims::{Case, Instance};
use crate::log::bounds::Stale;
use history::{Kind, Op, Outcome, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The contradictions of one kind.
pub(super) fn of(case: &Case<'_>, kind: AnomalyKind) -> Vec<Instance> {
    let stale: BTreeMap<i64, &Stale> = case.leads.stale.iter().map(|s| (s.high, s)).collect();
    if stale.is_empty() {
        return Vec::new();
    }
    let hidden = hidden(case, &stale);
    let denials = case.log.late.iter().filter_map(|late| denied(case, (stale.get(&late.op.offset.0)?, &hidden), late));
    let appends = case.dossiers().flat_map(|(value, d)| d.appends.iter().map(move |op| (value, op)));
    let appends = appends.filter_map(|(value, op)| appended(case, &stale, value, op));
    denials.chain(appends).filter(|(found, _)| *found == kind).map(|(_, instance)| instance).collect()
}

/// Offsets of acknowledged records that were denied and that the drain read, and nobody else.
fn hidden(case: &Case<'_>, stale: &BTreeMap<i64, &Stale>) -> BTreeSet<i64> {
    let mut hidden = BTreeSet::new();
    for (_, dossier) in case.dossiers() {
        let told = dossier.appends.iter().filter(|op| op.log == case.leads.log).filter_map(told);
        for offset in told.filter(|offset| stale.contains_key(offset)) {
            let stand = dossier.stands.iter().find(|s| s.log == case.leads.log && s.offset == offset);
            hidden.extend(stand.filter(|s| s.drained && !s.live).map(|_| offset));
        }
    }
    hidden
}

fn denied(
    case: &Case<'_>,
    (stale, hidden): (&Stale, &BTreeSet<i64>),
    late: &Witness,
) -> Option<(AnomalyKind, Instance)> {
    let hidden = hidden.contains(&stale.high);
    let (kind, what) = match late.op.kind() {
        Kind::Fetch if hidden => (AnomalyKind::HiddenUntilHeal, "found nothing at"),
        Kind::Fetch => (AnomalyKind::StaleRead, "found nothing at"),
        _ if hidden => (AnomalyKind::HiddenUntilHeal, "was told the end"),
        _ => (AnomalyKind::StaleEnd, "was told the end"),
    };
    Some((kind, instance(case, stale, late.clone(), what)))
}

/// An append whose offset is below an end proven before it was invoked.
fn appended(case: &Case<'_>, stale: &BTreeMap<i64, &Stale>, value: Value, op: &Op) -> Option<(AnomalyKind, Instance)> {
    if op.log != case.leads.log || op.outcome() == Outcome::Fail {
        return None;
    }
    let dossier = case.facts.dossier(value)?;
    let stands = dossier.stands.iter().filter(|s| s.log == op.log);
    let early = stands.clone().find(|s| s.first.op.returned < op.invoked);
    let assigned = case.leads.assigned.iter().find(|a| a.1 == value).map(|a| a.0);
    let places = told(op).or(assigned).into_iter().chain(stands.map(|s| s.offset));
    let stale = places.filter_map(|offset| stale.get(&offset)).find(|s| op.invoked > s.since)?;
    let Some(read) = early else {
        let what = if assigned.is_some() { "alone can have made" } else { "was given" };
        return Some((AnomalyKind::LateAppend, instance(case, stale, Witness::bare(op), what)));
    };
    let sentence =
        format!("record {value} was read at offset {} of {} before its append was invoked", read.offset, case.name());
    let witnesses = vec![read.first.clone(), Witness::bare(op)];
    let found = Instance { offset: read.offset, values: vec![value], replicas: Vec::new(), witnesses, sentence };
    Some((AnomalyKind::ReadBeforeSend, found))
}

fn instance(case: &Case<'_>, stale: &Stale, late: Witness, what: &str) -> Instance {
    let who = case.names.process(late.op.process());
    let proof = proof(case, stale);
    let by = proof.as_ref().map_or_else(String::new, |p| format!(" by {}", case.names.process(p.op.process())));
    let sentence = format!(
        "{who} {what} offset {} of {}, invoked after offset {} had been proven{by}",
        stale.high,
        case.name(),
        stale.low
    );
    let values = (late.op.kind() == Kind::Append).then(|| late.op.value()).into_iter().collect();
    let witnesses = proof.into_iter().chain([late]).collect();
    Instance { offset: stale.high, values, replicas: Vec::new(), witnesses, sentence }
}

/// The operation that proved `low`: one whose reply said so, or an acknowledgement that did not tell its offset.
fn proof(case: &Case<'_>, stale: &Stale) -> Option<Witness> {
    let told = case.log.proofs.get(&stale.low).cloned();
    told.or_else(|| {
        let mut appends = case.dossiers().flat_map(|(_, d)| &d.appends);
        appends.find(|op| op.log == case.leads.log && op.returned == stale.since).map(Witness::bare)
    })
}
