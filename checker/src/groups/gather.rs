//! A history's operations by group and log.

use crate::hash::Map;
use history::{History, Kind, LogId, Nanos, Op, Outcome, ProcessId, Role, Value};
use std::collections::BTreeMap;

/// A position stored, outside of a transaction or by a committed one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    pub(super) op: Op,
    /// When it surely had taken effect; [`Nanos::NEVER`] if nobody can tell that it did.
    pub(super) done: Nanos,
}

/// All that a group did with a log.
pub(super) struct Stream {
    pub(super) group: u32,
    pub(super) log: LogId,
    /// Assignments, revocations and polls that returned records, by (process, time).
    pub(super) steps: Vec<Op>,
    pub(super) commits: Vec<Commit>,
    /// Positions read back.
    pub(super) reads: Vec<Op>,
}

/// What is known of a log apart from any group.
#[derive(Default)]
pub(super) struct LogKnown {
    /// Offsets that some consumer or drain was given a record of, rising.
    pub(super) existing: Vec<i64>,
    /// Answers for its start.
    pub(super) starts: Vec<Op>,
    /// Answers for its end.
    pub(super) ends: Vec<Op>,
}

impl LogKnown {
    /// The existing offsets in `[from, to)`.
    pub(super) fn between(&self, from: i64, to: i64) -> &[i64] {
        let start = self.existing.partition_point(|o| *o < from);
        let end = self.existing.partition_point(|o| *o < to);
        &self.existing[start..end.max(start)]
    }
}

/// Everything about groups in a history.
pub(super) struct Gathered {
    /// By group, then log.
    pub(super) streams: Vec<Stream>,
    logs: Map<LogId, LogKnown>,
    nothing: LogKnown,
}

impl Gathered {
    pub(super) fn log(&self, log: LogId) -> &LogKnown {
        self.logs.get(&log).unwrap_or(&self.nothing)
    }
}

pub(super) fn gather(history: &History) -> Gathered {
    let groups = groups(history);
    let mut streams: BTreeMap<(u32, LogId), Stream> = BTreeMap::new();
    let mut steps: Vec<(u32, &Op)> = Vec::new();
    for op in &history.ops {
        match (op.kind(), op.outcome()) {
            (Kind::Assign | Kind::Revoke, Outcome::Ok) if op.detail != 0 => steps.push((op.group(), op)),
            (Kind::Poll, Outcome::Ok) if !op.records().is_empty() => {
                steps.extend(groups.get(&op.process()).map(|group| (*group, op)));
            }
            (Kind::Committed, Outcome::Ok) => stream(&mut streams, op.group(), op.log).reads.push(*op),
            _ => (),
        }
    }
    steps.sort_by_key(|(group, op)| (*group, op.log, op.process(), op.invoked, op.returned));
    for (group, op) in steps {
        stream(&mut streams, group, op.log).steps.push(*op);
    }
    for commit in commits(history) {
        stream(&mut streams, commit.op.group(), commit.op.log).commits.push(commit);
    }
    let logs = logs(history, &streams);
    Gathered { streams: streams.into_values().collect(), logs, nothing: LogKnown::default() }
}

fn stream(streams: &mut BTreeMap<(u32, LogId), Stream>, group: u32, log: LogId) -> &mut Stream {
    let none = || Stream { group, log, steps: Vec::new(), commits: Vec::new(), reads: Vec::new() };
    streams.entry((group, log)).or_insert_with(none)
}

/// The group of each process that was assigned or commits.
fn groups(history: &History) -> Map<ProcessId, u32> {
    let tells = |op: &&Op| match op.kind() {
        Kind::Assign | Kind::Revoke => op.detail != 0,
        kind => kind == Kind::Commit,
    };
    let mut groups = Map::default();
    for op in history.ops.iter().filter(tells) {
        groups.entry(op.process()).or_insert_with(|| op.group());
    }
    groups
}

