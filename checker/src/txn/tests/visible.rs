//! What is visible of transactions against brute force: torn ones, intermediate reads, writes of zombies, positions of
//! transactions, stable ends that stand still. Every definition over all pairs, all places and all times.

use super::brute::sample;
use super::*;
use crate::txn::stalls;
use history::{History, Kind, Op, Outcome};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet};

/// Offsets tried as the place of a record whose offset nobody told.
const PLACES: i64 = 64;

fn histories() -> u64 {
    std::env::var("STORMGLASS_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

/// A record that a transaction appended.
#[derive(Clone, Copy)]
struct Sent {
    txn: usize,
    log: LogId,
    value: Value,
    place: Place,
}

/// A read that a transaction did.
#[derive(Clone, Copy)]
struct Seen<'a> {
    txn: usize,
    log: LogId,
    from: i64,
    records: &'a [Record],
    extent: Extent,
    view: View,
}

impl Seen<'_> {
    fn shows(&self, value: Value) -> bool {
        self.records.iter().any(|record| record.value == value)
    }

    fn end(&self) -> i64 {
        self.records.last().map_or(self.from, |last| last.offset.0 + 1)
    }

    /// Whether it says that nothing of what had happened by `happened` stood at `at` but what it shows.
    fn covers(&self, all: &[Transaction], at: i64, happened: Option<Nanos>) -> bool {
        let after = |time: Nanos| all[self.txn].invoked > time;
        let beyond = self.extent == Tail && self.from <= at && happened.is_some_and(after);
        self.extent != Part && self.from <= at && at < self.end() || beyond
    }
}

fn sent(all: &[Transaction]) -> Vec<Sent> {
    let each = all.iter().enumerate().flat_map(|(txn, t)| t.ops.iter().map(move |op| (txn, op)));
    let appended = each.filter_map(|(txn, op)| match op {
        MicroOp::Append { log, value, place } => Some(Sent { txn, log: *log, value: *value, place: *place }),
        _ => None,
    });
    appended.collect()
}

fn seen(all: &[Transaction]) -> Vec<Seen<'_>> {
    let each = all.iter().enumerate().flat_map(|(txn, t)| t.ops.iter().map(move |op| (txn, op)));
    let read = each.filter_map(|(txn, op)| match op {
        MicroOp::Read { log, from, records, extent, view } => {
            Some(Seen { txn, log: *log, from: from.0, records, extent: *extent, view: *view })
        }
        _ => None,
    });
    read.collect()
}

/// As the general sample, with windows, reads of everything, and appends that nobody acknowledged.
fn visible_sample(dice: &mut Pcg64Mcg) -> Vec<Transaction> {
    let mut all = sample(dice);
    for op in all.iter_mut().flat_map(|t| &mut t.ops) {
        match op {
            MicroOp::Read { extent, view, records, from, .. } => {
                *extent = [Part, Window, Tail, Tail][dice.random_range(0..4)];
                *view = if dice.random_bool(0.8) { View::Committed } else { View::Everything };
                if dice.random_bool(0.3) {
                    *from = Offset(0);
                }
                if dice.random_bool(0.3) && !records.is_empty() {
                    records.remove(dice.random_range(0..records.len()));
                }
            }
            MicroOp::Append { place, .. } if dice.random_bool(0.1) => *place = Place::Unacknowledged,
            _ => (),
        }
    }
    all
}

/// When a transaction had surely become visible: its commit was acknowledged, or another had read of it.
fn happened_by(all: &[Transaction], sent: &[Sent], seen: &[Seen<'_>], txn: usize) -> Option<Nanos> {
    let of_it = |read: &&Seen<'_>| {
        let shown = |s: &Sent| s.txn == txn && read.shows(s.value);
        read.view == View::Committed && read.txn != txn && sent.iter().any(shown)
    };
    let reads: Vec<Nanos> =
        seen.iter().filter(of_it).map(|read| all[read.txn].returned.unwrap_or(Nanos::NEVER)).collect();
    let committed = all[txn].returned.filter(|_| all[txn].status == Status::Committed);
    reads.into_iter().chain(committed).min()
}

