//! The checker against brute force: every verdict on thousands of small histories, sound and broken, by definition.
//!
//! `cargo test --release -p stormglass-checker --test brute -- --ignored` judges millions.

mod linear;
mod random;
mod reference;

use checker::synth::rng::Rng;
use checker::{AnomalyKind, Claim, Contract, Promises, judge};
use history::{History, ReplicaLog};
use std::collections::BTreeSet;

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

/// Judges one history both ways.
fn compare(what: &str, history: &History, replicas: &[ReplicaLog]) -> usize {
    let kinds = reference::kinds(history, replicas);
    let got: Findings = judged(history, replicas).into_iter().filter(|f| kinds.contains(&f.0)).collect();
    let want: Findings = reference::findings(history, replicas).into_iter().filter(|f| kinds.contains(&f.0)).collect();
    assert_eq!(got, want, "{what}\n{}", random::show(history, replicas));
    want.len()
}

fn random_histories(seeds: std::ops::Range<u64>) {
    let (mut broken, mut sound) = (0, 0);
    for seed in seeds {
        let (history, replicas) = random::history(&mut Rng::new(seed));
        match compare(&format!("seed {seed}"), &history, &replicas) {
            0 => sound += 1,
            _ => broken += 1,
        }
    }
    assert!(sound > 0 && broken > 0, "{sound} sound, {broken} broken");
}

fn mutated_histories(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let (history, replicas) = random::mutated(&mut Rng::new(seed), seed);
        compare(&format!("mutation {seed}"), &history, &replicas);
    }
}

fn shuffled_histories(seeds: std::ops::Range<u64>) {
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
fn renamed_histories(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let (mut history, mut replicas) = random::mutated(&mut Rng::new(seed), seed);
        let before = judged(&history, &replicas);
        random::rename(&mut history, &mut replicas);
        let renamed: Findings = judged(&history, &replicas).into_iter().map(|(k, log, o)| (k, 1 - log, o)).collect();
        assert_eq!(before, renamed, "seed {seed}\n{}", random::show(&history, &replicas));
    }
}

/// Two runs in one are judged as each by itself.
fn joined_histories(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let (mut one, mut disks) = random::mutated(&mut Rng::new(seed), seed);
        let (other, others) = random::mutated(&mut Rng::new(seed + 1), seed + 1);
        let mut apart = judged(&one, &disks);
        apart.extend(judged(&other, &others).into_iter().map(|(kind, log, offset)| (kind, log + 2, offset)));
        random::join(&mut one, &mut disks, (&other, &others));
        assert_eq!(apart, judged(&one, &disks), "seed {seed}\n{}", random::show(&one, &disks));
    }
}

fn linear_histories(seeds: std::ops::Range<u64>) {
    let (mut yes, mut no) = (0, 0);
    for seed in seeds {
        let history = linear::history(&mut Rng::new(seed));
        let contract = Contract::durable();
        let judgement = judge(&history, &[], &contract, &Promises::strict());
        let got = !judgement.anomalies.iter().any(|a| a.claim == Claim::LinearizableLog);
        let want = linear::linearizable(&history);
        assert_eq!(got, want, "seed {seed}\n{}", random::show(&history, &[]));
        if want { yes += 1 } else { no += 1 }
    }
    assert!(yes > 0 && no > 0, "{yes} linearizable, {no} not");
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
