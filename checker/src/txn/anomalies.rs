//! Findings as anomalies of the judgement.

use super::cycles::{CycleKind, CycleShape};
use super::finding::{Because, Finding, FindingKind};
use super::transaction::{MicroOp, View};
use super::{Gathered, Report, gather, judge, stalls, withheld};
use crate::anomaly::{AnomalyKind, Witness};
use crate::claims::Instance;
use crate::contract::Promises;
use crate::source::{Source, extract};
use history::{Kind, LogId, Op, Role};

/// What transactions have to answer for.
pub(crate) struct Answers {
    pub(crate) found: Vec<(LogId, AnomalyKind, Instance)>,
    /// Transactions known to have happened; single operations do not count.
    pub(crate) happened: u64,
    /// The budget for cycles ran out.
    pub(crate) budget_spent: bool,
}

/// All anomalies of transactions. Drains and samplers are taken to read everything, others what is committed.
pub(crate) fn anomalies(source: &dyn Source, promises: &Promises) -> Answers {
    let view = |process| match source.names().role(process) {
        Role::Drain | Role::Sampler => View::Everything,
        _ => View::Committed,
    };
    let gathered = gather(source, view, promises.empty_fetches);
    let Report { findings, budget_spent, .. } = judge(&gathered.transactions, &gathered.positions, source.names());
    let mut found: Vec<_> = findings.iter().map(|finding| instance(&gathered, finding)).collect();
    let asked = extract(source, |op| matches!(op.kind(), Kind::StableEnd | Kind::EndOffset));
    let stall_ns_max = promises.stall_ms_max.saturating_mul(1_000_000);
    found.extend(stalls(&asked, stall_ns_max).iter().map(|finding| instance(&gathered, finding)));
    if let Some(ended_ms_max) = promises.ended_ms_max {
        let ended_ns_max = ended_ms_max.saturating_mul(1_000_000);
        found.extend(withheld(&gathered, &asked, ended_ns_max).iter().map(|finding| instance(&gathered, finding)));
    }
    let committed = |(begin, end): &(Op, Option<Op>)| {
        let ok = end.is_some_and(|end| end.kind() == Kind::TxnCommit && end.outcome() == history::Outcome::Ok);
        begin.kind() == Kind::TxnBegin && ok
    };
    let happened = gathered.evidence.iter().filter(|evidence| committed(evidence)).count() as u64;
    Answers { found, happened, budget_spent }
}

fn kind(finding: FindingKind) -> AnomalyKind {
    match finding {
        FindingKind::Cycle(shape) => cycle(shape),
        FindingKind::AbortedRead => AnomalyKind::AbortedRead,
        FindingKind::IntermediateRead => AnomalyKind::IntermediateRead,
        FindingKind::OwnRead => AnomalyKind::OwnUncommittedRead,
        FindingKind::Torn => AnomalyKind::TornTransaction,
        FindingKind::LostCommit => AnomalyKind::LostCommit,
        FindingKind::ZombieWrite => AnomalyKind::ZombieWrite,
        FindingKind::PositionWithoutTransaction => AnomalyKind::PositionWithoutTransaction,
        FindingKind::TransactionWithoutPosition => AnomalyKind::TransactionWithoutPosition,
        FindingKind::StableEndStalled => AnomalyKind::StableEndStalled,
        FindingKind::IntSendSkip => AnomalyKind::IntSendSkip,
        FindingKind::IntNonmonotonicSend => AnomalyKind::IntNonmonotonicSend,
    }
}

/// A cycle that needs the order of writes is not the same violation as one that does not.
fn cycle(shape: CycleShape) -> AnomalyKind {
    match (shape.kind, shape.realtime, shape.ww) {
        (CycleKind::G0, false, _) => AnomalyKind::G0,
        (CycleKind::G0, true, _) => AnomalyKind::G0Realtime,
        (_, _, true) => AnomalyKind::WriteOrderCycle,
        (CycleKind::G1c, false, _) => AnomalyKind::G1c,
        (CycleKind::G1c, true, _) => AnomalyKind::G1cRealtime,
        (CycleKind::GSingle, false, _) => AnomalyKind::GSingle,
        (CycleKind::GSingle, true, _) => AnomalyKind::GSingleRealtime,
        (CycleKind::G2, false, _) => AnomalyKind::G2,
        (CycleKind::G2, true, _) => AnomalyKind::G2Realtime,
    }
}

fn instance(gathered: &Gathered, finding: &Finding) -> (LogId, AnomalyKind, Instance) {
    let step = finding.steps.iter().find_map(|step| match step.because {
        Because::Ww { log, offsets: (_, offset) }
        | Because::Wr { log, offset, .. }
        | Because::Rw { log, offset, .. } => Some((log, offset)),
        Because::Rt { .. } => None,
    });
    let first = finding.transactions.first().and_then(|txn| gathered.transactions[*txn].ops.first());
    let touched = first.map(|op| match op {
        MicroOp::Append { log, .. } | MicroOp::Read { log, .. } | MicroOp::Position { log, .. } => *log,
    });
    let log = finding.log.or(step.map(|(log, _)| log)).or(touched).unwrap_or(LogId(0));
    let offset = finding.offset.or(step.map(|(_, offset)| offset)).map_or(-1, |offset| offset.0);
    let (values, sentence) = (finding.values.clone(), finding.sentence.clone());
    let (witnesses, times) = (witnesses(gathered, finding), finding.count);
    (log, kind(finding.kind), Instance { offset, values, witnesses, sentence, times, ..Instance::default() })
}

/// Each transaction's beginning and end, and the answers that prove a position or a stall.
fn witnesses(gathered: &Gathered, finding: &Finding) -> Vec<Witness> {
    let ends = finding.transactions.iter().flat_map(|txn| {
        let (begin, end) = gathered.evidence[*txn];
        std::iter::once(begin).chain(end)
    });
    let answers = finding.answers.iter().copied().chain(finding.position.map(|at| gathered.answers[at]));
    ends.chain(answers).map(|op| Witness::bare(&op)).collect()
}