/// Whether an acknowledged record can stand nowhere: every place it may have is contradicted by a read.
fn absent(all: &[Transaction], seen: &[Seen<'_>], record: &Sent, happened: Option<Nanos>) -> bool {
    let places: Vec<i64> = match record.place {
        Place::Unacknowledged => return false,
        Place::At(offset) => vec![offset.0],
        Place::Untold => (0..PLACES).collect(),
    };
    // One that stands in its log is absent for readers of committed records alone.
    let stands = shown(seen, record);
    let counts = |read: &&Seen<'_>| read.log == record.log && (!stands || read.view == View::Committed);
    let of_log = || seen.iter().filter(counts);
    !visible(seen, record) && places.iter().all(|at| of_log().any(|read| read.covers(all, *at, happened)))
}

fn shown(seen: &[Seen<'_>], record: &Sent) -> bool {
    seen.iter().any(|read| read.shows(record.value))
}

fn visible(seen: &[Seen<'_>], record: &Sent) -> bool {
    seen.iter().any(|read| read.view == View::Committed && read.shows(record.value))
}

fn torn(all: &[Transaction]) -> BTreeSet<usize> {
    let (sent, seen) = (sent(all), seen(all));
    let shown = |s: &Sent| visible(&seen, s);
    let is_torn = |txn: &usize| {
        let happened = happened_by(all, &sent, &seen, *txn);
        let of_it = || sent.iter().filter(|s| s.txn == *txn);
        all[*txn].status != Aborted
            && of_it().any(shown)
            && of_it().any(|s| !shown(s) && absent(all, &seen, s, happened))
    };
    (0..all.len()).filter(is_torn).collect()
}

/// Committed, standing in their logs, and given to no reader of committed records although each record should have been.
fn lost_commits(all: &[Transaction]) -> BTreeSet<usize> {
    let (sent, seen) = (sent(all), seen(all));
    let is_lost = |txn: &usize| {
        let happened = happened_by(all, &sent, &seen, *txn);
        let mut of_it = sent.iter().filter(|s| s.txn == *txn).peekable();
        all[*txn].status == Status::Committed
            && of_it.peek().is_some()
            && of_it.all(|s| shown(&seen, s) && absent(all, &seen, s, happened))
    };
    (0..all.len()).filter(is_lost).collect()
}

/// (writer, reader) where a read that says it is complete shows a record and not the writer's next one in its log.
fn intermediate(all: &[Transaction]) -> BTreeSet<(usize, usize)> {
    let (sent, seen, mut found) = (sent(all), seen(all), BTreeSet::new());
    for read in seen.iter().filter(|read| read.extent != Part && read.view == View::Committed) {
        let pairs = sent.iter().enumerate().filter_map(|(at, one)| {
            let next = sent[at + 1..].iter().find(|s| (s.txn, s.log) == (one.txn, one.log))?;
            Some((one, next))
        });
        for (one, next) in pairs.filter(|(one, _)| one.txn != read.txn && one.log == read.log) {
            let Some(stands) = read.records.iter().find(|r| r.value == one.value).map(|r| r.offset.0) else { continue };
            let must_be_shown = match next.place {
                Place::Unacknowledged => false,
                Place::Untold => read.extent == Tail,
                Place::At(at) if at.0 < read.end() => at.0 > stands,
                Place::At(_) => read.extent == Tail,
            };
            if must_be_shown && !read.shows(next.value) {
                found.insert((one.txn, read.txn));
            }
        }
    }
    found
}

/// (log, transaction) of records that stand behind one of a transaction begun after theirs had ended.
fn zombies(all: &[Transaction]) -> BTreeSet<(LogId, usize)> {
    let (sent, seen) = (sent(all), seen(all));
    let mut places: BTreeSet<(LogId, i64, usize)> = BTreeSet::new();
    for record in &sent {
        let told = record.place.offset().map(|o| o.0);
        let read = seen.iter().flat_map(|read| read.records).filter(|r| r.value == record.value).map(|r| r.offset.0);
        places.extend(told.into_iter().chain(read).map(|at| (record.log, at, record.txn)));
    }
    let ended = |txn: usize| {
        let plain = all[txn].ops.len() == 1 && all[txn].status == Status::Committed;
        all[txn].returned.filter(|_| all[txn].status != Unknown && !plain)
    };
    let is_late = |(log, at, txn): &&(LogId, i64, usize)| {
        let newer = |(other, before, writer): &(LogId, i64, usize)| {
            other == log && before < at && ended(*txn).is_some_and(|ended| ended < all[*writer].invoked)
        };
        places.iter().any(newer)
    };
    places.iter().filter(is_late).map(|(log, _, txn)| (*log, *txn)).collect()
}

fn found_of(report: &super::super::Report, kind: FindingKind) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(move |finding| finding.kind == kind)
}

#[test]
fn what_is_visible_of_transactions_is_judged_as_by_brute_force() {
    let mut dice = Pcg64Mcg::seed_from_u64(7);
    let mut seen = [0u64; 5];
    for _ in 0..histories() {
        let all = visible_sample(&mut dice);
        let report = judge(&all, &[], &Names::default());
        let (torn, between, late) = (torn(&all), intermediate(&all), zombies(&all));
        let found: BTreeSet<usize> = found_of(&report, FindingKind::Torn).map(|f| f.transactions[0]).collect();
        assert_eq!(found, torn, "{all:#?}");
        let (hidden, lost) = (lost_commits(&all), found_of(&report, FindingKind::LostCommit));
        assert_eq!(lost.map(|f| f.transactions[0]).collect::<BTreeSet<usize>>(), hidden, "{all:#?}");
        let found = found_of(&report, FindingKind::IntermediateRead).map(|f| (f.transactions[0], f.transactions[1]));
        let found: BTreeSet<(usize, usize)> = found.collect();
        let readers = |pairs: &BTreeSet<(usize, usize)>| pairs.iter().map(|(_, r)| *r).collect::<BTreeSet<_>>();
        assert!(found.is_subset(&between) && readers(&found) == readers(&between), "{all:#?}");
        let found = found_of(&report, FindingKind::ZombieWrite).filter_map(|f| Some((f.log?, f.transactions[0])));
        assert_eq!(found.collect::<BTreeSet<_>>(), late, "{all:#?}");
        for (count, holds) in seen.iter_mut().zip([
            !torn.is_empty(),
            !between.is_empty(),
            !late.is_empty(),
            !hidden.is_empty(),
            torn.is_empty() && between.is_empty() && late.is_empty(),
        ]) {
            *count += u64::from(holds);
        }
    }
    assert!(seen.iter().all(|count| *count > histories() / 400), "one-sided sample: {seen:?}");
}

/// Transactions that store positions, and answers.
fn stored_sample(dice: &mut Pcg64Mcg) -> (Vec<Transaction>, Vec<PositionRead>) {
    let mut all = visible_sample(dice);
    for transaction in &mut all {
        if dice.random_bool(0.6) {
            transaction.ops.push(store(dice.random_range(0..4)));
        }
    }
    for _ in 0..dice.random_range(0..3) {
        let at = dice.random_range(0..30);
        all.push(ok(at, at + dice.random_range(0..4u64), vec![store(dice.random_range(0..4))]));
    }
    let reads = (0..dice.random_range(1..4)).map(|_| position(dice.random_range(-1..5), dice.random_range(0..34)));
    (all, reads.collect())
}

fn stores(transaction: &Transaction) -> impl Iterator<Item = i64> + '_ {
    transaction
        .ops
        .iter()
        .filter_map(|op| if let MicroOp::Position { offset, .. } = op { Some(offset.0) } else { None })
}

/// Answers that name a position all of whose writers did not happen.
fn without_transaction(all: &[Transaction], read: &PositionRead) -> bool {
    let (sent, seen) = (sent(all), seen(all));
    let gone = |txn: usize| {
        let missing = |s: &Sent| s.txn == txn && absent(all, &seen, s, Some(read.returned));
        all[txn].status == Aborted || sent.iter().any(missing)
    };
    let writers: Vec<usize> = (0..all.len())
        .filter(|txn| all[*txn].invoked <= read.returned && stores(&all[*txn]).any(|o| o == read.offset.0))
        .collect();
    !writers.is_empty() && writers.into_iter().all(gone)
}

/// Answers that name a position stored before a transaction that had happened, and stored another, was invoked.
fn without_position(all: &[Transaction], read: &PositionRead) -> bool {
    let (sent, seen) = (sent(all), seen(all));
    let committed = |txn: usize| all[txn].returned.filter(|_| all[txn].status == Status::Committed);
    let over = |txn: usize| match all[txn].status {
        Status::Committed => all[txn].returned,
        Unknown => happened_by(all, &sent, &seen, txn),
        Aborted => None,
    };
    let appends = |txn: usize| sent.iter().any(|s| s.txn == txn);
    let known = |txn: &usize| all[*txn].invoked <= read.returned && stores(&all[*txn]).any(|o| o == read.offset.0);
    let writers: Vec<usize> = (0..all.len()).filter(known).collect();
    let lost = |txn: usize| {
        let over = over(txn).is_some_and(|over| over < read.invoked);
        let before = |writer: &usize| {
            all[*writer].status == Aborted || committed(*writer).is_some_and(|over| over < all[txn].invoked)
        };
        over && appends(txn) && stores(&all[txn]).next().is_some() && writers.iter().all(before)
    };
    (read.offset == Offset::UNKNOWN || !writers.is_empty()) && (0..all.len()).any(lost)
}

#[test]
fn positions_of_transactions_are_judged_as_by_brute_force() {
    let mut dice = Pcg64Mcg::seed_from_u64(8);
    let mut seen: BTreeMap<(bool, bool), u64> = BTreeMap::new();
    for _ in 0..histories() {
        let (all, reads) = stored_sample(&mut dice);
        let report = judge(&all, &reads, &Names::default());
        let of = |kind| found_of(&report, kind).filter_map(|f| f.position).collect::<BTreeSet<usize>>();
        let wrong = |holds: fn(&[Transaction], &PositionRead) -> bool| {
            (0..reads.len()).filter(|at| holds(&all, &reads[*at])).collect::<BTreeSet<usize>>()
        };
        let (gone, lost) = (wrong(without_transaction), wrong(without_position));
        assert_eq!(of(FindingKind::PositionWithoutTransaction), gone, "{all:#?} {reads:#?}");
        assert_eq!(of(FindingKind::TransactionWithoutPosition), lost, "{all:#?} {reads:#?}");
        *seen.entry((gone.is_empty(), lost.is_empty())).or_default() += 1;
    }
    assert!(seen.len() >= 3, "one-sided sample: {seen:?}");
}

const STALL_MAX: u64 = 20;

fn answers(dice: &mut Pcg64Mcg) -> History {
    let mut history = History::default();
    for _ in 0..dice.random_range(2..9) {
        let kind = if dice.random_bool(0.7) { Kind::StableEnd } else { Kind::EndOffset };
        let (invoked, took) = (dice.random_range(0..60u64), dice.random_range(0..10));
        let op = Op::invoke(kind, ProcessId(0), LogId(dice.random_range(0..2)), Nanos(invoked));
        let outcome = if dice.random_bool(0.9) { Outcome::Ok } else { Outcome::Fail };
        let offset = Offset(dice.random_range(0..3) + i64::from(kind == Kind::EndOffset));
        history.ops.push(op.complete(outcome, Nanos(invoked + took), offset));
    }
    history
}

/// How often the stable end surely stood still too long: two answers alike, no other between them, the end beyond it.
fn stood_still(history: &History) -> u64 {
    let mut found = 0;
    for log in 0..2 {
        let told = |kind| {
            let of = history.ops.iter().filter(move |op| op.log.0 == log && op.kind() == kind);
            of.filter(|op| op.outcome() == Outcome::Ok).collect::<Vec<&Op>>()
        };
        let (mut stable, ends) = (told(Kind::StableEnd), told(Kind::EndOffset));
        stable.sort_by_key(|op| (op.invoked, op.returned));
        for run in stable.chunk_by(|a, b| a.offset == b.offset) {
            let beyond = || ends.iter().filter(|end| end.offset > run[0].offset);
            let long = |a: &Op, b: &Op, end: &Op| b.invoked.0 > a.returned.0.max(end.returned.0) + STALL_MAX;
            let pair = run.iter().any(|a| run.iter().any(|b| beyond().any(|end| long(a, b, end))));
            found += u64::from(pair);
        }
    }
    found
}

#[test]
fn stable_ends_that_stand_still_are_found_as_by_brute_force() {
    let mut dice = Pcg64Mcg::seed_from_u64(9);
    let (mut still, mut moving) = (0, 0);
    for _ in 0..histories() {
        let history = answers(&mut dice);
        let expected = stood_still(&history);
        assert_eq!(stalls(&history, STALL_MAX).len() as u64, expected, "{history:#?}");
        if expected > 0 { still += 1 } else { moving += 1 }
    }
    assert!(still > histories() / 100 && moving > histories() / 100, "{still} still, {moving} moving");
}
