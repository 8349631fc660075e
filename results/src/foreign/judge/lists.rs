//! Transactions over lists: what Elle finds in a list-append history, to strict serializability.
//!
//! First what needs no order of transactions (elements nobody appended, twice in a list, lists that are no prefixes of each
//! other, a transaction that contradicts itself, an acknowledged append that later reads lack), then the dependencies'
//! cycles. Within a transaction its own appends are seen, so that reading them is no finding here.

use super::Parts;
use super::naming::renamed;
use crate::foreign::finding::{Evidence, ForeignFinding, Held, Standing};
use crate::foreign::lists::ListHistory;
use checker::txn::{self, FindingKind, Graph, MicroOp, Status, Transaction};
use history::{LogId, Names, Nanos, Outcome, Record, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Steps that the search for small cycles may take.
const CYCLE_STEPS_MAX: u64 = 8 * txn::CYCLE_STEPS_MAX;
/// Micro-operations of a transaction that are shown.
const MICRO_OPS_MAX: usize = 6;

/// A list as a transaction read it.
#[derive(Clone, Copy)]
struct Reading<'a> {
    txn: usize,
    log: LogId,
    records: &'a [Record],
}

/// Judges lists.
pub(super) fn judge(history: &ListHistory) -> Parts {
    let transactions = &history.transactions;
    let report = Graph::new(transactions, &[], &history.names).judge(CYCLE_STEPS_MAX);
    let circular = report.components > 0 && !report.findings.iter().any(|f| matches!(f.kind, FindingKind::Cycle(_)));
    let innocent = |kind: FindingKind| matches!(kind, FindingKind::OwnRead | FindingKind::ZombieWrite);
    let cycles = report.findings.into_iter().filter(|finding| !innocent(finding.kind));
    let case = Case::new(history);
    let mut findings = case.strangers();
    findings.extend(case.orders());
    findings.extend(case.contradictions());
    findings.extend(case.lost());
    findings.extend(circular.then(|| {
        let sentence = format!(
            "in {} groups of transactions each depends on all others, so that no order explains them; no small circle was found",
            report.components
        );
        ForeignFinding::violation("cycle", sentence, Vec::new())
    }));
    findings.extend(cycles.map(|finding| of_finding(finding, transactions, &history.names)));
    let held = case.held();
    let mut short_of = Vec::new();
    if report.budget_spent {
        short_of.push("the search for cycles ran out of its budget".to_owned());
    }
    if held.acked == 0 || held.read == 0 {
        short_of.push(format!("nothing was {}", if held.acked == 0 { "acknowledged" } else { "read" }));
    }
    let mut notes = history.notes.clone();
    if history.named.ambiguous > 0 {
        notes.push(format!(
            "{} elements were appended more than once: nothing is said of them",
            history.named.ambiguous
        ));
    }
    let findings = renamed(findings, |wanted| history.named.names(wanted));
    Parts { held, findings, short_of, notes, ..Parts::default() }
}

struct Case<'a> {
    history: &'a ListHistory,
    readings: Vec<Reading<'a>>,
    /// Where each element was appended, and by which transaction.
    appends: HashMap<Value, (LogId, usize)>,
    /// By list, the longest it was read.
    longest: BTreeMap<LogId, Reading<'a>>,
}

impl<'a> Case<'a> {
    fn new(history: &'a ListHistory) -> Case<'a> {
        let (mut readings, mut appends) = (Vec::new(), HashMap::new());
        for (txn, transaction) in history.transactions.iter().enumerate() {
            for op in &transaction.ops {
                match op {
                    MicroOp::Append { log, value, .. } if value.is_ordinary() => {
                        _ = appends.insert(*value, (*log, txn));
                    }
                    MicroOp::Read { log, records, .. } => readings.push(Reading { txn, log: *log, records }),
                    _ => {}
                }
            }
        }
        let mut longest: BTreeMap<LogId, Reading<'_>> = BTreeMap::new();
        for reading in &readings {
            let held = longest.entry(reading.log).or_insert(*reading);
            if reading.records.len() > held.records.len() {
                *held = *reading;
            }
        }
        Case { history, readings, appends, longest }
    }

    fn transaction(&self, txn: usize) -> &'a Transaction {
        &self.history.transactions[txn]
    }

    fn evidence(&self, transactions: &[usize]) -> Vec<Evidence> {
        transactions.iter().map(|txn| of_transaction(self.transaction(*txn), &self.history.names)).collect()
    }

