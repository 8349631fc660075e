//! Findings as anomalies of the judgement.

use super::{Delivery, Finding, FindingKind, Report, judge};
use crate::anomaly::{AnomalyKind, Witness};
use crate::claims::Instance;
use crate::hash::Map;
use crate::source::{Source, extract};
use history::{History, Kind, LogId, Op};

/// What groups have to answer for.
pub(crate) struct Answers {
    pub(crate) found: Vec<(LogId, AnomalyKind, Instance)>,
    /// What each group was delivered of each log.
    pub(crate) deliveries: Vec<Delivery>,
    /// Some position was stored.
    pub(crate) stored: bool,
    /// Some log was assigned.
    pub(crate) assigned: bool,
}

/// All anomalies of groups.
pub(crate) fn anomalies(source: &dyn Source) -> Answers {
    let history = touched(source);
    let Report { deliveries, findings } = judge(&history);
    let any = |kind| history.ops.iter().any(|op| op.kind() == kind);
    Answers {
        found: findings.into_iter().map(instance).collect(),
        deliveries,
        stored: any(Kind::Commit),
        assigned: any(Kind::Assign),
    }
}

/// The operations on logs that groups touch, as far as groups are concerned.
fn touched(source: &dyn Source) -> History {
    let of_groups = |op: &&Op| matches!(op.kind(), Kind::Assign | Kind::Revoke | Kind::Commit | Kind::Committed);
    let (mut logs, mut producers) = (Map::default(), Map::default());
    source.walk(&mut |batch| {
        logs.extend(batch.ops.iter().filter(of_groups).map(|op| (op.log, ())));
        let begins = batch.ops.iter().filter(|op| op.kind() == Kind::TxnBegin);
        producers.extend(begins.map(|op| (op.process(), ())));
    });
    if logs.is_empty() {
        return History { names: source.names().clone(), ..History::default() };
    }
    extract(source, |op| match op.kind() {
        Kind::TxnBegin | Kind::TxnCommit | Kind::TxnAbort => true,
        Kind::Append => producers.contains_key(&op.process()),
        Kind::StableEnd | Kind::Epoch => false,
        _ => logs.contains_key(&op.log),
    })
}

fn kind(finding: FindingKind) -> AnomalyKind {
    match finding {
        FindingKind::Skipped => AnomalyKind::GroupSkipped,
        FindingKind::Redelivered => AnomalyKind::GroupRedelivered,
        FindingKind::CommitWentBack => AnomalyKind::CommitWentBack,
        FindingKind::CommitLost => AnomalyKind::CommitLost,
        FindingKind::CommitFromNowhere => AnomalyKind::CommitFromNowhere,
        FindingKind::ResumedEarlier => AnomalyKind::ResumedEarlier,
        FindingKind::ResumedLater => AnomalyKind::ResumedLater,
        FindingKind::OutOfRangeReset => AnomalyKind::OutOfRangeReset,
        FindingKind::TwoOwners => AnomalyKind::TwoOwners,
        FindingKind::GenerationShared => AnomalyKind::GenerationShared,
        FindingKind::StaleGenerationCommit => AnomalyKind::StaleGenerationCommit,
        FindingKind::GenerationWentBack => AnomalyKind::GenerationWentBack,
    }
}

fn instance(finding: Finding) -> (LogId, AnomalyKind, Instance) {
    let offset = finding.offsets.first().map_or(-1, |(first, _)| *first);
    let witnesses = finding.ops.iter().map(Witness::bare).collect();
    let Finding { log, kind: of, offsets: stretches, count: times, sentence, .. } = finding;
    (log, kind(of), Instance { offset, witnesses, sentence, stretches, times, ..Instance::default() })
}
