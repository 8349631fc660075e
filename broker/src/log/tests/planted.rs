//! Planted bugs of producers and transactions: each rule holds without its bug and is broken with it.

use super::super::ProducerId;
use super::super::marker::{Marker, Outcome};
use super::*;
use crate::bugs::{Bug, Bugs};

fn broken(bug: Bug) -> [LogConfig; 2] {
    [Bugs::NONE, Bugs::NONE.with(bug)].map(|bugs| LogConfig { bugs, ..LogConfig::default() })
}

fn mark(log: &mut Log, producer: i64, outcome: Outcome) {
    let mut bytes = Marker { outcome, coordinator_epoch: 0 }.batch(ProducerId(producer), 0, NOW_MS);
    log.append_as_leader(&mut bytes, LeaderEpoch(0), Origin::Coordinator, NOW_MS).unwrap();
}

/// Whether a batch that is in the log already is appended again.
fn doubles(log: &mut Log, spec: &Spec) -> bool {
    matches!(lead(log, 0, spec), Ok(Appended::New { .. }))
}

#[test]
fn a_repeated_batch_is_recognised_after_a_restart_unless_the_table_is_lost() {
    let told = broken(Bug::DedupLostOnRestart).map(|config| {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &config);
        lead(&mut log, 0, &Spec::of(7, 0, 0, 3)).unwrap();
        drop(log);
        let (mut log, _) = open(dir.path(), &config);
        doubles(&mut log, &Spec::of(7, 0, 0, 3))
    });
    assert_eq!(told, [false, true]);
}

#[test]
fn a_repeated_run_of_batches_is_recognised_unless_the_window_is_too_small() {
    let told = broken(Bug::DedupWindowSmall).map(|config| {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &config);
        for n in 0..4 {
            lead(&mut log, 0, &Spec::of(7, 0, n * 2, 2)).unwrap();
        }
        let again: Vec<bool> = (0..4).map(|n| doubles(&mut log, &Spec::of(7, 0, n * 2, 2))).collect();
        assert!(matches!(lead(&mut log, 0, &Spec::of(7, 0, 8, 1)), Ok(Appended::New { .. })), "the next is taken");
        again
    });
    assert_eq!(told, [vec![false; 4], vec![true; 4]]);
}

#[test]
fn a_silent_producer_is_remembered_for_as_long_as_it_is_said_unless_it_expires_early() {
    let told = broken(Bug::ProducerExpiredEarly).map(|config| {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &config);
        lead(&mut log, 0, &Spec::of(7, 0, 0, 1)).unwrap();
        let later = |log: &mut Log, ms| {
            let mut bytes = Spec::of(7, 0, 0, 1).bytes();
            log.append_as_leader(&mut bytes, LeaderEpoch(0), Origin::Client, NOW_MS + ms).unwrap()
        };
        let soon = later(&mut log, 999);
        assert!(matches!(soon, Appended::Duplicate { .. }), "{soon:?}");
        matches!(later(&mut log, 1000), Appended::New { .. })
    });
    assert_eq!(told, [false, true]);
}

#[test]
fn the_first_batch_of_a_segment_is_written_unless_it_is_dropped_on_the_roll() {
    let told = broken(Bug::DroppedOnRoll).map(|config| {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &LogConfig { segment_bytes: 300, ..config });
        let taken = (0..20).map(|_| lead(&mut log, 0, &Spec::plain(1)));
        assert!(taken.collect::<Vec<_>>().iter().all(|taken| matches!(taken, Ok(Appended::New { .. }))));
        log.end_offset().0
    });
    assert!(told[0] == 20 && told[1] < 20, "{told:?}");
}

#[test]
fn an_older_epoch_is_fenced_unless_the_fencing_is_skipped() {
    let told = broken(Bug::ProducerFencingSkipped).map(|config| {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &config);
        lead(&mut log, 0, &Spec::of(7, 3, 0, 1)).unwrap();
        let taken = lead(&mut log, 0, &Spec::of(7, 2, 5, 1)).is_ok();
        lead(&mut log, 0, &Spec::of(7, 3, 1, 1)).expect("the newer producer goes on");
        taken
    });
    assert_eq!(told, [false, true]);
}

#[test]
fn the_last_stable_offset_is_before_every_open_transaction_unless_it_is_off_by_one() {
    let told = broken(Bug::LastStableOffByOne).map(|config| {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &config);
        lead(&mut log, 0, &Spec::of(1, 0, 0, 2).transactional()).unwrap();
        lead(&mut log, 0, &Spec::of(2, 0, 0, 2).transactional()).unwrap();
        let both = log.first_unstable_offset();
        mark(&mut log, 1, Outcome::Commit);
        log.on_high_watermark(log.end_offset());
        (both, log.first_unstable_offset())
    });
    assert_eq!(told, [(Some(Offset(0)), Some(Offset(2))), (Some(Offset(2)), None)]);
}

#[test]
fn the_index_of_aborted_transactions_covers_every_batch_unless_it_misses_the_first() {
    let first = |config: LogConfig, batches: i32| {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &config);
        for n in 0..batches {
            lead(&mut log, 0, &Spec::of(1, 0, n * 2, 2).transactional()).unwrap();
        }
        mark(&mut log, 1, Outcome::Abort);
        log.aborted_transactions(Offset(0), Offset(99)).unwrap()[0].first.0
    };
    let [sound, planted] = broken(Bug::AbortedIndexMissesBatch);
    assert_eq!((first(sound.clone(), 1), first(sound, 3)), (0, 0));
    assert_eq!((first(planted.clone(), 1), first(planted, 3)), (2, 2));
}
