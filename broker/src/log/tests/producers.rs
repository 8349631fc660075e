//! Idempotent producers: verdicts as a table, and through the log with its restarts.

use super::super::batch::{Batch, Header};
use super::super::producer_snapshot::{self, SnapshotError};
use super::super::producers::{Producer, Producers, Recent, Remembered, Verdict, verdict};
use super::super::{ProducerId, producers::REMEMBERED_BATCHES_MAX};
use super::*;

const ID: ProducerId = ProducerId(7);

fn header(epoch: i16, first: i32, count: usize, at: i64) -> Header {
    Batch::first(&Spec::of(ID.0, epoch, first, count).at(at, 0).bytes()).unwrap().header
}

/// A batch: epoch, first sequence, number of records.
type Sent = (i16, i32, usize);

/// A producer that wrote these batches.
fn knowing(batches: &[Sent]) -> Producers {
    let (mut producers, mut at) = (Producers::default(), 0);
    for (epoch, first, count) in batches {
        let header = header(*epoch, *first, *count, at);
        producers.learn(ID, &header, None, REMEMBERED_BATCHES_MAX);
        at = header.next_offset().0;
    }
    producers
}

#[test]
fn a_leader_judges_a_batch_by_what_it_knows_of_its_producer() {
    use Judged::*;
    #[derive(Debug, PartialEq)]
    enum Judged {
        Accept,
        DuplicateAt(i64),
        OutOfOrderAfter(i32),
        FencedBy(i16),
    }
    const MAX: i32 = i32::MAX;
    let six: &[Sent] = &[(0, 0, 1), (0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 1), (0, 5, 1)];
    let table: [(&[Sent], Sent, Judged, &str); 20] = [
        (&[], (0, 0, 1), Accept, "unknown: from 0"),
        (&[], (0, 99, 1), Accept, "unknown: from anywhere, its state may have expired"),
        (&[], (5, 99, 1), Accept, "unknown: any epoch"),
        (&[(0, 0, 3)], (0, 3, 1), Accept, "the next"),
        (&[(0, 0, 3)], (0, 4, 1), OutOfOrderAfter(2), "one is missing"),
        (&[(0, 0, 3)], (0, 2, 1), OutOfOrderAfter(2), "overlaps, and is no batch seen"),
        (&[(0, 0, 3)], (0, 0, 3), DuplicateAt(0), "the last once more"),
        (&[(0, 0, 3)], (0, 0, 2), OutOfOrderAfter(2), "the same start and another end is no duplicate"),
        (&[(0, 0, 3), (0, 3, 2)], (0, 0, 3), DuplicateAt(0), "the one before the last"),
        (&[(0, 0, 3), (0, 3, 2)], (0, 3, 2), DuplicateAt(3), "the last"),
        (six, (0, 1, 1), DuplicateAt(1), "the fifth last is remembered"),
        (six, (0, 0, 1), OutOfOrderAfter(5), "the sixth last is not"),
        (&[(3, 0, 1)], (2, 1, 1), FencedBy(3), "an older epoch"),
        (&[(3, 0, 1)], (2, 0, 1), FencedBy(3), "an older epoch, even from 0"),
        (&[(3, 0, 9)], (4, 0, 1), Accept, "a newer epoch from 0"),
        (&[(3, 0, 9)], (4, 9, 1), OutOfOrderAfter(8), "a newer epoch must begin at 0"),
        (&[(3, 0, 1), (4, 0, 2)], (4, 2, 1), Accept, "the next in the newer epoch"),
        (&[(0, MAX - 1, 2)], (0, 0, 1), Accept, "0 follows the largest number"),
        (&[(0, MAX, 3)], (0, 2, 1), Accept, "a batch may wrap inside"),
        (&[(0, MAX, 3)], (0, MAX, 3), DuplicateAt(0), "and is recognised"),
    ];
    for (known, (epoch, first, count), expected, why) in table {
        let judged = match verdict(knowing(known).get(ID), &header(epoch, first, count, 100)) {
            Verdict::Accept => Accept,
            Verdict::Duplicate(old) => DuplicateAt(old.base_offset().0),
            Verdict::OutOfOrder { last } => OutOfOrderAfter(last),
            Verdict::Fenced { current } => FencedBy(current),
        };
        assert_eq!(judged, expected, "{why}");
    }
}

#[test]
fn a_duplicate_gets_the_answer_of_the_first_time_and_is_not_appended() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    lead(&mut log, 0, &Spec::plain(10)).unwrap();
    lead(&mut log, 0, &Spec::of(7, 0, 0, 3)).unwrap();
    lead(&mut log, 0, &Spec::of(7, 0, 3, 2)).unwrap();
    let again = lead(&mut log, 0, &Spec::of(7, 0, 0, 3)).unwrap();
    let expected = Appended::Duplicate { base_offset: Offset(10), last_offset: Offset(12), timestamp_ms: NOW_MS };
    assert_eq!((again, log.end_offset()), (expected, Offset(15)));
}

