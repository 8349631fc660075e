//! Each finding beside its near-miss, and positions against the general search.

use super::{FindingKind, Guarantee, judge};
use crate::notation::read;
use crate::search::models::register::{Input, Output, Register};
use crate::search::{Budget, Operation, Verdict, check};
use history::{History, Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, Record, Value, WriterId};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;

mod brute;

fn found(text: &str) -> Vec<&'static str> {
    judge(&read(text).unwrap().history).findings.iter().map(|f| f.kind.name()).collect()
}

fn assert_pair(name: &str, caught: &str, innocent: &str) {
    assert_eq!(found(caught), [name], "{caught}");
    assert_eq!(found(innocent), [""; 0], "{innocent}");
}

fn guarantee(text: &str) -> (Guarantee, u64, u64, u64) {
    let report = judge(&read(text).unwrap().history);
    let delivery = report.deliveries.iter().find(|d| d.group == 0).unwrap();
    (delivery.guarantee, delivery.delivered, delivery.redeliveries, delivery.to_come)
}

const DRAINED: &str = "d1 fetch @0 0:1.0 1:1.1 2:1.2 3:1.3 [90 91]\n";

#[test]
fn what_a_group_was_delivered_is_measured() {
    let with = |polls: &str| guarantee(&format!("{DRAINED}c1 assign 3 [0 1]\n{polls}"));
    assert_eq!(with("c1 poll 0:1.0 1:1.1 2:1.2 [2 3]"), (Guarantee::ExactlyOnce, 3, 0, 1));
    assert_eq!(with("c1 poll 1:1.1 2:1.2 3:1.3 [2 3]"), (Guarantee::ExactlyOnce, 3, 0, 0), "it began at 1");
    assert_eq!(with("c1 poll 0:1.0 1:1.1 [2 3]\nc1 poll 1:1.1 [4 5]"), (Guarantee::AtLeastOnce, 2, 1, 2));
    assert_eq!(with("c1 poll 0:1.0 2:1.2 [2 3]"), (Guarantee::AtMostOnce, 2, 0, 1));
    assert_eq!(with("c1 poll 0:1.0 2:1.2 [2 3]\nc1 poll 0:1.0 [4 5]"), (Guarantee::Neither, 2, 1, 1));
    assert_eq!(with(""), (Guarantee::Nothing, 0, 0, 4));
}

#[test]
fn a_record_below_a_commit_that_never_reached_the_group_was_skipped() {
    let with = |commit| format!("{DRAINED}c1 assign 3 [0 1]\nc1 poll 0:1.0 [2 3]\nc1 store {commit} [4 5]");
    assert_pair("group-skipped", &with(2), &with(1));
    let report = judge(&read(&with(3)).unwrap().history);
    assert_eq!((&report.findings[0].offsets[..], report.findings[0].count), (&[(1, 2)][..], 2));
}

#[test]
fn an_aborted_record_that_a_drain_saw_was_not_skipped() {
    let text = |end| {
        format!(
            "w1 begin 1 [0 1]\nw1 append 1.1 @1 [0 1]\nw1 {end} 1 [2 3]\n{DRAINED}c1 assign 3 [4 5]\n\
             c1 poll 0:1.0 2:1.2 [6 7]"
        )
    };
    assert_pair("group-skipped", &text("commit"), &text("abort"));
}

#[test]
fn records_delivered_again_are_named_and_other_groups_records_are_not() {
    let text = |process| format!("c1 assign 3 [0 1]\nc1 poll 0:1.0 [2 3]\n{process} poll 0:1.0 [4 5]");
    assert_pair("group-redelivered", &text("c1"), &text("c2"));
}

#[test]
fn a_commit_below_an_acknowledged_one_went_back() {
    assert_pair("commit-went-back", "c1 store 7 [0 1]\nc1 store 5 [2 3]", "c1 store 7 [0 2]\nc2 store 5 [2 3]");
    assert_eq!(found("c1 store 7 ? [0 1]\nc2 store 5 [2 3]"), [""; 0]);
}

#[test]
fn an_acknowledged_commit_that_is_gone_is_lost() {
    let text = |asked| format!("c1 store 5 [0 1]\nc1 store 7 [2 3]\ns1 stored 5 [{asked} 5]");
    assert_pair("commit-lost", &text(4), &text(3));
    assert_pair("commit-lost", "c1 store 5 [0 1]\ns1 stored -1 [2 3]", "s1 stored -1 [2 3]");
}

#[test]
fn a_commit_that_is_gone_is_lost_though_positions_repeat() {
    let text = |asked| format!("c1 store 5 [0 1]\nc1 store 5 [1 2]\nc1 store 7 [3 4]\ns1 stored 5 [{asked} 9]");
    assert_pair("commit-lost", &text(5), &text(4));
}

