//! Transactions in the log: what holds the last stable offset back, what is aborted, and what survives a restart.

use super::super::marker::{Marker, Outcome};
use super::super::{AbortedTransaction, ProducerId, batch::Batch};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn small() -> LogConfig {
    LogConfig { segment_bytes: 500, index_interval_bytes: 100, ..LogConfig::default() }
}

fn mark(
    log: &mut Log,
    producer: i64,
    epoch: i16,
    outcome: Outcome,
    coordinator_epoch: i32,
) -> Result<Appended, AppendError> {
    let mut bytes = Marker { outcome, coordinator_epoch }.batch(ProducerId(producer), epoch, NOW_MS);
    log.append_as_leader(&mut bytes, LeaderEpoch(0), Origin::Coordinator, NOW_MS)
}

fn data(log: &mut Log, producer: i64, sequence: i32) {
    lead(log, 0, &Spec::of(producer, 0, sequence, 1).transactional()).unwrap();
}

#[test]
fn a_marker_is_written_as_kafka_writes_it_and_read_back() {
    for outcome in [Outcome::Abort, Outcome::Commit] {
        let marker = Marker { outcome, coordinator_epoch: 0x0102_0304 };
        let bytes = marker.batch(ProducerId(5), 2, 1234);
        let batch = Batch::first(&bytes).unwrap();
        assert_eq!((batch.check_crc(), Marker::parse(&batch)), (Ok(()), Some(marker)));
        assert!(batch.header.is_control() && batch.header.is_transactional());
        assert_eq!((batch.header.producer_id(), batch.header.producer_epoch), (Some(ProducerId(5)), 2));
        let kind = u8::from(outcome == Outcome::Commit);
        assert_eq!(batch.records(), [32, 0, 0, 0, 8, 0, 0, 0, kind, 12, 0, 0, 1, 2, 3, 4, 0]);
    }
    assert_eq!(Marker::parse(&Batch::first(&Spec::plain(1).bytes()).unwrap()), None);
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset_until_its_marker_is_replicated() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &small());
    lead(&mut log, 0, &Spec::plain(3)).unwrap();
    assert_eq!(log.first_unstable_offset(), None);
    data(&mut log, 1, 0);
    data(&mut log, 2, 0);
    assert_eq!(log.first_unstable_offset(), Some(Offset(3)));
    mark(&mut log, 1, 0, Outcome::Commit, 0).unwrap();
    log.on_high_watermark(Offset(5));
    assert_eq!(log.first_unstable_offset(), Some(Offset(3)), "decided, and the marker at 5 is not replicated");
    log.on_high_watermark(Offset(6));
    assert_eq!(log.first_unstable_offset(), Some(Offset(4)));
    mark(&mut log, 2, 0, Outcome::Abort, 0).unwrap();
    log.on_high_watermark(Offset(7));
    assert_eq!(log.first_unstable_offset(), None);
}

#[test]
fn aborted_transactions_are_found_by_every_range_they_touch_and_committed_ones_never() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    data(&mut log, 1, 0);
    data(&mut log, 2, 0);
    data(&mut log, 1, 1);
    mark(&mut log, 1, 0, Outcome::Abort, 0).unwrap();
    mark(&mut log, 2, 0, Outcome::Commit, 0).unwrap();
    data(&mut log, 2, 1);
    mark(&mut log, 2, 0, Outcome::Abort, 0).unwrap();
    let one = AbortedTransaction { producer: ProducerId(1), first: Offset(0), last: Offset(3), last_stable: Offset(1) };
    let two = AbortedTransaction { producer: ProducerId(2), first: Offset(5), last: Offset(6), last_stable: Offset(7) };
    let table: [(i64, i64, &[AbortedTransaction]); 7] =
        [(0, 7, &[one, two]), (0, 1, &[one]), (3, 4, &[one]), (4, 5, &[]), (4, 6, &[two]), (6, 7, &[two]), (7, 9, &[])];
    for (from, up_to, expected) in table {
        assert_eq!(log.aborted_transactions(Offset(from), Offset(up_to)).unwrap(), expected, "{from}..{up_to}");
    }
}

