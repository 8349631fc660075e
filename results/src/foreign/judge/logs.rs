//! Histories of logs: every per-log claim, transactions where there are any, and the fate of what nobody read.

use super::Parts;
use super::naming::renamed;
use crate::foreign::finding::{Evidence, ForeignFinding, Held, Standing};
use crate::foreign::logs::{Logs, READERS, Unread};
use checker::judge::KindCount;
use checker::{Anomaly, AnomalyKind, Claim, Contract, Counts, Finding, Gaps, OpRef, Promises, Source, Status};
use history::{History, Kind, LogId, Names, Op, Outcome, ProcessId, ProcessName, Role};
use std::collections::{BTreeMap, HashSet};

const UNTIMED: &str = "the file's times enclose no operation";
const SUBSCRIBED: &str = "the readers subscribe, and a rebalance may move them at any time (Jepsen allows it, too)";
const WRITE_ORDER: &str =
    "it rests on the order of writes, which in a log is not that of transactions (Jepsen allows it, too)";
const SHARED: &str = "writers share a log, and no log promises to keep them apart (Jepsen allows it, too)";
const UNPROMISED: &str = "it depends on settings of the group's members, which the file does not tell";
const UNSEEN: &str = "lost and not yet read look alike: a read of the log to its end after the last acknowledgement, or the \
                      replicas' logs, would decide";

/// Judges logs.
pub(super) fn judge(mut logs: Logs) -> Parts {
    let mut parts = Parts { held: held(&logs), notes: std::mem::take(&mut logs.notes), ..Parts::default() };
    let contract = contract(&logs);
    let history = with_readers(&mut logs);
    let promises = Promises { gaps: Gaps::Possible, ..Promises::durable() };
    let judgement = checker::judge(&history, &[], &contract, &promises);
    parts.short_of.extend(judgement.claims.iter().filter_map(short_of));
    let decided = decided(&judgement.anomalies);
    let anomalies = judgement.anomalies.into_iter();
    let mut found: Vec<ForeignFinding> =
        anomalies.map(|anomaly| of_anomaly(anomaly, &contract, logs.subscribed)).collect();
    found.extend(unseen(&history, &logs.unread, &decided));
    parts.findings = renamed(found, |wanted| logs.names.names(wanted));
    parts.claims = judgement.claims;
    parts
}

/// Judges a history of our own, by the contract of whatever it has.
pub(super) fn judge_source(source: &impl Source) -> Parts {
    let contract = contract_of(&source.kinds());
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let judgement = checker::judge_on(source, &[], &contract, &Promises::durable(), cores);
    let short_of = judgement.claims.iter().filter_map(short_of).collect();
    let findings = judgement.anomalies.into_iter().map(|anomaly| of_anomaly(anomaly, &contract, false)).collect();
    let held = counted(&judgement.counts, source.names());
    Parts { held, findings, claims: judgement.claims, short_of, ..Parts::default() }
}

fn counted(counts: &Counts, names: &Names) -> Held {
    let sum = |of: fn(&KindCount) -> u64| counts.ops.iter().map(of).sum();
    Held {
        operations: sum(|of| of.ok + of.fail + of.unknown),
        objects: counts.logs,
        processes: names.processes.len() as u64,
        acked: counts.acked,
        failed: sum(|of| of.fail),
        unknown: sum(|of| of.unknown),
        read: counts.records_read,
    }
}

fn held(logs: &Logs) -> Held {
    let history = &logs.history;
    let of = |outcome| history.ops.iter().filter(|op| op.outcome() == outcome).count() as u64;
    let acked = |op: &&Op| op.kind() == Kind::Append && op.outcome() == Outcome::Ok;
    Held {
        operations: logs.operations,
        objects: history.names.logs.len() as u64,
        processes: history.names.processes.len() as u64,
        acked: history.ops.iter().filter(acked).count() as u64,
        failed: of(Outcome::Fail),
        unknown: of(Outcome::Unknown),
        read: history.records.len() as u64,
    }
}

/// The history with the readers together as one more process.
fn with_readers(logs: &mut Logs) -> History {
    let mut history = std::mem::take(&mut logs.history);
    let process = ProcessId(history.names.processes.len() as u32);
    history.names.processes.push(ProcessName { name: READERS.into(), role: Role::Drain, writer: None });
    let fetch = |op: Op| {
        let window = Op::invoke(Kind::Fetch, process, op.log, op.invoked);
        window.complete(Outcome::Ok, op.returned, op.offset).with_detail(op.detail)
    };
    history.ops.extend(std::mem::take(&mut logs.readers).into_iter().map(fetch));
    history
}

/// What every such system promises, as far as the file has to do with it.
fn contract(logs: &Logs) -> Contract {
    let mut kinds = checker::source::kinds_met(&logs.history);
    kinds.retain(|kind| logs.timed || *kind != Kind::Commit);
    match logs.timed {
        true => contract_of(&kinds),
        false => contract_of(&kinds).out_of_scope(Claim::LinearizableLog, UNTIMED),
    }
}

fn contract_of(kinds: &[Kind]) -> Contract {
    let mut contract = Contract::durable();
    if kinds.contains(&Kind::TxnBegin) {
        for claim in [Claim::AtomicTxn, Claim::NoOwnUncommittedRead, Claim::TxnCycles] {
            contract = contract.forbid(claim);
        }
        contract = contract.allow(Claim::TxnSerializable, WRITE_ORDER).allow(Claim::ContiguousSends, SHARED);
    }
    if kinds.contains(&Kind::Commit) {
        contract = contract.forbid(Claim::CommittedOffsetMonotonic).forbid(Claim::GenerationFenced);
        for claim in [Claim::OneOwner, Claim::GroupAtLeastOnce, Claim::GroupAtMostOnce] {
            contract = contract.allow(claim, UNPROMISED);
        }
    }
    contract
}

