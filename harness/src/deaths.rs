//! Which missing records are asked about, and what the nodes' own words say of them: the join of judgement and testimony.
//!
//! Deliberately not here: the examination itself (`results::autopsy`).

use crate::judging::Files;
use crate::settings::Owner;
use checker::{Anomaly, AnomalyKind, Claim, Finding, Judgement};
use history::{History, Kind, LogId, Op, Outcome, ProcessId, Value, WriterId};
use results::anomalies::Told;
use results::autopsy::{
    Death, InLogs, Passed, Twice, Word, before_groups, examine, late, place, twice, unprocessed, unreported,
};
use std::collections::{BTreeMap, HashMap};

/// Where records ended.
#[derive(Default)]
pub struct Deaths {
    /// Those behind each anomaly, in the anomalies' order; none for anomalies in which nothing is missing.
    pub of_anomalies: Vec<Vec<Death>>,
    /// How the records came to stand there that an anomaly has twice, in the anomalies' order.
    pub twice: Vec<Vec<Twice>>,
    /// Those of records that nobody promised: not acknowledged, superseded, or only late.
    pub unpromised: Vec<Death>,
}

impl Deaths {
    /// What there is to tell of the anomaly at this place in their order.
    pub fn told(&self, index: usize) -> Told<'_> {
        let died = self.of_anomalies.get(index).map_or(&[][..], Vec::as_slice);
        Told { died, twice: self.twice.get(index).map_or(&[][..], Vec::as_slice) }
    }
}

/// All of them. `relaxed` is the history that was judged, if it differs from the one on file.
pub fn of(judgement: &Judgement, files: &Files, relaxed: Option<&History>) -> Deaths {
    let acked = match judgement.anomalies.iter().any(is_missing) {
        true => acked(files),
        false => HashMap::new(),
    };
    let of_anomalies = judgement.anomalies.iter().map(|anomaly| of_one(anomaly, files, &acked)).collect();
    let twice = judgement.anomalies.iter().map(|anomaly| repeats(anomaly, files)).collect();
    Deaths { of_anomalies, twice, unpromised: unpromised(judgement, files, relaxed) }
}

fn repeats(anomaly: &Anomaly, files: &Files) -> Vec<Twice> {
    match (anomaly.kind, &files.replicas) {
        (AnomalyKind::Duplicate, Some(disks)) => twice(anomaly.log, &disks.replicas, &files.manifest.names),
        _ => Vec::new(),
    }
}

/// Records by the stage at which they ended.
pub fn tally<'a>(deaths: impl IntoIterator<Item = &'a Death>) -> BTreeMap<String, u64> {
    let mut stages = BTreeMap::new();
    for death in deaths {
        *stages.entry(death.stage.to_string()).or_default() += death.records;
    }
    stages
}

fn unpromised(judgement: &Judgement, files: &Files, relaxed: Option<&History>) -> Vec<Death> {
    let judged = |claim: Claim| judgement.claim(claim).is_some_and(|c| !matches!(c.verdict, Finding::NotJudged { .. }));
    let mut deaths = late(&files.recording.history);
    deaths.extend(before_groups(&files.recording.history));
    if files.replicas.is_none() && !judged(Claim::NoAckedLoss) {
        // Nobody looked into every log: what was not seen may be there.
        return deaths;
    }
    let replicas = files.replicas.as_ref().map_or(&[][..], |disks| &disks.replicas);
    let in_logs = InLogs::of(&files.recording, replicas);
    // Where compaction removes records, one that is in no log may have been in one.
    let compacts =
        files.scenario.settings.get(Owner::Topic, "cleanup.policy").is_some_and(|p| p.value.contains("compact"));
    if relaxed.is_none() && !compacts {
        deaths.extend(unreported(&files.recording, &in_logs));
    }
    let ops = relaxed.map_or(&[][..], |relaxed| &relaxed.ops).iter().zip(&files.recording.history.ops);
    let superseded = ops.filter(|(now, before)| now.outcome() != before.outcome()).map(|(_, op)| *op);
    let mut by_log: BTreeMap<LogId, Vec<Op>> = BTreeMap::new();
    superseded.filter(|op| !in_logs.has(op)).for_each(|op| by_log.entry(op.log).or_default().push(op));
    deaths.extend(by_log.into_iter().flat_map(|(log, ops)| examined(&ops, log, files)));
    deaths
}

