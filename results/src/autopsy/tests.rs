//! Examinations as data: what was written down, what is on the disks, and the stage it must come to.

use super::*;
use crate::manifest::Began;
use crate::wall::Wall;
use history::{
    EpochStart, Kind, LeaderEpoch, LogId, Names, Nanos, NodeId, Offset, Op, Outcome, ProcessId, ReplicaLog,
    ReplicaRecord, Value, WriterId,
};

const SECOND: u64 = 1_000_000_000;
const BEGAN: Began = Began { wall: Wall(1_000 * SECOND), mono: Nanos(0) };

fn value(n: i64) -> Value {
    Value::new(WriterId(0), n as u64)
}

/// The record at `offset`, acknowledged in second 5.
fn op(offset: i64) -> Op {
    let op = Op::invoke(Kind::Append, ProcessId(0), LogId(0), Nanos(5 * SECOND));
    op.complete(Outcome::Ok, Nanos(5 * SECOND + 1), Offset(offset)).with_detail(value(offset).0)
}

fn at(second: u64, node: i32, what: What) -> Event {
    let place = Place { file: format!("brokers/{node}/stdout.log"), at: second };
    Event { wall: Wall(BEGAN.wall.0 + second * SECOND), node: NodeId(node), log: Some(LogId(0)), place, what }
}

fn decided(second: u64, leader: i32, epoch: i32, isr: &[i32]) -> Event {
    let isr = isr.iter().map(|n| NodeId(*n)).collect();
    let what = What::Decided {
        leader: (leader >= 0).then_some(NodeId(leader)),
        epoch: LeaderEpoch(epoch),
        isr,
        elr: Vec::new(),
        unclean: false,
    };
    at(second, 100, what)
}

fn role(second: u64, node: i32, end: i64) -> Event {
    let what = What::Role { leads: false, epoch: LeaderEpoch(1), end: Offset(end), high_watermark: Offset(0) };
    at(second, node, what)
}

fn truncated(second: u64, node: i32, to: i64) -> Event {
    at(second, node, What::Truncated { from: None, to: Offset(to), why: "leader epoch 0 ends there".into() })
}

fn recovered(second: u64, node: i32) -> Event {
    at(second, node, What::Recovered { told: "Recovering unflushed segment 0".into() })
}

/// A replica of `records`, epoch 1 beginning at `second_epoch`.
fn replica(node: i32, records: std::ops::Range<i64>, second_epoch: i64) -> ReplicaLog {
    let epoch = |epoch, start| EpochStart { epoch: LeaderEpoch(epoch), start: Offset(start) };
    ReplicaLog {
        repeats: Vec::new(),
        node: NodeId(node),
        log: LogId(0),
        start: Offset(records.start),
        end: Offset(records.end),
        high_watermark: Some(Offset(records.end)),
        epochs: vec![epoch(0, 0), epoch(1, second_epoch)],
        records: records.map(|n| ReplicaRecord { offset: Offset(n), value: value(n), epoch: LeaderEpoch(0) }).collect(),
    }
}

fn examined(offset: i64, events: &[Event], replicas: &[ReplicaLog], acks_all: bool) -> Death {
    let told = Missing { op: op(offset), placed_by: None };
    examined_as(told, events, replicas, if acks_all { Word::InSync } else { Word::Leader })
}

fn examined_as(missing: Missing, events: &[Event], replicas: &[ReplicaLog], word: Word) -> Death {
    let names = Names { logs: vec!["q-0".into()], ..Names::default() };
    let mut deaths = examine(&[missing], LogId(0), (&names, BEGAN), (events, replicas), word);
    assert_eq!(deaths.len(), 1);
    deaths.remove(0)
}

fn three(end: i64) -> [ReplicaLog; 3] {
    [1, 2, 3].map(|node| replica(node, 0..end, end))
}

#[test]
fn what_the_deposed_leader_alone_had_was_truncated() {
    let events = [decided(1, 1, 0, &[1, 2, 3]), decided(6, 2, 1, &[2, 3]), role(8, 1, 20), truncated(9, 1, 10)];
    let death = examined(15, &events, &three(10), false);
    assert_eq!((death.stage, death.certainty), (Stage::B2, Certainty::Proven), "{}", death.sentence);
    assert!(death.sentence.contains("node 1 at 9.000 s: truncated to 10"), "{}", death.sentence);
    assert!(death.proof.iter().any(|p| p.place.to_string() == "brokers/1/stdout.log:9"));
    assert!(
        death
            .proof
            .iter()
            .any(|p| p.place.file.ends_with("leader-epoch-checkpoint") && p.says == "epoch 1 starts at 10")
    );
}

#[test]
fn a_truncation_above_the_record_is_not_its_end() {
    let events = [decided(1, 1, 0, &[1, 2, 3]), decided(6, 2, 1, &[2, 3]), role(8, 1, 20), truncated(9, 1, 18)];
    let death = examined(15, &events, &three(18).map(|r| replica(r.node.0, 0..10, 18)), false);
    assert_eq!((death.stage, death.certainty), (Stage::B1, Certainty::Candidate));
}

#[test]
fn what_every_in_sync_replica_lost_in_a_crash_was_lost_by_recovery() {
    let mut events = vec![decided(1, 1, 0, &[1, 2, 3])];
    events.extend([1, 2, 3].map(|node| recovered(8, node)));
    events.extend([1, 2, 3].map(|node| role(9, node, 10)));
    let death = examined(15, &events, &three(10), true);
    assert_eq!((death.stage, death.certainty), (Stage::B3, Certainty::Inferred), "{}", death.sentence);
}