#[test]
fn a_marker_without_a_transaction_changes_nothing_but_the_epochs() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &small());
    mark(&mut log, 1, 3, Outcome::Abort, 5).unwrap();
    assert_eq!((log.first_unstable_offset(), log.aborted_transactions(Offset(0), Offset(9)).unwrap()), (None, vec![]));
    let error = mark(&mut log, 1, 2, Outcome::Abort, 5).unwrap_err();
    assert!(matches!(error, AppendError::ProducerFenced { current: 3, found: 2, .. }), "{error}");
    let error = mark(&mut log, 1, 3, Outcome::Abort, 4).unwrap_err();
    assert!(matches!(error, AppendError::CoordinatorFenced { current: 5, found: 4, .. }), "{error}");
    let error = lead(&mut log, 0, &Spec::of(1, 2, 0, 1).transactional()).unwrap_err();
    assert!(matches!(error, AppendError::ProducerFenced { current: 3, found: 2, .. }), "{error}");
}

#[test]
fn a_batch_outside_the_open_transaction_is_refused() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &small());
    data(&mut log, 1, 0);
    let error = lead(&mut log, 0, &Spec::of(1, 0, 1, 1)).unwrap_err();
    assert!(matches!(error, AppendError::TransactionOpen(ProducerId(1))), "{error}");
    mark(&mut log, 1, 0, Outcome::Commit, 0).unwrap();
    lead(&mut log, 0, &Spec::of(1, 0, 1, 1)).unwrap();
}

#[test]
fn an_aborted_index_is_written_in_kafkas_format_when_its_segment_is_closed() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    data(&mut log, 9, 0);
    mark(&mut log, 9, 0, Outcome::Abort, 0).unwrap();
    log.close().unwrap();
    let bytes = std::fs::read(dir.path().join("00000000000000000000.txnindex")).unwrap();
    let number = |n: u8| [0, 0, 0, 0, 0, 0, 0, n];
    assert_eq!(bytes, [&[0, 0][..], &number(9), &number(0), &number(1), &number(2)].concat());
}

#[test]
fn a_transaction_that_began_in_deleted_records_is_still_aborted_after_a_kill() {
    for segment_bytes in [1 << 20, 200] {
        let dir = folder();
        let config = LogConfig { segment_bytes, ..LogConfig::default() };
        let (mut log, _) = open(dir.path(), &config);
        (0..6).for_each(|sequence| data(&mut log, 1, sequence));
        log.delete_records(Offset(3));
        log.delete_old(NOW_MS, Offset(6)).unwrap();
        mark(&mut log, 1, 0, Outcome::Abort, 0).unwrap();
        let before = log.aborted_transactions(Offset(3), Offset(7)).unwrap();
        assert_eq!(before.iter().map(|aborted| aborted.first.0).collect::<Vec<_>>(), [0]);
        drop(log);
        let opening = Opening {
            stop: Stop::Unclean,
            recovery_point: Offset(0),
            log_start: Offset(3),
            high_watermark: Offset(6),
            now_ms: NOW_MS,
        };
        let (log, _) = Log::open(dir.path(), config, opening).unwrap();
        assert_eq!(log.aborted_transactions(Offset(3), Offset(7)).unwrap(), before);
    }
}

/// A step of the transaction model: a producer writes, or its transaction ends.
#[derive(Clone, Debug)]
enum Step {
    Write { producer: i64 },
    End { producer: i64, outcome: Outcome },
    Truncate { percent: i64 },
    HighWatermark { percent: i64 },
    Reopen { clean: bool },
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(Outcome::Abort), Just(Outcome::Commit)];
    prop_oneof![
        6 => (1..4_i64).prop_map(|producer| Step::Write { producer }),
        4 => (1..4_i64, outcome).prop_map(|(producer, outcome)| Step::End { producer, outcome }),
        1 => (0..=100_i64).prop_map(|percent| Step::Truncate { percent }),
        1 => (0..=100_i64).prop_map(|percent| Step::HighWatermark { percent }),
        2 => any::<bool>().prop_map(|clean| Step::Reopen { clean }),
        1 => Just(Step::Flush),
    ]
}

