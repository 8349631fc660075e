//! Cycles against brute force: all dependencies by their definitions, all simple cycles one by one.

use super::*;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet};

/// Small sets of transactions that are often wrong.
pub(super) fn sample(dice: &mut Pcg64Mcg) -> Vec<Transaction> {
    let count = dice.random_range(2..6);
    let logs = dice.random_range(1..3u32);
    let mut placed: Vec<Vec<u64>> = vec![Vec::new(); logs as usize];
    let mut transactions = Vec::new();
    let mut fresh = 0;
    for _ in 0..count {
        let (a, b) = (dice.random_range(0..30u64), dice.random_range(0..30));
        let status =
            [Status::Committed, Status::Committed, Status::Committed, Unknown, Aborted][dice.random_range(0..5)];
        let returned = dice.random_bool(0.8).then_some(a.max(b));
        let mut ops = Vec::new();
        for _ in 0..dice.random_range(1..4) {
            let log = dice.random_range(0..logs);
            if dice.random_bool(0.5) {
                let list = &mut placed[log as usize];
                let at = list.len() - if dice.random_bool(0.3) { dice.random_range(0..=list.len()) } else { 0 };
                list.insert(at, fresh);
                ops.push(append(log, fresh, -1));
                fresh += 1;
            } else {
                let extent = if dice.random_bool(0.5) { Tail } else { Part };
                ops.push(read(log, 0, &[], extent));
            }
        }
        transactions.push(txn(status, a.min(b), returned, ops));
    }
    settle(&mut transactions, &placed, dice);
    transactions
}

/// Gives appends their offsets, and reads a stretch of what there is.
fn settle(transactions: &mut [Transaction], placed: &[Vec<u64>], dice: &mut Pcg64Mcg) {
    let spread = dice.random_range(1..3i64) * 3 - 2;
    for op in transactions.iter_mut().flat_map(|t| &mut t.ops) {
        match op {
            MicroOp::Append { log, value, place } => {
                let at = placed[log.0 as usize].iter().position(|n| *n == value.sequence()).unwrap();
                let told = dice.random_bool(0.7);
                *place = if told { Place::At(Offset(at as i64 * spread)) } else { Place::Untold };
            }
            MicroOp::Read { log, from, records, .. } => {
                let list = &placed[log.0 as usize];
                let start = dice.random_range(0..=list.len());
                let end = dice.random_range(start..=list.len());
                *from = Offset(start as i64 * spread);
                let stretch = (start..end).filter(|_| dice.random_bool(0.9));
                *records =
                    stretch.map(|at| Record { offset: Offset(at as i64 * spread), value: value(list[at]) }).collect();
            }
            MicroOp::Position { .. } => (),
        }
    }
}

/// All dependencies by their definitions.
fn dependencies(all: &[Transaction]) -> BTreeSet<(usize, usize, Dependency)> {
    let writer: BTreeMap<Value, usize> = all
        .iter()
        .enumerate()
        .flat_map(|(i, t)| {
            t.ops
                .iter()
                .filter_map(move |op| if let MicroOp::Append { value, .. } = op { Some((*value, i)) } else { None })
        })
        .collect();
    let mut orders: BTreeMap<u32, BTreeMap<i64, usize>> = BTreeMap::new();
    let mut happened: Vec<bool> = all.iter().map(|t| t.status == Status::Committed).collect();
    for (i, op) in all.iter().enumerate().flat_map(|(i, t)| t.ops.iter().map(move |op| (i, op))) {
        match op {
            MicroOp::Append { log, value, place: Place::At(o) } => {
                _ = orders.entry(log.0).or_default().insert(o.0, writer[value])
            }
            MicroOp::Read { log, records, .. } => records.iter().for_each(|r| {
                orders.entry(log.0).or_default().insert(r.offset.0, writer[&r.value]);
                happened[writer[&r.value]] |= writer[&r.value] != i && all[writer[&r.value]].status == Unknown;
            }),
            _ => (),
        }
    }
    orders.values_mut().for_each(|order| order.retain(|_, w| happened[*w]));
    let mut edges = BTreeSet::new();
    for order in orders.values() {
        let list: Vec<usize> = order.values().copied().collect();
        edges.extend(list.windows(2).map(|w| (w[0], w[1], Dependency::Ww)));
    }
    for (i, op) in all.iter().enumerate().flat_map(|(i, t)| t.ops.iter().map(move |op| (i, op))) {
        let MicroOp::Read { log, from, records, extent, .. } = op else { continue };
        edges.extend(records.iter().map(|r| (writer[&r.value], i, Dependency::Wr)));
        let end = records.last().map_or(from.0, |r| r.offset.0 + 1);
        let next = orders.get(&log.0).and_then(|order| order.range(end..).next());
        if let (Tail, Some((_, w))) = (extent, next) {
            edges.insert((i, *w, Dependency::Rw));
        }
    }
    for (i, a) in all.iter().enumerate().filter(|(_, a)| a.status == Status::Committed) {
        let later = all.iter().enumerate().filter(|(_, b)| a.returned.is_some_and(|r| r < b.invoked));
        edges.extend(later.map(|(j, _)| (i, j, Dependency::Rt)));
    }
    edges.retain(|(a, b, _)| a != b && happened[*a] && happened[*b]);
    edges
}