    fn name(&self, log: LogId) -> String {
        self.history.names.log(log)
    }

    fn who(&self, txn: usize) -> String {
        self.history.names.process(self.transaction(txn).process)
    }

    fn held(&self) -> Held {
        let of = |status| self.history.transactions.iter().filter(|t| t.status == status).count() as u64;
        Held {
            operations: self.history.transactions.len() as u64,
            objects: self.history.names.logs.len() as u64,
            processes: self.history.names.processes.len() as u64,
            acked: of(Status::Committed),
            failed: of(Status::Aborted),
            unknown: of(Status::Unknown),
            read: self.readings.iter().map(|reading| reading.records.len() as u64).sum(),
        }
    }

    /// Elements that nobody appended, or only to another list; each once, with its first reader.
    fn strangers(&self) -> Vec<ForeignFinding> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        for reading in &self.readings {
            for record in reading.records.iter().filter(|r| r.value.is_ordinary()) {
                let home = self.appends.get(&record.value).map(|(log, _)| *log);
                if home == Some(reading.log) || !seen.insert((reading.log, record.value)) {
                    continue;
                }
                let (name, what) = match home {
                    None => ("phantom", "and nobody appended it".to_owned()),
                    Some(home) => ("misrouted", format!("and it was appended to {} only", self.name(home))),
                };
                let (who, list) = (self.who(reading.txn), self.name(reading.log));
                let sentence = format!("{who} read {} in {list} {what}", record.value);
                let finding = ForeignFinding::violation(name, sentence, self.evidence(&[reading.txn])).at(list);
                found.push(finding.with_values(vec![record.value.to_string()]));
            }
        }
        found
    }

    /// Lists that hold an element twice, or that are not the beginning of the longest one; the first of each list.
    fn orders(&self) -> Vec<ForeignFinding> {
        let (mut found, mut named) = (Vec::new(), HashSet::new());
        for reading in &self.readings {
            let mut seen = HashSet::new();
            let twice = reading.records.iter().find(|r| r.value.is_ordinary() && !seen.insert(r.value));
            let list = self.name(reading.log);
            if let Some(record) = twice.filter(|_| named.insert((reading.log, "twice"))) {
                let sentence = format!("{} read {} twice in {list}", self.who(reading.txn), record.value);
                let finding = ForeignFinding::violation("duplicate-element", sentence, self.evidence(&[reading.txn]));
                found.push(finding.at(&*list).with_values(vec![record.value.to_string()]));
            }
            let Some(longest) = self.longest.get(&reading.log) else { continue };
            let parted = reading.records.iter().zip(longest.records).find(|(mine, other)| mine.value != other.value);
            if let Some((mine, other)) = parted.filter(|_| named.insert((reading.log, "parted"))) {
                let (one, two) = (self.who(reading.txn), self.who(longest.txn));
                let sentence = format!(
                    "at place {} of {list} {one} read {} and {two} read {}",
                    mine.offset.0, mine.value, other.value
                );
                let evidence = self.evidence(&[reading.txn, longest.txn]);
                let finding = ForeignFinding::violation("incompatible-order", sentence, evidence).at(list);
                found.push(finding.with_values(vec![mine.value.to_string(), other.value.to_string()]));
            }
        }
        found
    }

    /// Transactions that read something else than what they had read and appended themselves before.
    fn contradictions(&self) -> Vec<ForeignFinding> {
        let all = self.history.transactions.iter().enumerate();
        all.filter(|(_, t)| t.ops.len() > 1).filter_map(|(txn, t)| self.contradiction(txn, t)).collect()
    }

    fn contradiction(&self, txn: usize, transaction: &Transaction) -> Option<ForeignFinding> {
        let mut known: HashMap<LogId, (bool, Vec<Value>)> = HashMap::new();
        for op in &transaction.ops {
            match op {
                MicroOp::Append { log, value, .. } => known.entry(*log).or_default().1.push(*value),
                MicroOp::Read { log, records, .. } => {
                    let read: Vec<Value> = records.iter().map(|r| r.value).collect();
                    let (whole, expected) = known.entry(*log).or_default();
                    let fits = if *whole { read == *expected } else { read.ends_with(expected) };
                    if !fits {
                        let (who, list) = (self.who(txn), self.name(*log));
                        let sentence =
                            format!("{who} read something else of {list} than it had itself read and appended before");
                        return Some(ForeignFinding::violation("internal", sentence, self.evidence(&[txn])).at(list));
                    }
                    (*whole, *expected) = (true, read);
                }
                MicroOp::Position { .. } => {}
            }
        }
        None
    }

    /// Acknowledged appends that no read returned, though one began after the acknowledgement: one finding a list.
    fn lost(&self) -> Vec<ForeignFinding> {
        let mut latest: HashMap<LogId, (Nanos, usize)> = HashMap::new();
        let mut seen: HashSet<Value> = HashSet::new();
        for reading in &self.readings {
            let invoked = self.transaction(reading.txn).invoked;
            let held = latest.entry(reading.log).or_insert((invoked, reading.txn));
            *held = (invoked, reading.txn).max(*held);
            seen.extend(reading.records.iter().map(|r| r.value));
        }
        let mut lost: BTreeMap<LogId, Vec<(usize, Value)>> = BTreeMap::new();
        for (value, (log, txn)) in self.appends.iter().filter(|(value, _)| !seen.contains(value)) {
            let transaction = self.transaction(*txn);
            let acknowledged = transaction.returned.filter(|_| transaction.status == Status::Committed);
            let after = acknowledged.zip(latest.get(log)).is_some_and(|(acked, (invoked, _))| *invoked > acked);
            if after {
                lost.entry(*log).or_default().push((*txn, *value));
            }
        }
        let finding = |(log, mut appends): (LogId, Vec<(usize, Value)>)| {
            appends.sort_unstable();
            let (list, reader) = (self.name(log), latest[&log].1);
            let (first, count) = (appends[0], appends.len());
            let sentence = format!(
                "{count} acknowledged append(s) to {list} are missing, {} first: {} read the list after that, and nobody found it",
                first.1,
                self.who(reader)
            );
            let transactions: Vec<usize> = appends.iter().map(|(txn, _)| *txn).chain([reader]).collect();
            let mut finding = ForeignFinding::violation("lost-append", sentence, self.evidence(&transactions)).at(list);
            finding.count = count as u64;
            finding.with_values(appends.iter().map(|(_, value)| value.to_string()).collect())
        };
        lost.into_iter().map(finding).collect()
    }
}