#[test]
fn a_position_that_nobody_committed_is_from_nowhere() {
    assert_pair("commit-from-nowhere", "c1 store 5 [0 1]\ns1 stored 6 [2 3]", "c1 store 6 ? [0 1]\ns1 stored 6 [2 3]");
    assert_pair("commit-from-nowhere", "c1 store 5 [4 5]\ns1 stored 5 [2 3]", "c1 store 5 [3 5]\ns1 stored 5 [2 3]");
    assert_eq!(found("c1 store 5 [4 5]\nc1 store 5 [6 7]\ns1 stored 5 [2 3]"), ["commit-from-nowhere"]);
    assert_eq!(found("c1 store 5 [0 1]\nc1 store 5 [2 3]\ns1 stored 6 [4 5]"), ["commit-from-nowhere"]);
}

#[test]
fn a_commit_in_an_aborted_transaction_is_none() {
    let text =
        |end| format!("c1 store 5 [0 1]\nc1 begin 1 [2 3]\nc1 store 7 [4 5]\nc1 {end} 1 [6 7]\ns1 stored 5 [8 9]");
    assert_pair("commit-lost", &text("commit"), &text("abort"));
}

fn taken_over(at: &str, more: &str) -> String {
    format!(
        "d1 fetch @0 0:1.0 1:1.1 2:1.2 4:1.4 5:1.5 [90 91]\nc1 assign 3 [0 1]\nc1 poll 0:1.0 1:1.1 2:1.2 [2 3]\n\
         c1 store 3 [4 5]\nc1 revoke 3 [6 7]\nc2 assign 4 [8 9]\nc2 poll {at} [10 11]\n{more}"
    )
}

#[test]
fn a_new_owner_begins_where_the_last_one_committed() {
    assert_eq!(found(&taken_over("4:1.4 5:1.5", "")), [""; 0], "nothing stands at 3");
    assert_eq!(found(&taken_over("2:1.2 4:1.4 5:1.5", "")), ["group-redelivered", "resumed-earlier"]);
    assert_eq!(found(&taken_over("5:1.5", "")), ["group-skipped", "resumed-later"]);
    assert_eq!(found(&taken_over("5:1.5", "c1 store 5 ? [5 6]")), ["group-skipped"], "that may have been stored");
    assert_eq!(found(&taken_over("5:1.5", "s1 start 5 [7 8]")), ["group-skipped", "out-of-range-reset"]);
    assert_eq!(
        found(&taken_over("0:1.0 1:1.1 2:1.2 4:1.4", "s1 end 2 [7 8]")),
        ["group-redelivered", "out-of-range-reset"]
    );
}

#[test]
fn a_reset_says_what_it_skipped() {
    let report = judge(&read(&taken_over("5:1.5", "s1 start 5 [7 8]")).unwrap().history);
    let reset = report.findings.iter().find(|f| f.kind == FindingKind::OutOfRangeReset).unwrap();
    assert_eq!((&reset.offsets[..], reset.count), (&[(4, 4)][..], 1));
    assert_eq!(
        reset.sentence,
        "c2 took over log-0 for group 0 at offset 5, and the position was 3: 1 records were passed over; the log began at 5"
    );
}

#[test]
fn two_owners_at_one_time_are_named() {
    let text = |last: &str| format!("c1 assign 3 [0 1]\nc1 poll 0:1.0 [2 3]\nc2 assign 4 [4 5]\n{last}");
    assert_pair("two-owners", &text("c1 poll 1:1.1 [6 7]"), &text("c1 poll 1:1.1 [5 7]"));
    assert_pair("two-owners", &text("c1 revoke 3 [6 7]"), &text("c1 revoke 3 [3 7]"));
    let same = "c1 assign 3 [0 1]\nc2 assign 3 [2 3]\nc1 poll 0:1.0 [4 5]";
    assert_eq!(found(same), ["generation-shared"]);
}

#[test]
fn a_generation_that_is_over_commits_nothing() {
    let text = |begun| format!("c1 assign 3 [0 1]\nc2 assign 4 [2 {begun}]\nc1 store 1 3 [4 5]");
    assert_pair("stale-generation-commit", &text(3), &text(4));
    assert_eq!(found(&text(3).replace("store 1 3 [4", "store 1 3 ? [4")), [""; 0], "it was not acknowledged");
}

#[test]
fn a_members_generations_rise() {
    assert_pair("generation-went-back", "c1 assign 4 [0 1]\nc1 assign 3 [2 3]", "c1 assign 3 [0 1]\nc1 assign 4 [2 3]");
    assert_eq!(found("c1 assign 4 [0 1]\nc2 assign 3 [2 3]"), [""; 0], "it may have been told late");
}

