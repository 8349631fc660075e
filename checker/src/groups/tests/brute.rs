//! Groups against brute force: deliveries by sets, owners, generations and commits by every pair of operations.

use super::*;
use history::{ProcessName, Role};
use std::collections::{BTreeMap, BTreeSet};

const MEMBERS: u32 = 3;
const OFFSETS: i64 = 6;

/// What identifies an operation in a sample: no process does two things at one time.
type Key = (u32, u64, u64);

fn key(op: &Op) -> Key {
    (op.process().0, op.invoked.0, op.returned.0)
}

/// Members that are given logs, lose them, read, commit and read positions back, one thing after the other; and a drain.
fn sample(dice: &mut Pcg64Mcg) -> History {
    let mut history = History::default();
    let process = |n: u32, role| ProcessName { name: format!("p{n}"), role, writer: None };
    history.names.processes = (0..MEMBERS).map(|n| process(n, Role::Consumer)).collect();
    history.names.processes.push(process(MEMBERS, Role::Drain));
    let mut now = [0u64; MEMBERS as usize + 1];
    for _ in 0..dice.random_range(2..14) {
        let member = dice.random_range(0..MEMBERS);
        let invoked = now[member as usize] + dice.random_range(1..6);
        let returned = invoked + dice.random_range(1..8);
        now[member as usize] = returned;
        member_op(dice, &mut history, ProcessId(member), (Nanos(invoked), Nanos(returned)));
    }
    for _ in 0..dice.random_range(0..3) {
        let kind = if dice.random_bool(0.5) { Kind::LogStart } else { Kind::EndOffset };
        let invoked = dice.random_range(0..60);
        let asked = Op::invoke(kind, ProcessId(MEMBERS), LogId(0), Nanos(invoked));
        let answer = Offset(dice.random_range(0..=OFFSETS));
        history.ops.push(asked.complete(Outcome::Ok, Nanos(invoked + dice.random_range(0..8)), answer));
    }
    let all: Vec<Record> = (0..OFFSETS).filter(|_| dice.random_bool(0.8)).map(record).collect();
    let fetch = Op::invoke(Kind::Fetch, ProcessId(MEMBERS), LogId(0), Nanos(90));
    history.push_read(fetch.complete(Outcome::Ok, Nanos(91), Offset(0)), &all);
    history
}

fn record(offset: i64) -> Record {
    Record { offset: Offset(offset), value: Value::new(WriterId(0), offset as u64) }
}

fn member_op(dice: &mut Pcg64Mcg, history: &mut History, by: ProcessId, (invoked, returned): (Nanos, Nanos)) {
    let outcome = if dice.random_bool(0.9) { Outcome::Ok } else { Outcome::Unknown };
    let op = |kind, offset| Op::invoke(kind, by, LogId(0), invoked).complete(outcome, returned, Offset(offset));
    let generation = dice.random_range(0..4);
    let at = dice.random_range(0..OFFSETS);
    match dice.random_range(0..6) {
        0 => history.ops.push(op(Kind::Assign, if dice.random_bool(0.5) { at } else { -1 }).with_group(1, generation)),
        1 => history.ops.push(op(Kind::Revoke, -1).with_group(1, generation)),
        2 => history.ops.push(op(Kind::Commit, at).with_group(1, generation)),
        _ => {
            let to = (at + dice.random_range(0..4)).min(OFFSETS);
            let records: Vec<Record> = (at..to).filter(|_| dice.random_bool(0.9)).map(record).collect();
            history.push_read(op(Kind::Poll, at), &records);
        }
    }
}

fn of_kind<'a>(history: &'a History, kind: Kind) -> impl Iterator<Item = &'a Op> + 'a {
    history.ops.iter().filter(move |op| op.kind() == kind && op.outcome() == Outcome::Ok)
}

fn member(history: &History, process: ProcessId) -> bool {
    let mine = history.ops.iter().filter(|op| op.process() == process);
    mine.into_iter().any(|op| matches!(op.kind(), Kind::Assign | Kind::Revoke | Kind::Commit))
}