/// A finding among transactions.
fn of_finding(finding: txn::Finding, transactions: &[Transaction], names: &Names) -> ForeignFinding {
    let cycle = matches!(finding.kind, FindingKind::Cycle(_));
    let evidence = finding.transactions.iter().filter_map(|at| transactions.get(*at));
    ForeignFinding {
        name: finding.kind.name().into(),
        jepsen: finding.kind.claim().jepsen().filter(|_| !cycle).map(str::to_owned),
        standing: Standing::Violation,
        count: finding.count,
        place: finding.log.map(|log| names.log(log)),
        offsets: finding.offset.iter().map(|offset| offset.0).collect(),
        values: finding.values.iter().map(ToString::to_string).collect(),
        sentence: finding.sentence,
        evidence: evidence.map(|transaction| of_transaction(transaction, names)).collect(),
    }
}

/// A transaction as evidence.
fn of_transaction(transaction: &Transaction, names: &Names) -> Evidence {
    let micro = |op: &MicroOp| match op {
        MicroOp::Append { log, value, .. } => format!("append {value} to {}", names.log(*log)),
        MicroOp::Read { log, records, .. } => {
            let shown: Vec<String> = records.iter().take(MICRO_OPS_MAX).map(|r| r.value.to_string()).collect();
            let more = if records.len() > shown.len() { " …" } else { "" };
            format!("read {}: [ {}{more} ]", names.log(*log), shown.join(" "))
        }
        MicroOp::Position { log, offset, .. } => format!("store {} of {}", offset.0, names.log(*log)),
    };
    let mut what: Vec<String> = transaction.ops.iter().take(MICRO_OPS_MAX).map(micro).collect();
    if transaction.ops.len() > MICRO_OPS_MAX {
        what.push("…".into());
    }
    let from_start = |at: Nanos| (i128::from(at.0) - i128::from(names.epoch.0)) as i64;
    Evidence {
        process: names.process(transaction.process),
        what: what.join(" ; "),
        invoked_ns: from_start(transaction.invoked),
        returned_ns: transaction.returned.map(from_start),
        outcome: match transaction.status {
            txn::Status::Committed => Outcome::Ok,
            txn::Status::Aborted => Outcome::Fail,
            txn::Status::Unknown => Outcome::Unknown,
        },
    }
}