/// Open transactions by producer, decided ones as (first, marker), aborted ones as (producer, first, marker).
type Transactions = (BTreeMap<i64, i64>, Vec<(i64, i64)>, Vec<(i64, i64, i64)>);

/// What the log holds, one record an offset: who, and how it ended if it is a marker.
#[derive(Default)]
struct Model {
    records: Vec<(i64, Option<Outcome>)>,
    high_watermark: i64,
}

impl Model {
    fn next_sequence(&self, producer: i64) -> i32 {
        self.records.iter().filter(|record| **record == (producer, None)).count() as i32
    }

    fn transactions(&self) -> Transactions {
        let (mut open, mut decided, mut aborted) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (offset, (producer, end)) in (0..).zip(&self.records) {
            match end {
                None => drop(open.entry(*producer).or_insert(offset)),
                Some(outcome) => {
                    let Some(first) = open.remove(producer) else { continue };
                    decided.push((first, offset));
                    if *outcome == Outcome::Abort {
                        aborted.push((*producer, first, offset));
                    }
                }
            }
        }
        (open, decided, aborted)
    }

    fn compare(&self, log: &Log) {
        let (open, decided, aborted) = self.transactions();
        let unreplicated = decided.iter().filter(|(_, marker)| *marker >= self.high_watermark);
        let unstable = open.values().copied().chain(unreplicated.map(|(first, _)| *first)).min();
        assert_eq!(log.first_unstable_offset().map(|first| first.0), unstable);
        let end = self.records.len() as i64;
        for (from, up_to) in [(0, end), (end / 3, end / 2), (end / 2, end)] {
            let touched: Vec<_> =
                aborted.iter().copied().filter(|(_, first, marker)| *marker >= from && *first < up_to).collect();
            let found = log.aborted_transactions(Offset(from), Offset(up_to)).unwrap();
            let found: Vec<_> = found.iter().map(|it| (it.producer.0, it.first.0, it.last.0)).collect();
            assert_eq!(found, touched, "{from}..{up_to}");
        }
        for producer in 1..4 {
            let known = log.producer(ProducerId(producer));
            let wrote = self.next_sequence(producer) - 1;
            assert_eq!(known.map_or(-1, super::super::producers::Producer::last_sequence), wrote);
            assert_eq!(known.and_then(|known| known.transaction).map(|first| first.0), open.get(&producer).copied());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn transactions_are_a_function_of_the_log_whatever_happens(steps in prop::collection::vec(step(), 1..60)) {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &small());
        let mut model = Model::default();
        for step in steps {
            let end = model.records.len() as i64;
            match step {
                Step::Write { producer } => {
                    data(&mut log, producer, model.next_sequence(producer));
                    model.records.push((producer, None));
                }
                Step::End { producer, outcome } => {
                    mark(&mut log, producer, 0, outcome, 0).unwrap();
                    model.records.push((producer, Some(outcome)));
                }
                Step::Truncate { percent } => {
                    let to = (end * percent / 100).max(model.high_watermark);
                    log.truncate_to(Offset(to)).unwrap();
                    model.records.truncate(to as usize);
                }
                Step::HighWatermark { percent } => {
                    model.high_watermark = model.high_watermark.max(end * percent / 100);
                }
                Step::Flush => log.flush(NOW_MS).unwrap(),
                Step::Reopen { clean } => {
                    let recovery_point = log.recovery_point();
                    if clean { log.close().unwrap() } else { drop(log) }
                    let stop = if clean { Stop::Clean } else { Stop::Unclean };
                    let (log_start, high_watermark) = (Offset(0), Offset(model.high_watermark));
                    let opening = Opening { stop, recovery_point, log_start, high_watermark, now_ms: NOW_MS };
                    log = Log::open(dir.path(), small(), opening).unwrap().0;
                }
            }
            log.on_high_watermark(Offset(model.high_watermark));
            model.compare(&log);
        }
    }
}
