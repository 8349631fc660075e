//! Findings to anomalies: neighbours of one kind in one log become one with a count.
//!
//! **Invariant:** no finding is dropped, and no offset, value or operation of one.

use crate::anomaly::{Anomaly, AnomalyKind, OpRef};
use crate::claims::Instance;
use history::{LogId, Names, Nanos};

/// Offsets at most this far apart are neighbours.
const NEIGHBOURS_MAX: i64 = 16;
/// Groups of one kind in one log; those after them are as large as a group may be.
const GROUPS_MAX: usize = 200;
/// Findings of one group: an anomaly is one object in memory, and one line of a file.
const GROUP_MAX: usize = 10_000;

/// The anomalies, by kind, then log, then offset.
pub(crate) fn group(names: &Names, mut found: Vec<(LogId, AnomalyKind, Instance)>) -> Vec<Anomaly> {
    found.sort_by(|a, b| (a.1, a.0, a.2.offset, &a.2.values).cmp(&(b.1, b.0, b.2.offset, &b.2.values)));
    let mut groups: Vec<(LogId, AnomalyKind, Vec<Instance>)> = Vec::new();
    let mut of_kind = 0;
    for (log, kind, instance) in found {
        match groups.last_mut() {
            Some((l, k, group)) if (*l, *k) == (log, kind) && fits(group, of_kind, &instance) => {
                group.push(instance);
            }
            last => {
                of_kind = if last.is_some_and(|(l, k, _)| (*l, *k) == (log, kind)) { of_kind + 1 } else { 1 };
                groups.push((log, kind, vec![instance]));
            }
        }
    }
    groups.into_iter().map(|(log, kind, group)| anomaly(names, log, kind, group)).collect()
}

fn fits(group: &[Instance], groups: usize, next: &Instance) -> bool {
    group.len() < GROUP_MAX && (groups >= GROUPS_MAX || near(group, next))
}

fn near(group: &[Instance], next: &Instance) -> bool {
    group.last().is_some_and(|last| next.offset.saturating_sub(last.offset) <= NEIGHBOURS_MAX)
}

fn anomaly(names: &Names, log: LogId, kind: AnomalyKind, group: Vec<Instance>) -> Anomaly {
    let sentence = sentence(names, log, kind, &group);
    let mut offsets: Vec<i64> = group.iter().map(|i| i.offset).collect();
    offsets.dedup();
    let mut replicas: Vec<_> = group.iter().flat_map(|i| i.replicas.iter().copied()).collect();
    replicas.sort_unstable();
    replicas.dedup();
    let witnesses = || group.iter().flat_map(|i| &i.witnesses);
    let window = window(names, witnesses().map(|w| (w.op.invoked, w.op.returned)));
    let mut seen = std::collections::HashSet::new();
    let distinct = witnesses().filter(|w| seen.insert((w.time(), w.op.kind(), w.op.log, w.op.detail)));
    let ops = distinct.map(|w| OpRef::new(names, w)).collect();
    Anomaly {
        claim: kind.definition().claim,
        kind,
        log,
        log_name: names.log(log),
        count: group.iter().map(|i| i.times.max(1)).sum(),
        sentence,
        offsets,
        stretches: group.iter().flat_map(|i| i.stretches.iter().copied()).collect(),
        values: group.iter().flat_map(|i| &i.values).map(ToString::to_string).collect(),
        replicas,
        window_ns: window,
        ops,
    }
}

fn sentence(names: &Names, log: LogId, kind: AnomalyKind, group: &[Instance]) -> String {
    match group {
        [one] => one.sentence.clone(),
        [first, .., last] => format!(
            "{} times {kind} in {}, offsets {} to {}; the first: {}",
            group.len(),
            names.log(log),
            first.offset,
            last.offset,
            first.sentence
        ),
        [] => String::new(),
    }
}

/// Earliest invocation and latest reply, from the start of the load; an operation without a reply ends when it began.
fn window(names: &Names, spans: impl Iterator<Item = (Nanos, Nanos)>) -> (i64, i64) {
    let from_start = |t: Nanos| (i128::from(t.0) - i128::from(names.epoch.0)) as i64;
    let ended = |(invoked, returned)| if returned == Nanos::NEVER { invoked } else { returned };
    let span = spans.fold(None, |span: Option<(Nanos, Nanos)>, op| {
        let (from, to) = span.unwrap_or((op.0, ended(op)));
        Some((from.min(op.0), to.max(ended(op))))
    });
    span.map_or((0, 0), |(from, to)| (from_start(from), from_start(to)))
}