#[test]
fn sequences_that_do_not_follow_and_old_epochs_are_refused_and_change_nothing() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    lead(&mut log, 0, &Spec::of(7, 1, 0, 3)).unwrap();
    let error = lead(&mut log, 0, &Spec::of(7, 1, 5, 1)).unwrap_err();
    assert!(matches!(error, AppendError::OutOfOrder { last: 2, found: 5, .. }), "{error}");
    let error = lead(&mut log, 0, &Spec::of(7, 0, 3, 1)).unwrap_err();
    assert!(matches!(error, AppendError::ProducerFenced { current: 1, found: 0, .. }), "{error}");
    assert_eq!(log.end_offset(), Offset(3));
    lead(&mut log, 0, &Spec::of(7, 1, 3, 1)).unwrap();
}

#[test]
fn several_batches_are_judged_one_after_another_and_taken_all_or_none() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    let both = |first: i32, second: i32| {
        let mut bytes = Spec::of(7, 0, first, 2).bytes();
        bytes.extend(Spec::of(7, 0, second, 1).bytes());
        bytes
    };
    log.append_as_leader(&mut both(0, 2), LeaderEpoch(0), Origin::Client, NOW_MS).unwrap();
    let error = log.append_as_leader(&mut both(3, 9), LeaderEpoch(0), Origin::Client, NOW_MS).unwrap_err();
    assert!(matches!(error, AppendError::OutOfOrder { last: 4, found: 9, .. }), "{error}");
    assert_eq!(log.end_offset(), Offset(3));
    log.append_as_leader(&mut both(3, 5), LeaderEpoch(0), Origin::Client, NOW_MS).unwrap();
    assert_eq!(log.end_offset(), Offset(6));
}

#[test]
fn a_follower_learns_the_producers_and_recognises_duplicates_once_it_leads() {
    let (leader_dir, follower_dir) = (folder(), folder());
    let (mut leader, _) = open(leader_dir.path(), &LogConfig::default());
    let (mut follower, _) = open(follower_dir.path(), &LogConfig::default());
    for n in 0..8 {
        lead(&mut leader, 0, &Spec::of(7, 0, n * 2, 2)).unwrap();
    }
    follower.append_as_follower(&read_all(&leader, Offset(0))).unwrap();
    let again = lead(&mut follower, 1, &Spec::of(7, 0, 6, 2)).unwrap();
    assert!(matches!(again, Appended::Duplicate { base_offset: Offset(6), .. }), "{again:?}");
    lead(&mut follower, 1, &Spec::of(7, 0, 16, 1)).unwrap();
}

#[test]
fn a_duplicate_is_recognised_after_a_kill_a_clean_stop_and_a_truncation() {
    let dir = folder();
    let config = LogConfig { segment_bytes: 400, ..LogConfig::default() };
    let (mut log, _) = open(dir.path(), &config);
    for n in 0..10 {
        lead(&mut log, 0, &Spec::of(7, 0, n, 1)).unwrap();
    }
    drop(log);
    let last = |log: &mut Log, sequence| match lead(log, 0, &Spec::of(7, 0, sequence, 1)).unwrap() {
        Appended::Duplicate { base_offset, .. } => base_offset.0,
        new => panic!("appended once more: {new:?}"),
    };
    let (mut log, _) = open(dir.path(), &config);
    assert_eq!((last(&mut log, 9), log.end_offset()), (9, Offset(10)));
    log.close().unwrap();
    let (mut log, _) = open_as(dir.path(), &config, Stop::Clean, Offset(10));
    assert_eq!(last(&mut log, 9), 9);
    log.truncate_to(Offset(6)).unwrap();
    assert_eq!(last(&mut log, 5), 5);
    let refused = lead(&mut log, 0, &Spec::of(7, 0, 7, 1)).unwrap_err();
    assert!(matches!(refused, AppendError::OutOfOrder { last: 5, found: 7, .. }), "{refused}");
    lead(&mut log, 0, &Spec::of(7, 0, 6, 1)).unwrap();
}