/// All commits that may have happened, those of transactions with the transaction's fate.
fn commits(history: &History) -> Vec<Commit> {
    let tells = |op: &&Op| {
        let ends = matches!(op.kind(), Kind::TxnBegin | Kind::TxnCommit | Kind::TxnAbort);
        ends || op.kind() == Kind::Commit && op.outcome() != Outcome::Fail
    };
    let mut order: Vec<&Op> = history.ops.iter().filter(tells).collect();
    order.sort_by_key(|op| (op.process(), op.invoked, op.kind() != Kind::TxnBegin));
    let mut commits: Vec<Commit> = Vec::new();
    for of_process in order.chunk_by(|a, b| a.process() == b.process()) {
        let mut open: Option<Vec<Commit>> = None;
        for op in of_process {
            let certain = op.outcome() == Outcome::Ok;
            match op.kind() {
                Kind::TxnBegin => open = Some(Vec::new()),
                Kind::TxnCommit if op.outcome() != Outcome::Fail => {
                    let fate =
                        |c: Commit| Commit { done: if certain { op.returned.max(c.done) } else { Nanos::NEVER }, ..c };
                    commits.extend(open.take().into_iter().flatten().map(fate));
                }
                Kind::TxnCommit | Kind::TxnAbort => open = None,
                _ => {
                    let commit = Commit { op: **op, done: if certain { op.returned } else { Nanos::NEVER } };
                    open.as_mut().unwrap_or(&mut commits).push(commit);
                }
            }
        }
    }
    commits.sort_by_key(|c| (c.op.invoked, c.done));
    commits
}

/// What is known of the logs that groups use.
fn logs(history: &History, streams: &BTreeMap<(u32, LogId), Stream>) -> Map<LogId, LogKnown> {
    let mut logs: Map<LogId, LogKnown> = streams.keys().map(|(_, log)| (*log, LogKnown::default())).collect();
    let uncommitted = uncommitted(history);
    for op in history.ops.iter().filter(|op| op.outcome() == Outcome::Ok) {
        let Some(known) = logs.get_mut(&op.log) else { continue };
        match op.kind() {
            Kind::LogStart => known.starts.push(*op),
            Kind::EndOffset => known.ends.push(*op),
            Kind::Poll | Kind::Fetch if reads_for_users(history, op) => {
                let exists = |value: Value| value.is_ordinary() && !uncommitted.contains_key(&value);
                let records = history.records_of(op).iter().filter(|record| exists(record.value));
                known.existing.extend(records.map(|record| record.offset.0));
            }
            _ => (),
        }
    }
    for known in logs.values_mut() {
        known.existing.sort_unstable();
        known.existing.dedup();
    }
    logs
}

/// The values appended in transactions that were not surely committed: whoever reads everything sees them, and no group.
fn uncommitted(history: &History) -> Map<Value, ()> {
    let tells = |op: &&Op| matches!(op.kind(), Kind::Append | Kind::TxnBegin | Kind::TxnCommit | Kind::TxnAbort);
    let mut order: Vec<&Op> = history.ops.iter().filter(tells).collect();
    order.sort_by_key(|op| (op.process(), op.invoked, op.kind() != Kind::TxnBegin));
    let mut values = Map::default();
    for of_process in order.chunk_by(|a, b| a.process() == b.process()) {
        let mut open: Option<Vec<Value>> = None;
        for op in of_process {
            match (op.kind(), &mut open) {
                (Kind::TxnBegin, _) => values.extend(open.replace(Vec::new()).into_iter().flatten().map(|v| (v, ()))),
                (Kind::Append, Some(open)) => open.push(op.value()),
                (Kind::TxnCommit, _) if op.outcome() == Outcome::Ok => open = None,
                (Kind::TxnCommit | Kind::TxnAbort, _) => {
                    values.extend(open.take().into_iter().flatten().map(|v| (v, ())))
                }
                _ => (),
            }
        }
        values.extend(open.into_iter().flatten().map(|v| (v, ())));
    }
    values
}

fn reads_for_users(history: &History, op: &Op) -> bool {
    matches!(history.names.role(op.process()), Role::Consumer | Role::Drain)
}