/// Every simple cycle's shape with its smallest length, by the smallest member of its component.
type Cycles = BTreeMap<(usize, CycleKind, bool), (bool, usize)>;

fn all_cycles(count: usize, edges: &BTreeSet<(usize, usize, Dependency)>) -> Cycles {
    let mut reach = vec![vec![false; count]; count];
    edges.iter().for_each(|(a, b, _)| reach[*a][*b] = true);
    for k in 0..count {
        for i in 0..count {
            for j in 0..count {
                reach[i][j] |= reach[i][k] && reach[k][j];
            }
        }
    }
    let component = |i: usize| (0..count).find(|j| *j == i || reach[i][*j] && reach[*j][i]).unwrap();
    let mut cycles = Cycles::new();
    for start in 0..count {
        walk(edges, &mut vec![start], &mut Vec::new(), &mut |kinds| {
            let number = |kind| kinds.iter().filter(|k| **k == kind).count();
            let kind = match (number(Dependency::Rw), number(Dependency::Wr)) {
                (0, 0) => CycleKind::G0,
                (0, _) => CycleKind::G1c,
                (1, _) => CycleKind::GSingle,
                _ => CycleKind::G2,
            };
            let best = (number(Dependency::Ww) > 0, kinds.len());
            let known = cycles.entry((component(start), kind, number(Dependency::Rt) > 0)).or_insert(best);
            *known = best.min(*known);
        });
    }
    cycles
}

fn walk(
    edges: &BTreeSet<(usize, usize, Dependency)>,
    way: &mut Vec<usize>,
    kinds: &mut Vec<Dependency>,
    closed: &mut dyn FnMut(&[Dependency]),
) {
    let at = *way.last().unwrap();
    for (_, to, kind) in edges.iter().filter(|(from, _, _)| *from == at) {
        kinds.push(*kind);
        if *to == way[0] {
            closed(kinds);
        } else if !way.contains(to) && *to > way[0] {
            way.push(*to);
            walk(edges, way, kinds, closed);
            way.pop();
        }
        kinds.pop();
    }
}

/// That the steps of a cycle are dependencies, close, and have the shape named.
fn assert_cycle(edges: &BTreeSet<(usize, usize, Dependency)>, finding: &Finding, shape: CycleShape) {
    let kinds: Vec<Dependency> = finding.steps.iter().map(|step| step.because.dependency()).collect();
    for (i, step) in finding.steps.iter().enumerate() {
        assert!(edges.contains(&(step.from, step.to, kinds[i])), "{finding:?}");
        assert_eq!(step.to, finding.steps[(i + 1) % finding.steps.len()].from);
    }
    let distinct: BTreeSet<usize> = finding.transactions.iter().copied().collect();
    assert_eq!(distinct.len(), finding.steps.len());
    assert_eq!((kinds.contains(&Dependency::Rt), kinds.contains(&Dependency::Ww)), (shape.realtime, shape.ww));
}

