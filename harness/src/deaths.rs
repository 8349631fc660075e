//! Which missing records are asked about, and what the nodes' own words say of them: the join of judgement and testimony.
//!
//! Deliberately not here: the examination itself (`results::autopsy`).

use crate::judging::Files;
use checker::{Anomaly, AnomalyKind, Judgement};
use history::{Kind, LogId, Op, Outcome, Value, WriterId};
use results::autopsy::{Death, examine};
use std::collections::{BTreeMap, HashMap};

/// The deaths behind each anomaly, in the anomalies' order; none for those in which nothing is missing.
pub fn of(judgement: &Judgement, files: &Files) -> Vec<Vec<Death>> {
    if !judgement.anomalies.iter().any(is_missing) {
        return vec![Vec::new(); judgement.anomalies.len()];
    }
    let acked: HashMap<(LogId, Value), &Op> = acked(files);
    judgement.anomalies.iter().map(|anomaly| of_one(anomaly, files, &acked)).collect()
}

/// Missing acknowledged records by stage.
pub fn tally(deaths: &[Vec<Death>]) -> BTreeMap<String, u64> {
    let mut stages = BTreeMap::new();
    for death in deaths.iter().flatten() {
        *stages.entry(death.stage.to_string()).or_default() += death.records;
    }
    stages
}

fn is_missing(anomaly: &Anomaly) -> bool {
    use AnomalyKind::{LostMiddle, LostPostfix, LostPrefix, TrimmedUnread, Unread};
    matches!(anomaly.kind, LostPrefix | LostMiddle | LostPostfix | Unread | TrimmedUnread)
}

fn acked(files: &Files) -> HashMap<(LogId, Value), &Op> {
    let appends = files.recording.history.ops.iter().filter(|op| op.kind() == Kind::Append);
    appends.filter(|op| op.outcome() == Outcome::Ok).map(|op| ((op.log, op.value()), op)).collect()
}

fn of_one(anomaly: &Anomaly, files: &Files, acked: &HashMap<(LogId, Value), &Op>) -> Vec<Death> {
    if !is_missing(anomaly) {
        return Vec::new();
    }
    let values = anomaly.values.iter().filter_map(|text| value(text));
    let mut ops: Vec<Op> = values.filter_map(|value| acked.get(&(anomaly.log, value)).map(|op| **op)).collect();
    ops.sort_by_key(|op| op.offset);
    let replicas = files.replicas.as_ref().map_or(&[][..], |disks| &disks.replicas);
    let acks_all = !files.scenario.settings.acks_are_weak();
    let (names, began) = (&files.manifest.names, files.manifest.began);
    examine(&ops, anomaly.log, (names, began), (&files.testimony.events, replicas), acks_all)
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