fn is_missing(anomaly: &Anomaly) -> bool {
    use AnomalyKind::{LostMiddle, LostPostfix, LostPrefix, TrimmedUnread, Unread};
    matches!(anomaly.kind, LostPrefix | LostMiddle | LostPostfix | Unread | TrimmedUnread)
}

/// Records that exist and that a reader or a group did not get. Of what a group missed, the skips of its members are a part.
fn is_passed_over(anomaly: &Anomaly) -> bool {
    use AnomalyKind::{GroupSkipped, IntPollSkip, PollSkip};
    matches!(anomaly.kind, GroupSkipped | IntPollSkip | PollSkip)
}

fn acked(files: &Files) -> HashMap<(LogId, Value), &Op> {
    let appends = files.recording.history.ops.iter().filter(|op| op.kind() == Kind::Append);
    appends.filter(|op| op.outcome() == Outcome::Ok).map(|op| ((op.log, op.value()), op)).collect()
}

fn of_one(anomaly: &Anomaly, files: &Files, acked: &HashMap<(LogId, Value), &Op>) -> Vec<Death> {
    if is_passed_over(anomaly) {
        return passed_over(anomaly, &files.recording.history);
    }
    if !is_missing(anomaly) {
        return Vec::new();
    }
    let values = anomaly.values.iter().filter_map(|text| value(text));
    let mut ops: Vec<Op> = values.filter_map(|value| acked.get(&(anomaly.log, value)).map(|op| **op)).collect();
    ops.sort_by_key(|op| op.offset);
    examined(&ops, anomaly.log, files)
}

fn examined(ops: &[Op], log: LogId, files: &Files) -> Vec<Death> {
    let replicas = files.replicas.as_ref().map_or(&[][..], |disks| &disks.replicas);
    let word = match files.scenario.settings.acks() {
        "0" => Word::Nobody,
        "all" | "-1" => Word::InSync,
        _ => Word::Leader,
    };
    let (names, began) = (&files.manifest.names, files.manifest.began);
    let missing = place(ops, &files.recording.history);
    examine(&missing, log, (names, began), (&files.testimony.events, replicas), word)
}

fn passed_over(anomaly: &Anomaly, history: &History) -> Vec<Death> {
    let names = &history.names.processes;
    let process = |name: &str| names.iter().position(|p| p.name == name).map(|at| ProcessId(at as u32));
    let Some(by) = anomaly.ops.iter().rev().find_map(|op| process(&op.process)) else { return Vec::new() };
    let single = || anomaly.offsets.iter().map(|offset| (*offset, *offset)).collect();
    let stretches = if anomaly.stretches.is_empty() { single() } else { anomaly.stretches.clone() };
    let of_group = |op: &&Op| op.process() == by && op.kind() == Kind::Assign && op.group() > 0;
    if anomaly.kind != AnomalyKind::GroupSkipped && history.ops.iter().any(|op| of_group(&op)) {
        return Vec::new();
    }
    unprocessed(history, &Passed { log: anomaly.log, by, stretches: &stretches })
}

/// `3.12`, as anomalies write it.
fn value(text: &str) -> Option<Value> {
    let (writer, sequence) = text.split_once('.')?;
    Some(Value::new(WriterId(writer.parse().ok()?), sequence.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_is_written_and_the_reserved_ones_are_none() {
        let ordinary = Value::new(WriterId(3), 12);
        assert_eq!(value(&ordinary.to_string()), Some(ordinary));
        assert!([Value::CORRUPT, Value::FOREIGN, Value::MARKER].iter().all(|v| value(&v.to_string()).is_none()));
    }
}