/// Delivered, delivered again, skipped, to come.
fn deliveries(history: &History) -> (u64, u64, u64, u64) {
    let offsets = |op: &Op| history.records_of(op).iter().map(|r| r.offset.0).collect::<Vec<_>>();
    let reads = of_kind(history, Kind::Poll).chain(of_kind(history, Kind::Fetch));
    let existing: BTreeSet<i64> = reads.flat_map(offsets).collect();
    let polls = of_kind(history, Kind::Poll).filter(|op| member(history, op.process()));
    let given: Vec<i64> = polls.flat_map(offsets).collect();
    let once: BTreeSet<i64> = given.iter().copied().collect();
    let assigned = of_kind(history, Kind::Assign).map(|op| op.offset.0).filter(|o| *o >= 0);
    let start = once.first().copied().into_iter().chain(assigned).min();
    let committed = of_kind(history, Kind::Commit).map(|op| op.offset.0);
    let end = once.last().map(|last| last + 1).into_iter().chain(committed).max();
    let within = |o: &&i64| start.is_some_and(|s| **o >= s) && end.is_some_and(|e| **o < e) && !once.contains(o);
    let skipped = existing.iter().filter(within).count() as u64;
    let to_come = existing.iter().filter(|o| end.is_none_or(|e| **o >= e)).count() as u64;
    (once.len() as u64, (given.len() - once.len()) as u64, skipped, to_come)
}

/// Assignments, each with from when to when its process surely owned the log.
fn reigns(history: &History) -> Vec<(Op, u64, u64)> {
    let told = |op: &&Op| op.outcome() == Outcome::Ok;
    let steps = |process: ProcessId| {
        let moves = |op: &Op| matches!(op.kind(), Kind::Assign | Kind::Revoke) && op.detail != 0;
        let reads = |op: &Op| op.kind() == Kind::Poll && !op.records().is_empty();
        let mine = history.ops.iter().filter(move |op| op.process() == process).filter(told);
        mine.filter(move |op| moves(op) || reads(op)).copied().collect::<Vec<Op>>()
    };
    let mut reigns = Vec::new();
    for process in (0..MEMBERS).map(ProcessId) {
        let steps = steps(process);
        for (at, assign) in steps.iter().enumerate().filter(|(_, op)| op.kind() == Kind::Assign) {
            let next =
                steps[at + 1..].iter().position(|op| op.kind() != Kind::Poll).map_or(steps.len(), |n| at + 1 + n);
            let revoked = steps.get(next).filter(|op| op.kind() == Kind::Revoke);
            let last = revoked.unwrap_or(&steps[next - 1]);
            reigns.push((*assign, assign.returned.0, last.invoked.0.max(assign.returned.0)));
        }
    }
    reigns
}

/// Assignments that began while another member owned the log; `strictly` after that one's.
fn usurpers(history: &History, strictly: bool) -> BTreeSet<Key> {
    let reigns = reigns(history);
    let began = |(assign, from, _): &&(Op, u64, u64)| {
        reigns.iter().any(|(other, since, to)| {
            let before = if strictly { since < from } else { since <= from };
            other.process() != assign.process() && before && to > from
        })
    };
    reigns.iter().filter(began).map(|(assign, ..)| key(assign)).collect()
}

/// The operations of `late` that were asked for after one of `early` that contradicts them had returned.
fn contradicted(late: Vec<Op>, early: Vec<Op>, against: impl Fn(&Op, &Op) -> bool) -> BTreeSet<Key> {
    let refuted = |op: &&Op| early.iter().any(|other| other.returned < op.invoked && against(other, op));
    late.iter().filter(refuted).map(key).collect()
}

/// Polls of new owners that began where no commit can have led them, each with what it may be called.
fn misled(history: &History) -> BTreeMap<Key, BTreeSet<FindingKind>> {
    let mut found: BTreeMap<Key, BTreeSet<FindingKind>> = BTreeMap::new();
    let offsets = |op: &Op| history.records_of(op).iter().map(|r| r.offset.0).collect::<Vec<_>>();
    let existing: BTreeSet<i64> =
        of_kind(history, Kind::Poll).chain(of_kind(history, Kind::Fetch)).flat_map(offsets).collect();
    for (assign, poll) in takeovers(history) {
        let first = offsets(&poll)[0];
        let done = of_kind(history, Kind::Commit).filter(|c| c.returned < assign.invoked);
        let Some(since) = done.map(|c| c.invoked).max() else { continue };
        let leads = |c: &&Op| {
            let over = if c.outcome() == Outcome::Ok { c.returned } else { Nanos::NEVER };
            let may_hold = over >= since && c.invoked <= poll.returned;
            may_hold && c.offset.0 <= first && existing.range(c.offset.0..first).next().is_none()
        };
        if history.ops.iter().filter(|op| op.kind() == Kind::Commit).any(|c| leads(&c)) {
            continue;
        }
        let latest = of_kind(history, Kind::Commit).filter(|c| c.returned < assign.invoked && c.invoked == since);
        found.insert(key(&poll), latest.map(|before| reason(history, before, &poll, first)).collect());
    }
    found
}