#[test]
fn cycles_are_found_as_by_brute_force() {
    let histories = std::env::var("STORMGLASS_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000u64);
    let mut dice = Pcg64Mcg::seed_from_u64(1);
    let mut seen: BTreeMap<CycleShape, u64> = BTreeMap::new();
    for _ in 0..histories {
        let all = sample(&mut dice);
        let edges = dependencies(&all);
        let expected = all_cycles(all.len(), &edges);
        let report = judge(&all, &[], &Names::default());
        let mut found = Cycles::new();
        for finding in &report.findings {
            let FindingKind::Cycle(shape) = finding.kind else { continue };
            assert_cycle(&edges, finding, shape);
            let component = *finding.transactions.iter().min().unwrap();
            let component = expected.keys().map(|k| k.0).filter(|c| *c <= component).max().unwrap();
            *seen.entry(shape).or_default() += 1;
            let length = match shape.realtime || shape.kind == CycleKind::G2 {
                false => finding.steps.len(),
                true => expected.get(&(component, shape.kind, shape.realtime)).map_or(0, |e| e.1),
            };
            found.insert((component, shape.kind, shape.realtime), (shape.ww, length));
        }
        let components: BTreeSet<usize> = expected.keys().map(|k| k.0).collect();
        if components.len() < 2 {
            assert_eq!(found, expected, "{all:#?}");
        } else {
            assert_eq!(found.is_empty(), expected.is_empty());
        }
    }
    assert_eq!(seen.len(), CycleShape::all().count(), "one-sided sample: {seen:?}");
}

/// Where each record is known to stand: by its acknowledgement or by a read; (log, offset) to the transaction.
fn places(all: &[Transaction]) -> BTreeMap<(u32, i64), usize> {
    let appended = |op: &MicroOp| if let MicroOp::Append { value, .. } = op { Some(*value) } else { None };
    let writer: BTreeMap<Value, usize> =
        (0..).zip(all).flat_map(|(i, t)| t.ops.iter().filter_map(appended).map(move |value| (value, i))).collect();
    let mut places = BTreeMap::new();
    for op in all.iter().flat_map(|t| &t.ops) {
        match op {
            MicroOp::Append { log, value, place: Place::At(offset) } => {
                places.insert((log.0, offset.0), writer[value]);
            }
            MicroOp::Read { log, records, .. } => {
                places.extend(records.iter().map(|r| ((log.0, r.offset.0), writer[&r.value])));
            }
            _ => (),
        }
    }
    places
}

/// Aborted records and own records that were read, sends that skip or go back, by their definitions.
fn by_definition(all: &[Transaction]) -> BTreeSet<(FindingKind, usize)> {
    let (places, mut found) = (places(all), BTreeSet::new());
    for (reader, op) in all.iter().enumerate().flat_map(|(i, t)| t.ops.iter().map(move |op| (i, op))) {
        let MicroOp::Read { log, records, .. } = op else { continue };
        for writer in records.iter().map(|r| places[&(log.0, r.offset.0)]) {
            if writer == reader {
                found.insert((FindingKind::OwnRead, reader));
            } else if all[writer].status == Aborted {
                found.insert((FindingKind::AbortedRead, writer));
            }
        }
    }
    for (txn, transaction) in all.iter().enumerate() {
        let told = transaction.ops.iter().filter_map(|op| match op {
            MicroOp::Append { log, place: Place::At(offset), .. } => Some((log.0, offset.0)),
            _ => None,
        });
        let told: Vec<(u32, i64)> = told.collect();
        for (n, (log, from)) in told.iter().enumerate() {
            let Some((_, to)) = told[n + 1..].iter().find(|later| later.0 == *log) else { continue };
            let between = places.range((*log, from + 1)..(*log, (*to).max(from + 1)));
            if to <= from {
                found.insert((FindingKind::IntNonmonotonicSend, txn));
            } else if between.into_iter().any(|(_, other)| *other != txn) {
                found.insert((FindingKind::IntSendSkip, txn));
            }
        }
    }
    found
}

#[test]
fn reads_and_sends_are_judged_as_by_definition() {
    let histories = std::env::var("STORMGLASS_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000u64);
    let mut dice = Pcg64Mcg::seed_from_u64(3);
    let mut seen: BTreeMap<FindingKind, u64> = BTreeMap::new();
    for _ in 0..histories {
        let all = sample(&mut dice);
        let expected = by_definition(&all);
        let kinds = [
            FindingKind::OwnRead,
            FindingKind::AbortedRead,
            FindingKind::IntSendSkip,
            FindingKind::IntNonmonotonicSend,
        ];
        let report = judge(&all, &[], &Names::default());
        let named = report.findings.iter().filter(|f| kinds.contains(&f.kind)).map(|f| (f.kind, f.transactions[0]));
        let found: BTreeSet<(FindingKind, usize)> = named.collect();
        assert_eq!(found, expected, "{all:#?}");
        expected.iter().for_each(|(kind, _)| *seen.entry(*kind).or_default() += 1);
    }
    assert_eq!(seen.len(), 4, "one-sided sample: {seen:?}");
}