/// A position's history: a few commits and answers, often wrong.
fn sample(dice: &mut Pcg64Mcg) -> History {
    let mut history = History::default();
    let count = dice.random_range(2..8u32);
    let repeats = dice.random_bool(0.5);
    for at in 0..count {
        let (a, b) = (dice.random_range(0..30), dice.random_range(0..30));
        let kind = if dice.random_bool(0.5) { Kind::Commit } else { Kind::Committed };
        let fresh = kind == Kind::Commit && !repeats;
        let offset = if fresh { i64::from(at) } else { dice.random_range(-1..i64::from(count)) };
        let offset = if kind == Kind::Commit { offset.max(0) } else { offset };
        let silent = kind == Kind::Commit && dice.random_bool(0.2);
        let op = Op::invoke(kind, ProcessId(at), LogId(0), Nanos(a.min(b)));
        let (outcome, returned) = match silent {
            true => (Outcome::Unknown, Nanos::NEVER),
            false => (Outcome::Ok, Nanos(a.max(b))),
        };
        history.ops.push(op.complete(outcome, returned, Offset(offset)).with_group(0, 0));
    }
    history
}

#[test]
fn positions_are_judged_as_by_the_general_search() {
    let histories = std::env::var("STORMGLASS_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000u64);
    let mut dice = Pcg64Mcg::seed_from_u64(1);
    let mut verdicts: BTreeMap<(bool, bool, bool), u64> = BTreeMap::new();
    for _ in 0..histories {
        let history = sample(&mut dice);
        let operation = |op: &Op| {
            let (input, output) = match op.kind() {
                Kind::Commit => (Input::Write(op.offset.0), Output::Written),
                _ => (Input::Read, Output::Value(Some(op.offset.0))),
            };
            let ret = (op.outcome() == Outcome::Ok).then_some(op.returned.0);
            Operation { process: 0, call: op.invoked.0, ret, input, output: Some(output) }
        };
        let ops: Vec<_> = history.ops.iter().map(operation).collect();
        let right = check(&Register { initial: Some(-1) }, &ops, &Budget::default()).verdict == Verdict::Linearizable;
        let wrong = |f: &super::Finding| matches!(f.kind, FindingKind::CommitLost | FindingKind::CommitFromNowhere);
        let found = judge(&history).findings.iter().any(wrong);
        let mut offsets: Vec<_> =
            history.ops.iter().filter(|op| op.kind() == Kind::Commit).map(|op| op.offset).collect();
        offsets.sort_unstable();
        let unique = offsets.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(!(found && right), "accused without cause: {history:?}");
        assert!(found || right || !unique, "missed though every position is unique: {history:?}");
        *verdicts.entry((unique, right, found)).or_default() += 1;
    }
    assert!(verdicts.len() >= 4, "one-sided sample: {verdicts:?}");
}

/// Members that come and go, deliver, commit what they delivered, and lose nothing: nothing may be found.
#[test]
fn a_group_that_works_is_not_accused() {
    for seed in 0..300 {
        let mut dice = Pcg64Mcg::seed_from_u64(seed);
        let mut history = History::default();
        let (mut time, mut position) = (0, 0i64);
        let value = |at: i64| Value::new(WriterId(1), at as u64);
        for generation in 1..20 {
            let process = ProcessId(dice.random_range(0..3));
            let mut push = |kind, offset: i64, records: &[Record]| {
                time += 10;
                let op = Op::invoke(kind, process, LogId(0), Nanos(time)).complete(
                    Outcome::Ok,
                    Nanos(time + 5),
                    Offset(offset),
                );
                match kind {
                    Kind::Poll => history.push_read(op, records),
                    _ => history.ops.push(op.with_group(0, generation)),
                }
            };
            push(Kind::Assign, position, &[]);
            for _ in 0..dice.random_range(0..4) {
                let count = dice.random_range(1..5);
                let records: Vec<Record> =
                    (position..position + count).map(|at| Record { offset: Offset(at), value: value(at) }).collect();
                push(Kind::Poll, position, &records);
                position += count;
                push(Kind::Commit, position, &[]);
                push(Kind::Committed, position, &[]);
            }
            push(Kind::Revoke, -1, &[]);
        }
        let report = judge(&history);
        assert_eq!(report.findings, [], "seed {seed}");
        assert!(matches!(report.deliveries[0].guarantee, Guarantee::ExactlyOnce | Guarantee::Nothing));
    }
}

#[test]
fn hostile_numbers_are_a_report() {
    let far = [i64::MAX, i64::MIN, -1, 0, i64::MAX - 1];
    let mut history = History::default();
    for (at, offset) in far.into_iter().cycle().take(60).enumerate() {
        let kind = Kind::ALL[at % Kind::ALL.len()];
        let op = Op::invoke(kind, ProcessId(at as u32 % 3), LogId(u32::MAX), Nanos(u64::MAX - at as u64));
        let op = op.complete(Outcome::Ok, Nanos(at as u64), Offset(offset)).with_group(u32::MAX, u32::MAX);
        match kind.reads_records() {
            true => history.push_read(op, &far.map(|o| Record { offset: Offset(o), value: Value(at as u64) })),
            false => history.ops.push(op),
        }
    }
    judge(&history);
}
