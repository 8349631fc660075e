//! The checker against brute force: every verdict on thousands of small histories, sound and broken, by definition.
//!
//! `cargo test --release -p stormglass-checker --test brute -- --ignored` judges millions.

mod linear;
mod random;
mod reference;

use checker::synth::rng::Rng;
use checker::{AnomalyKind, Claim, Contract, Promises, judge};
use history::{History, ReplicaLog};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

type Findings = BTreeSet<(AnomalyKind, u32, i64)>;

fn judged(history: &History, replicas: &[ReplicaLog]) -> Findings {
    let contract = Claim::ALL.into_iter().fold(Contract::durable(), Contract::forbid);
    let judgement = judge(history, replicas, &contract, &Promises::strict());
    let mut found = Findings::new();
    for anomaly in &judgement.anomalies {
        found.extend(anomaly.offsets.iter().map(|offset| (anomaly.kind, anomaly.log.0, *offset)));
    }
    found
}

/// Judges one history both ways; what is wrong with it.
fn compare(what: &str, history: &History, replicas: &[ReplicaLog]) -> Findings {
    let kinds = reference::kinds(history, replicas);
    let got: Findings = judged(history, replicas).into_iter().filter(|f| kinds.contains(&f.0)).collect();
    let want: Findings = reference::findings(history, replicas).into_iter().filter(|f| kinds.contains(&f.0)).collect();
    assert_eq!(got, want, "{what}\n{}", random::show(history, replicas));
    want
}

/// Judges them, dealt out to all cores: how many are sound, and how often each kind was found. A seed is always the same
/// history.
fn compare_all(
    what: &str,
    seeds: Range<u64>,
    history: impl Fn(u64) -> (History, Vec<ReplicaLog>) + Sync,
) -> (u64, BTreeMap<AnomalyKind, u64>) {
    let part = |seeds: Range<u64>| {
        let (mut sound, mut found) = (0, BTreeMap::new());
        for seed in seeds {
            let (history, replicas) = history(seed);
            let findings = compare(&format!("{what} {seed}"), &history, &replicas);
            sound += u64::from(findings.is_empty());
            findings.iter().for_each(|(kind, ..)| *found.entry(*kind).or_insert(0) += 1);
        }
        (sound, found)
    };
    on_all_cores(seeds, part).into_iter().fold((0, BTreeMap::new()), |(sound, mut found), (more, kinds)| {
        kinds.into_iter().for_each(|(kind, n)| *found.entry(kind).or_insert(0) += n);
        (sound + more, found)
    })
}

/// Cuts the seeds in as many parts as there are cores.
fn on_all_cores<T: Send>(seeds: Range<u64>, part: impl Fn(Range<u64>) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let each = (seeds.end - seeds.start).div_ceil(cores).max(1);
    let starts = (0..cores).map(|n| seeds.start + n * each).filter(|start| *start < seeds.end);
    let parts = starts.map(|start| start..seeds.end.min(start + each));
    let part = &part;
    std::thread::scope(|scope| {
        let threads: Vec<_> = parts.map(|seeds| scope.spawn(move || part(seeds))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a disagreement")).collect()
    })
}

fn random_histories(seeds: Range<u64>) {
    let all = seeds.end - seeds.start;
    let (sound, found) = compare_all("seed", seeds, |seed| random::history(&mut Rng::new(seed)));
    assert!(sound > 0 && sound < all, "{sound} of {all} sound");
    let missing: Vec<&str> =
        reference::KINDS.iter().filter(|kind| !found.contains_key(kind)).map(|k| k.name()).collect();
    assert!(missing.is_empty(), "never found, so never compared: {missing:?}");
}

fn mutated_histories(seeds: Range<u64>) {
    let all = seeds.end - seeds.start;
    let (sound, _) = compare_all("mutation", seeds, |seed| random::mutated(&mut Rng::new(seed), seed));
    assert!(sound > 0 && sound < all, "{sound} of {all} sound");
}

fn shuffled_histories(seeds: Range<u64>) {
    for seed in seeds {
        let mut rng = Rng::new(seed);
        let (mut history, mut replicas) = random::mutated(&mut rng, seed);
        let before = judged(&history, &replicas);
        random::shuffle(&mut rng, &mut history.ops);
        random::shuffle(&mut rng, &mut replicas);
        assert_eq!(before, judged(&history, &replicas), "seed {seed}\n{}", random::show(&history, &replicas));
    }
}

/// Other writers, other logs, another time: nothing that a verdict may rest on.
fn renamed_histories(seeds: Range<u64>) {
    for seed in seeds {
        let (mut history, mut replicas) = random::mutated(&mut Rng::new(seed), seed);
        let before = judged(&history, &replicas);
        random::rename(&mut history, &mut replicas);
        let renamed: Findings = judged(&history, &replicas).into_iter().map(|(k, log, o)| (k, 1 - log, o)).collect();
        assert_eq!(before, renamed, "seed {seed}\n{}", random::show(&history, &replicas));
    }
}

/// Two runs in one are judged as each by itself.
fn joined_histories(seeds: Range<u64>) {
    for seed in seeds {
        let (mut one, mut disks) = random::mutated(&mut Rng::new(seed), seed);
        let (other, others) = random::mutated(&mut Rng::new(seed + 1), seed + 1);
        let mut apart = judged(&one, &disks);
        apart.extend(judged(&other, &others).into_iter().map(|(kind, log, offset)| (kind, log + 2, offset)));
        random::join(&mut one, &mut disks, (&other, &others));
        assert_eq!(apart, judged(&one, &disks), "seed {seed}\n{}", random::show(&one, &disks));
    }
}

fn linear_histories(seeds: Range<u64>) {
    let part = |seeds: Range<u64>| {
        let mut linearizable = 0;
        for seed in seeds {
            let history = linear::history(&mut Rng::new(seed));
            let judgement = judge(&history, &[], &Contract::durable(), &Promises::strict());
            let got = !judgement.anomalies.iter().any(|a| a.claim == Claim::LinearizableLog);
            let want = linear::linearizable(&history);
            assert_eq!(got, want, "seed {seed}\n{}", random::show(&history, &[]));
            linearizable += u64::from(want);
        }
        linearizable
    };
    let all = seeds.end - seeds.start;
    let linearizable: u64 = on_all_cores(seeds, part).into_iter().sum();
    assert!(linearizable > 0 && linearizable < all, "{linearizable} of {all} linearizable");
}

#[test]
fn small_random_histories_are_judged_as_by_definition() {
    random_histories(0..40_000);
}

#[test]
fn correct_histories_with_one_field_changed_are_judged_as_by_definition() {
    mutated_histories(0..4_000);
}

#[test]
fn the_order_of_operations_changes_no_verdict() {
    shuffled_histories(0..2_000);
}

#[test]
fn other_names_and_another_time_change_no_verdict() {
    renamed_histories(0..2_000);
}

#[test]
fn two_runs_in_one_are_judged_as_each_by_itself() {
    joined_histories(0..1_000);
}

#[test]
fn a_log_is_linearizable_exactly_if_some_order_of_its_operations_is_legal() {
    linear_histories(0..40_000);
}

#[test]
#[ignore = "minutes"]
fn two_million_random_histories_are_judged_as_by_definition() {
    random_histories(1_000_000..3_000_000);
}

#[test]
#[ignore = "minutes"]
fn a_million_mutations_are_judged_as_by_definition() {
    mutated_histories(1_000_000..2_000_000);
}

#[test]
#[ignore = "minutes"]
fn two_million_logs_are_linearizable_exactly_if_some_order_is_legal() {
    linear_histories(1_000_000..3_000_000);
}