/// What keeps a file from being green: that nobody could say whether anything was lost.
fn short_of(claim: &checker::ClaimResult) -> Option<String> {
    match (&claim.verdict, claim.claim) {
        (Finding::NotJudged { why }, Claim::NoAckedLoss | Claim::AllReadAfterHeal)
            if claim.status == Status::Forbidden =>
        {
            Some(format!("{} could not be judged: {why}", claim.claim))
        }
        _ => None,
    }
}

/// The values of which the judge knows what became.
fn decided(anomalies: &[Anomaly]) -> HashSet<String> {
    use AnomalyKind::{LostMiddle, LostPostfix, LostPrefix, TrimmedUnread, Unread};
    let fates = [LostPrefix, LostMiddle, LostPostfix, TrimmedUnread, Unread];
    anomalies.iter().filter(|a| fates.contains(&a.kind)).flat_map(|a| a.values.iter().cloned()).collect()
}

fn of_anomaly(anomaly: Anomaly, contract: &Contract, subscribed: bool) -> ForeignFinding {
    let moved = subscribed && matches!(anomaly.kind, AnomalyKind::PollSkip | AnomalyKind::NonmonotonicPoll);
    let standing = match contract.status(anomaly.claim) {
        Status::Allowed { because } => Standing::Permitted { because: because.clone() },
        _ if moved => Standing::Permitted { because: SUBSCRIBED.into() },
        _ => Standing::Violation,
    };
    let shown = anomaly.ops.iter().filter(|op| op.process != READERS).map(evidence);
    ForeignFinding {
        name: anomaly.kind.name().into(),
        jepsen: anomaly.kind.definition().jepsen.map(str::to_owned),
        standing,
        count: anomaly.count,
        place: Some(anomaly.log_name),
        offsets: anomaly.offsets,
        values: anomaly.values,
        sentence: anomaly.sentence,
        evidence: shown.collect(),
    }
}

fn evidence(op: &OpRef) -> Evidence {
    let offset = if op.offset >= 0 { format!(" @{}", op.offset) } else { String::new() };
    let records: Vec<String> = op.records.iter().map(|(offset, value)| format!("{offset}: {value}")).collect();
    let what = match (&op.value, op.count) {
        (Some(value), _) => format!("append {value} to {}{offset}", op.log),
        (None, Some(1)) => format!("read {}: {}", op.log, records.join(", ")),
        (None, Some(count)) => format!("read {}: {} ({count} records in all)", op.log, records.join(", ")),
        (None, None) if matches!(op.kind, Kind::TxnBegin | Kind::TxnCommit | Kind::TxnAbort) => {
            format!("{} no. {}", kind_name(op.kind), op.detail.unwrap_or(0))
        }
        (None, None) => format!("{} of {}{offset}", kind_name(op.kind), op.log),
    };
    let process = op.process.clone();
    Evidence { process, what, invoked_ns: op.invoked_ns, returned_ns: op.returned_ns, outcome: op.outcome }
}

fn kind_name(kind: Kind) -> String {
    serde_json::to_string(&kind).unwrap_or_default().trim_matches('"').to_owned()
}

/// Acknowledged records that nobody read, and of which the judge does not know what became: one finding a log.
fn unseen(history: &History, unread: &[Unread], decided: &HashSet<String>) -> Vec<ForeignFinding> {
    let mut logs: BTreeMap<(LogId, bool), Vec<&Unread>> = BTreeMap::new();
    for missing in unread.iter().filter(|u| !decided.contains(&u.append.value().to_string())) {
        logs.entry((missing.append.log, missing.passed_for.is_some())).or_default().push(missing);
    }
    logs.into_iter().map(|((log, passed), missing)| unseen_in(&history.names, log, passed, &missing)).collect()
}

fn unseen_in(names: &Names, log: LogId, passed: bool, missing: &[&Unread]) -> ForeignFinding {
    let (name, first) = (names.log(log), missing[0]);
    let record = match missing.len() {
        1 => format!("record {} of {name} was acknowledged", first.append.value()),
        n => format!("{n} records of {name} were acknowledged, {} first,", first.append.value()),
    };
    let (kind, standing, sentence) = match first.passed_for.filter(|_| passed) {
        Some(later) => {
            let sentence = format!("{record} and nobody read it; {later}, handed over only after that, was read");
            (AnomalyKind::LostMiddle.name(), Standing::Violation, sentence)
        }
        None => {
            let sentence = format!("{record} and nobody read it, nor anything that surely stands beyond it");
            ("unseen", Standing::Undecided { because: UNSEEN.into() }, sentence)
        }
    };
    let told = |unread: &&&Unread| unread.append.offset.0 >= 0;
    ForeignFinding {
        name: kind.to_owned(),
        jepsen: Some("unseen".into()),
        standing,
        count: missing.len() as u64,
        place: Some(name),
        offsets: missing.iter().filter(told).map(|unread| unread.append.offset.0).collect(),
        values: missing.iter().map(|unread| unread.append.value().to_string()).collect(),
        sentence,
        evidence: missing.iter().map(|unread| of_append(names, &unread.append)).collect(),
    }
}

fn of_append(names: &Names, op: &Op) -> Evidence {
    let witness = checker::anomaly::Witness::bare(op);
    evidence(&OpRef::new(names, &witness))
}