#[test]
fn a_snapshot_of_records_that_were_cut_off_is_never_used_again() {
    let dir = folder();
    let two = Spec::plain(1).bytes().len() as u32 * 2;
    let config = LogConfig { segment_bytes: two, ..LogConfig::default() };
    let (mut log, _) = open(dir.path(), &config);
    (0..8).for_each(|sequence| lead(&mut log, 0, &Spec::of(1, 0, sequence, 1)).map(drop).unwrap());
    drop(log);
    let torn = dir.path().join(format!("{:020}.log", 2));
    std::fs::OpenOptions::new().write(true).open(&torn).unwrap().set_len(u64::from(two) - 1).unwrap();
    let (mut log, _) = open(dir.path(), &config);
    assert_eq!(log.end_offset(), Offset(3));
    for (sequence, count) in [(0, 2), (2, 1), (3, 1), (4, 1)] {
        lead(&mut log, 0, &Spec::of(2, 0, sequence, count)).unwrap();
    }
    log.flush(NOW_MS).unwrap();
    drop(log);
    std::fs::remove_file(dir.path().join(format!("{:020}.snapshot", 7))).unwrap();
    let (log, _) = open_as(dir.path(), &config, Stop::Unclean, Offset(8));
    let last = |id| log.producer(ProducerId(id)).map(Producer::last_sequence);
    assert_eq!((last(1), last(2)), (Some(2), Some(4)));
}

#[test]
fn an_idle_producer_is_forgotten_and_one_with_an_open_transaction_is_not() {
    let dir = folder();
    let config = LogConfig { producer_id_expiration_ms: 1000, ..LogConfig::default() };
    let (mut log, _) = open(dir.path(), &config);
    lead(&mut log, 0, &Spec::of(1, 0, 0, 1)).unwrap();
    lead(&mut log, 0, &Spec::of(2, 0, 0, 1).transactional()).unwrap();
    log.expire_producers(NOW_MS + 999);
    assert_eq!(log.producers().count(), 2);
    log.expire_producers(NOW_MS + 1000);
    assert_eq!(log.producers().map(|(id, _)| id.0).collect::<Vec<_>>(), [2]);
    lead(&mut log, 0, &Spec::of(1, 0, 50, 1)).unwrap();
}

#[test]
fn coordinators_are_checked_for_their_epoch_and_not_for_sequences() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    let mut append = |epoch, sequence| {
        let mut bytes = Spec::of(7, epoch, sequence, 1).bytes();
        log.append_as_leader(&mut bytes, LeaderEpoch(0), Origin::Coordinator, NOW_MS)
    };
    append(2, -1).unwrap();
    append(2, -1).unwrap();
    assert!(matches!(append(1, -1), Err(AppendError::ProducerFenced { current: 2, found: 1, .. })));
}

#[test]
fn a_snapshot_is_in_kafkas_format_and_read_back() {
    let mut recent = Recent::default();
    recent.push(Remembered { last_sequence: 5, last_offset: Offset(9), offset_delta: 2, timestamp_ms: 11 }, 5);
    let full = Producer { epoch: 3, coordinator_epoch: 4, timestamp_ms: 11, transaction: Some(Offset(6)), recent };
    let bare = Producer { transaction: None, recent: Recent::default(), coordinator_epoch: -1, ..full };
    let known = [(ProducerId(1), full), (ProducerId(2), bare)];
    let bytes = producer_snapshot::encode(known.iter().rev().map(|(id, producer)| (*id, producer)));
    assert_eq!(bytes.len(), 10 + 2 * 46);
    assert_eq!((&bytes[..2], &bytes[6..10]), (&[0, 1][..], &[0, 0, 0, 2][..]));
    let first: [&[u8]; 8] = [
        &[0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 3],
        &[0, 0, 0, 5],
        &[0, 0, 0, 0, 0, 0, 0, 9],
        &[0, 0, 0, 2],
        &[0, 0, 0, 0, 0, 0, 0, 11],
        &[0, 0, 0, 4],
        &[0, 0, 0, 0, 0, 0, 0, 6],
    ];
    assert_eq!(bytes[10..56], first.concat());
    assert_eq!(producer_snapshot::decode(&bytes).unwrap(), known);
}

#[test]
fn a_damaged_snapshot_is_named() {
    let good = producer_snapshot::encode([(ID, knowing(&[(0, 0, 1)]).get(ID).unwrap())].into_iter());
    for len in 0..good.len() {
        assert!(producer_snapshot::decode(&good[..len]).is_err(), "torn at {len}");
    }
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        assert!(producer_snapshot::decode(&bytes).is_err(), "changed at {at}");
    }
    let with_count = |count: i32| {
        let mut bytes = good.clone();
        bytes[6..10].copy_from_slice(&count.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
        producer_snapshot::decode(&bytes).unwrap_err()
    };
    assert_eq!(with_count(-1), SnapshotError::Count(-1));
    assert!(matches!(with_count(i32::MAX), SnapshotError::Size { have: 56, .. }));
    assert_eq!(producer_snapshot::decode(&[0, 2]), Err(SnapshotError::Version(2)));
}