#[test]
fn the_last_replica_standing_loses_its_tail_and_the_others_truncate_to_it() {
    let events = [
        decided(1, 1, 0, &[1, 2, 3]),
        decided(6, 1, 0, &[1]),
        recovered(8, 1),
        role(9, 1, 10),
        role(10, 2, 20),
        truncated(11, 2, 10),
        role(10, 3, 20),
        truncated(11, 3, 10),
    ];
    let death = examined(15, &events, &three(10), true);
    assert_eq!((death.stage, death.certainty), (Stage::B2, Certainty::Proven), "{}", death.sentence);
    assert!(death.copies[0].fate.contains("after an unclean stop"), "{:?}", death.copies);
    assert!(death.copies[1].fate.contains("truncated to 10"), "{:?}", death.copies);
}

#[test]
fn without_any_event_a_later_reign_over_the_offset_is_an_inference() {
    let events = [decided(1, 1, 0, &[1, 2, 3]), decided(6, 2, 1, &[2, 3])];
    let death = examined(15, &events, &three(10), false);
    assert_eq!((death.stage, death.certainty), (Stage::B2, Certainty::Inferred));
    let nothing = examined(15, &[], &[1, 2, 3].map(|node| replica(node, 0..10, 30)), false);
    assert_eq!((nothing.stage, nothing.certainty), (Stage::B1, Certainty::Candidate));
    assert!(nothing.sentence.contains("would tell"), "{}", nothing.sentence);
}

#[test]
fn what_lies_below_the_logs_start_was_removed() {
    let moved = at(7, 1, What::StartMoved { to: Offset(5), why: "client delete records request".into() });
    let death = examined(3, &[moved], &[1, 2, 3].map(|node| replica(node, 5..10, 30)), true);
    assert_eq!(death.stage, Stage::B4);
    assert!(death.sentence.contains("client delete records request"), "{}", death.sentence);
}

#[test]
fn what_is_there_is_hidden_above_the_high_watermark_and_unfetched_below_it() {
    let with = |high_watermark| {
        [1, 2, 3].map(|node| ReplicaLog { high_watermark: Some(Offset(high_watermark)), ..replica(node, 0..10, 30) })
    };
    assert_eq!(examined(7, &[], &with(7), true).stage, Stage::B5);
    assert_eq!(examined(7, &[], &with(8), true).stage, Stage::C1);
}

#[test]
fn a_corrupt_batch_at_the_offset_is_an_altered_record() {
    let mut replicas = three(10);
    replicas[0].records[7].value = Value::CORRUPT;
    replicas[1].records.remove(7);
    replicas[2].records.remove(7);
    assert_eq!(examined(7, &[], &replicas, true).stage, Stage::B6);
}

#[test]
fn what_compaction_reached_was_removed_and_a_hole_it_did_not_reach_is_damage() {
    let holed = |node| {
        let mut replica = replica(node, 0..10, 30);
        replica.records.remove(7);
        replica
    };
    let replicas = [1, 2, 3].map(holed);
    let compacted = |until| at(7, 1, What::Compacted { until: Some(Offset(until)), told: "compacted".into() });
    let death = examined(7, &[compacted(9)], &replicas, true);
    assert_eq!((death.stage, death.certainty), (Stage::B4, Certainty::Proven), "{}", death.sentence);
    assert!(death.proof.iter().any(|p| p.says == "between 6 and 8 no record is left"), "{:?}", death.proof);
    assert_eq!(examined(7, &[compacted(5)], &replicas, true).stage, Stage::B6);
}

#[test]
fn a_record_that_was_placed_is_never_proven_and_one_nobody_acknowledged_needs_a_file_that_tells() {
    let by = Neighbour { value: value(14), offset: Offset(14), row: 4 };
    let placed = Missing { op: op(15), placed_by: Some(by) };
    let events = [decided(1, 1, 0, &[1, 2, 3]), decided(6, 2, 1, &[2, 3]), role(8, 1, 20), truncated(9, 1, 10)];
    let death = examined_as(placed, &events, &three(10), Word::Leader);
    assert_eq!((death.stage, death.certainty), (Stage::B2, Certainty::Inferred));
    assert_eq!(death.proof[0].place.to_string(), "history.arrow:4");
    let told = Missing { op: op(15), placed_by: None };
    assert_eq!(examined_as(told, &events, &three(10), Word::Nobody).stage, Stage::B2, "its log ended at 20");
    let silent = [decided(1, 1, 0, &[1, 2, 3]), decided(6, 2, 1, &[2, 3]), truncated(9, 1, 10)];
    assert_eq!(examined_as(told, &silent, &three(10), Word::Nobody).stage, Stage::B1);
    assert_eq!(examined_as(told, &silent, &three(10), Word::Leader).stage, Stage::B2);
}

#[test]
fn records_that_died_alike_are_one_death() {
    let names = Names { logs: vec!["q-0".into()], ..Names::default() };
    let events = [decided(1, 1, 0, &[1, 2, 3]), decided(6, 2, 1, &[2, 3]), role(8, 1, 20), truncated(9, 1, 10)];
    let ops: Vec<Missing> = (10..18).map(|n| Missing { op: op(n), placed_by: None }).collect();
    let deaths = examine(&ops, LogId(0), (&names, BEGAN), (&events, &three(10)), Word::Leader);
    assert_eq!(deaths.len(), 1);
    assert_eq!((deaths[0].records, deaths[0].offsets), (8, (Offset(10), Offset(17))));
}

#[test]
fn a_testimony_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("evidence.jsonl");
    let told = Testimony::of(vec![truncated(9, 1, 10), decided(1, 1, 0, &[1]), recovered(3, 2), role(2, 1, 4)]);
    told.write(&path).unwrap();
    assert_eq!(Testimony::read(&path).unwrap(), told);
    assert!(told.events.is_sorted_by_key(|e| e.wall));
}