/// Assignments and the first records after each.
fn takeovers(history: &History) -> Vec<(Op, Op)> {
    let mut found = Vec::new();
    for process in (0..MEMBERS).map(ProcessId) {
        let step = |op: &&Op| match op.kind() {
            Kind::Assign | Kind::Revoke => op.detail != 0,
            kind => kind == Kind::Poll && !op.records().is_empty(),
        };
        let mine = history.ops.iter().filter(|op| op.process() == process && op.outcome() == Outcome::Ok);
        let steps: Vec<Op> = mine.filter(step).copied().collect();
        let pairs = steps.windows(2).filter(|w| w[0].kind() == Kind::Assign && w[1].kind() == Kind::Poll);
        found.extend(pairs.filter(|_| member(history, process)).map(|w| (w[0], w[1])));
    }
    found
}

fn reason(history: &History, before: &Op, poll: &Op, first: i64) -> FindingKind {
    let told = |kind| of_kind(history, kind).filter(|op| op.returned <= poll.returned);
    let began = told(Kind::LogStart).any(|op| op.offset > before.offset);
    let ended = told(Kind::EndOffset).any(|op| op.invoked > before.returned && op.offset < before.offset);
    match began || ended {
        true => FindingKind::OutOfRangeReset,
        false if first < before.offset.0 => FindingKind::ResumedEarlier,
        false => FindingKind::ResumedLater,
    }
}

fn named(report: &super::super::Report, kinds: &[FindingKind]) -> BTreeSet<Key> {
    report.findings.iter().filter(|f| kinds.contains(&f.kind)).map(|f| key(&f.ops[1])).collect()
}

fn compare(history: &History) -> usize {
    let report = judge(history);
    let measured = report.deliveries.first().map(|d| (d.delivered, d.redeliveries, d.skipped_count, d.to_come));
    if let Some(measured) = measured {
        assert_eq!(measured, deliveries(history), "{history:#?}");
    }
    let owners = named(&report, &[FindingKind::TwoOwners, FindingKind::GenerationShared]);
    assert!(usurpers(history, true).is_subset(&owners) && owners.is_subset(&usurpers(history, false)), "{history:#?}");
    let list = |kind| of_kind(history, kind).copied().collect::<Vec<Op>>();
    let (begins, commits) = (list(Kind::Assign), list(Kind::Commit));
    let newer = |other: &Op, op: &Op| op.generation() != 0 && other.generation() > op.generation();
    let stale = contradicted(commits.clone(), begins.clone(), newer);
    assert_eq!(named(&report, &[FindingKind::StaleGenerationCommit]), stale, "{history:#?}");
    let own = |other: &Op, op: &Op| other.process() == op.process() && newer(other, op);
    let back = contradicted(begins.clone(), begins, own);
    assert_eq!(named(&report, &[FindingKind::GenerationWentBack]), back, "{history:#?}");
    let lower = contradicted(commits.clone(), commits, |other, op| other.offset > op.offset);
    assert_eq!(named(&report, &[FindingKind::CommitWentBack]), lower, "{history:#?}");
    let resumes = [FindingKind::ResumedEarlier, FindingKind::ResumedLater, FindingKind::OutOfRangeReset];
    let resumed = report.findings.iter().filter(|f| resumes.contains(&f.kind));
    let resumed: BTreeMap<Key, FindingKind> =
        resumed.filter_map(|f| f.ops.last().map(|poll| (key(poll), f.kind))).collect();
    let misled = misled(history);
    assert!(resumed.keys().eq(misled.keys()), "{history:#?}");
    assert!(resumed.iter().all(|(poll, kind)| misled[poll].contains(kind)), "{history:#?}");
    misled.len() + owners.len() + stale.len() + back.len() + lower.len()
}

#[test]
fn groups_are_judged_as_by_brute_force() {
    let histories = std::env::var("STORMGLASS_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000u64);
    let mut dice = Pcg64Mcg::seed_from_u64(5);
    let (mut sound, mut broken) = (0, 0);
    for _ in 0..histories {
        match compare(&sample(&mut dice)) {
            0 => sound += 1,
            _ => broken += 1,
        }
    }
    assert!(sound > histories / 20 && broken > histories / 20, "{sound} sound, {broken} broken");
}
