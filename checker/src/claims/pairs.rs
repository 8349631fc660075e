//! Contradictions of the linearizable scan as pairs: what proved a length, and what was invoked later and admits less.

use crate::anomaly::{AnomalyKind, Witness};
use crate::claims::{Case, Instance};
use crate::log::bounds::Stale;
use history::{Kind, Op, Outcome, Value};
use std::collections::BTreeMap;

/// The contradictions of one kind.
pub(super) fn of(case: &Case<'_>, kind: AnomalyKind) -> Vec<Instance> {
    let stale: BTreeMap<i64, &Stale> = case.leads.stale.iter().map(|s| (s.high, s)).collect();
    if stale.is_empty() {
        return Vec::new();
    }
    let denials = case.log.late.iter().filter_map(|late| denied(case, stale.get(&late.op.offset.0)?, late));
    let appends = case.dossiers().flat_map(|(value, d)| d.appends.iter().map(move |op| (value, op)));
    let appends = appends.filter_map(|(value, op)| appended(case, &stale, value, op));
    denials.chain(appends).filter(|(found, _)| *found == kind).map(|(_, instance)| instance).collect()
}

fn denied(case: &Case<'_>, stale: &Stale, late: &Witness) -> Option<(AnomalyKind, Instance)> {
    let hidden = case.leads.hidden.binary_search(&stale.high).is_ok();
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
    let told = Some(op.offset.0).filter(|&offset| offset >= 0 && op.outcome() == Outcome::Ok);
    let places = told.into_iter().chain(stands.map(|s| s.offset));
    let stale = places.filter_map(|offset| stale.get(&offset)).find(|s| op.invoked > s.since)?;
    let Some(read) = early else {
        return Some((AnomalyKind::LateAppend, instance(case, stale, Witness::bare(op), "was given")));
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
