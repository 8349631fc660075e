//! What opening a log makes of files that were torn, changed, lost or made up.

use super::super::batch::BatchError;
use super::super::{Damage, Finding, ReadError};
use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

fn small() -> LogConfig {
    LogConfig { segment_bytes: 600, index_interval_bytes: 100, ..LogConfig::default() }
}

fn file(dir: &TempDir, base: i64, extension: &str) -> PathBuf {
    dir.path().join(format!("{base:020}.{extension}"))
}

/// A log of `count` batches of one record, by turns without and with a producer; the bytes and end of each segment.
fn written(dir: &TempDir, count: i32) -> Log {
    let (mut log, _) = open(dir.path(), &small());
    for n in 0..count {
        let spec = if n % 2 == 0 { Spec::plain(1) } else { Spec::of(7, 0, n / 2, 1) };
        lead(&mut log, n / 10, &spec).unwrap();
    }
    log
}

fn copy(from: &TempDir) -> TempDir {
    let to = folder();
    for entry in fs::read_dir(from.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

fn segment_bases(dir: &TempDir) -> Vec<i64> {
    let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut bases: Vec<i64> = names.filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
    bases.sort_unstable();
    bases
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_back_to_the_last_whole_batch() {
    let dir = folder();
    drop(written(&dir, 5));
    let whole = fs::read(file(&dir, 0, "log")).unwrap();
    let size = whole.len() / 5;
    for len in 0..whole.len() {
        fs::write(file(&dir, 0, "log"), &whole[..len]).unwrap();
        let (mut log, recovery) = open(dir.path(), &small());
        let kept = len / size;
        assert_eq!(log.end_offset(), Offset(kept as i64), "torn at {len}");
        assert_eq!(read_all(&log, Offset(0)), &whole[..kept * size]);
        match recovery.cut {
            None => assert_eq!(len % size, 0),
            Some(cut) => {
                assert_eq!((cut.from_bytes, cut.to_bytes), (len as u64, (kept * size) as u64));
                assert!(matches!(cut.why, Damage::Batch(BatchError::Incomplete { .. })), "{:?}", cut.why);
            }
        }
        lead(&mut log, 9, &Spec::plain(1)).unwrap();
        assert_eq!(log.end_offset(), Offset(kept as i64 + 1));
        drop(log);
        fs::remove_file(dir.path().join("leader-epoch-checkpoint")).unwrap();
    }
}

#[test]
fn a_byte_changed_anywhere_cuts_there_if_the_checksum_covers_it_and_is_never_a_panic() {
    let dir = folder();
    drop(written(&dir, 5));
    let whole = fs::read(file(&dir, 0, "log")).unwrap();
    let size = whole.len() / 5;
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        fs::write(file(&dir, 0, "log"), &changed).unwrap();
        let (log, recovery) = open(dir.path(), &small());
        let batch = at / size;
        if at % size >= 16 {
            assert_eq!(log.end_offset(), Offset(batch as i64), "changed at {at}");
            assert_eq!(recovery.cut.unwrap().to_bytes, (batch * size) as u64);
        }
        assert_eq!(log.size_bytes(), fs::metadata(file(&dir, 0, "log")).unwrap().len());
        drop(read_all(&log, log.start_offset()));
    }
}

#[test]
fn what_follows_a_cut_goes_and_what_precedes_it_stays() {
    let dir = folder();
    drop(written(&dir, 30));
    let bases = segment_bases(&dir);
    let second = file(&dir, bases[1], "log");
    let mut bytes = fs::read(&second).unwrap();
    bytes[100] ^= 1;
    fs::write(&second, &bytes).unwrap();
    let (log, recovery) = open(dir.path(), &small());
    let cut = recovery.cut.unwrap();
    assert_eq!((cut.segment, cut.end), (Offset(bases[1]), log.end_offset()));
    assert!(cut.later_bytes > 0 && matches!(cut.why, Damage::Batch(BatchError::Crc { .. })));
    assert_eq!(segment_bases(&dir), &bases[..2]);
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(((log.end_offset().0 - 1) / 10) as i32)));
}

#[test]
fn damage_below_the_recovery_point_is_left_in_place_and_reads_are_refused() {
    let dir = folder();
    let mut log = written(&dir, 30);
    log.flush(NOW_MS).unwrap();
    let (recovery_point, end) = (log.recovery_point(), log.end_offset());
    drop(log);
    let bases = segment_bases(&dir);
    fs::remove_file(file(&dir, bases[1], "index")).unwrap();
    let path = file(&dir, bases[1], "log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    bytes[16] = 9;
    fs::write(&path, &bytes).unwrap();
    let (log, recovery) = open_as(dir.path(), &small(), Stop::Unclean, recovery_point);
    assert_eq!((recovery.cut, log.end_offset()), (None, end));
    let damaged = Finding::Damaged { segment: Offset(bases[1]), position: 0, why: Damage::Batch(BatchError::Magic(9)) };
    assert!(recovery.findings.contains(&damaged), "{:?}", recovery.findings);
    let error = log.read(Offset(bases[1]), 1000, end, true).unwrap_err();
    assert!(matches!(error, ReadError::Corrupt { error: BatchError::Magic(9), .. }), "{error}");
    assert!(!log.read(Offset(bases[2]), 1000, end, true).unwrap().is_empty());
}

#[test]
fn an_index_that_is_lost_torn_blank_or_wrong_is_rebuilt() {
    let origin = folder();
    written(&origin, 30).close().unwrap();
    let bases = segment_bases(&origin);
    let index = fs::read(file(&origin, bases[1], "index")).unwrap();
    assert!(index.len() >= 16);
    let mut wrong = index.clone();
    *wrong.last_mut().unwrap() ^= 0x10;
    let blank = vec![0; index.len()];
    let table: [(&str, &str, Option<&[u8]>); 8] = [
        ("index", "an index is missing or torn", None),
        ("index", "an index is missing or torn", Some(&index[..11])),
        ("index", "the last index entry leads nowhere", Some(&blank)),
        ("index", "the last index entry leads nowhere", Some(&[0xff; 8])),
        ("index", "the batches behind the index cannot be read", Some(&wrong)),
        ("timeindex", "an index is missing or torn", None),
        ("timeindex", "an index is missing or torn", Some(&[1; 13])),
        ("timeindex", "the time index is empty", Some(&[])),
    ];
    for (extension, why, content) in table {
        let dir = copy(&origin);
        let path = file(&dir, bases[1], extension);
        let before = fs::read(&path).unwrap();
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let (log, recovery) = open_as(dir.path(), &small(), Stop::Clean, Offset(0));
        assert_eq!(
            recovery.findings,
            [Finding::IndexRebuilt { segment: Offset(bases[1]), why }],
            "{extension} {content:?}"
        );
        assert_eq!((recovery.cut, log.end_offset()), (None, Offset(30)));
        assert_eq!(fs::read(&path).unwrap(), before, "{extension}");
    }
}

#[test]
fn a_wrong_entry_inside_an_index_costs_time_and_not_the_answer() {
    let dir = folder();
    let log = written(&dir, 30);
    let expected: Vec<_> = (0..30).map(|at| log.read(Offset(at), 1, Offset(30), true).unwrap()).collect();
    log.close().unwrap();
    for base in segment_bases(&dir) {
        let path = file(&dir, base, "index");
        let mut bytes = fs::read(&path).unwrap();
        if bytes.len() > 8 {
            bytes[7] ^= 0x21;
            fs::write(&path, &bytes).unwrap();
        }
    }
    let (log, _) = open_as(dir.path(), &small(), Stop::Clean, Offset(0));
    for (at, expected) in expected.iter().enumerate() {
        assert_eq!(&log.read(Offset(at as i64), 1, Offset(30), true).unwrap(), expected, "{at}");
    }
}

#[test]
fn a_clean_stop_is_not_believed_against_a_torn_tail() {
    let dir = folder();
    written(&dir, 30).close().unwrap();
    let last = *segment_bases(&dir).last().unwrap();
    let bytes = fs::read(file(&dir, last, "log")).unwrap();
    fs::write(file(&dir, last, "log"), &bytes[..bytes.len() - 1]).unwrap();
    let (log, recovery) = open_as(dir.path(), &small(), Stop::Clean, Offset(0));
    assert_eq!((log.end_offset(), recovery.cut.unwrap().end), (Offset(29), Offset(29)));
    assert_eq!(log.recovery_point(), Offset(0));
}

#[test]
fn a_lost_segment_is_reported_and_passed_over() {
    let dir = folder();
    written(&dir, 30).close().unwrap();
    let bases = segment_bases(&dir);
    fs::remove_file(file(&dir, bases[1], "log")).unwrap();
    let (log, recovery) = open_as(dir.path(), &small(), Stop::Clean, Offset(0));
    assert_eq!(recovery.findings, [Finding::Gap { from: Offset(bases[1]), to: Offset(bases[2]) }]);
    let read = log.read(Offset(bases[1]), 1, Offset(30), true).unwrap();
    assert_eq!(read[..8], bases[2].to_be_bytes());
    assert!(!file(&dir, bases[1], "index").exists(), "indexes without a log are removed");
}

#[test]
fn epochs_are_read_off_the_batches_if_the_checkpoint_is_lost_or_contradicts_them() {
    let origin = folder();
    let log = written(&origin, 30);
    let epochs = log.epochs().to_vec();
    assert_eq!(epochs, [(LeaderEpoch(0), Offset(0)), (LeaderEpoch(1), Offset(10)), (LeaderEpoch(2), Offset(20))]);
    log.close().unwrap();
    let table = [
        (None, "no leader-epoch-checkpoint"),
        (Some(""), ":1: the file ends where the version should be"),
        (Some("0\n"), ":2: the file ends where the count should be"),
        (Some("\0\0\0\0"), ":1: version"),
        (Some("0\n0\n"), "the first batch is of another epoch"),
        (Some("0\n1\n2 20\n"), "the first batch is of another epoch"),
        (Some("0\n2\n0 0\n1 10\n"), "the last batch is of another epoch"),
    ];
    for (content, expected) in table {
        let dir = copy(&origin);
        let path = dir.path().join("leader-epoch-checkpoint");
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let (log, recovery) = open_as(dir.path(), &small(), Stop::Clean, Offset(0));
        let [Finding::EpochsRebuilt { why }] = &recovery.findings[..] else { panic!("{:?}", recovery.findings) };
        assert!(why.contains(expected), "{why}");
        assert_eq!(log.epochs(), epochs);
    }
}

#[test]
fn a_log_that_ends_below_its_start_begins_anew_there() {
    let dir = folder();
    drop(written(&dir, 5));
    let opening = Opening {
        stop: Stop::Unclean,
        recovery_point: Offset(0),
        log_start: Offset(40),
        high_watermark: Offset(0),
        now_ms: NOW_MS,
    };
    let (log, recovery) = Log::open(dir.path(), small(), opening).unwrap();
    assert_eq!(recovery.findings, [Finding::Restarted { end: Offset(5), start: Offset(40) }]);
    assert_eq!((log.start_offset(), log.end_offset()), (Offset(40), Offset(40)));
}

#[test]
fn a_snapshot_that_is_torn_is_not_needed() {
    let dir = folder();
    let log = written(&dir, 30);
    let known = log.producer(super::super::ProducerId(7)).copied().unwrap();
    log.close().unwrap();
    let snapshots: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "snapshot"))
        .collect();
    assert!(snapshots.len() > 3);
    for path in snapshots {
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    let (log, _) = open_as(dir.path(), &small(), Stop::Clean, Offset(0));
    assert_eq!(log.producer(super::super::ProducerId(7)), Some(&known));
}

#[test]
fn names_that_are_not_ours_are_left_alone() {
    let dir = folder();
    written(&dir, 3).close().unwrap();
    for name in ["1.log", "0000000000000000000x.log", "99999999999999999999.log", "partition.metadata", "x.log.deleted"]
    {
        fs::write(dir.path().join(name), b"?").unwrap();
    }
    let (log, recovery) = open_as(dir.path(), &small(), Stop::Clean, Offset(0));
    assert_eq!((log.end_offset(), recovery), (Offset(3), Recovery::default()));
    assert!(dir.path().join("1.log").exists());
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![3 => Just(0_u8), 1 => Just(2), 1 => Just(0xff), 3 => any::<u8>()], 0..300)
}

/// Header fields no producer would send, under a checksum that is right.
fn crafted() -> impl Strategy<Value = Vec<u8>> {
    let edge = || prop_oneof![4 => 0..40_i64, 1 => Just(i64::MAX), 1 => Just(i64::MAX - 40), 1 => any::<i64>()];
    let small = || prop_oneof![4 => 0..4_i32, 1 => Just(i32::MAX), 1 => any::<i32>()];
    (edge(), small(), 0..128_i16, (small(), small(), edge()), (edge(), any::<i16>()), any_bytes()).prop_map(
        |(base, epoch, attributes, (delta, count, timestamp), (producer, producer_epoch), records)| {
            let mut bytes = Spec::of(producer, producer_epoch, delta, 0).at(base, epoch).bytes();
            bytes.extend_from_slice(&records);
            let length = bytes.len() as i32 - 12;
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            bytes[21..23].copy_from_slice(&attributes.to_be_bytes());
            bytes[23..27].copy_from_slice(&delta.to_be_bytes());
            bytes[27..35].copy_from_slice(&timestamp.to_be_bytes());
            bytes[35..43].copy_from_slice(&timestamp.wrapping_add(9).to_be_bytes());
            bytes[57..61].copy_from_slice(&count.to_be_bytes());
            super::super::batch::set_crc(&mut bytes);
            bytes
        },
    )
}

fn ask_everything(log: &Log) {
    let (start, end) = (log.start_offset(), log.end_offset());
    for timestamp_ms in [0, 20, NOW_MS, i64::MAX] {
        let _ = log.offset_for_timestamp(timestamp_ms);
    }
    let _ = (log.max_timestamp(), log.aborted_transactions(start, end), log.first_unstable_offset());
    for from in [start, Offset(start.0.midpoint(end.0)), end] {
        let _ = log.read(from, 200, end, true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_crafted_batch_with_a_right_checksum_is_taken_or_refused_and_never_a_panic(
        batches in prop::collection::vec(crafted(), 1..12),
        on_disk in any::<bool>(),
        clean in any::<bool>(),
    ) {
        let dir = folder();
        let gaps = LogConfig { offset_gaps: super::super::OffsetGaps::Allowed, ..small() };
        if on_disk {
            fs::write(file(&dir, 0, "log"), batches.concat()).unwrap();
        }
        let stop = if clean { Stop::Clean } else { Stop::Unclean };
        let (mut log, _) = open_as(dir.path(), &gaps, stop, Offset(0));
        ask_everything(&log);
        for batch in &batches {
            let _ = log.append_as_follower(batch);
            let _ = log.append_as_leader(&mut batch.clone(), LeaderEpoch(i32::MAX), Origin::Client, NOW_MS);
            let _ = log.append_as_leader(&mut batch.clone(), LeaderEpoch(i32::MAX), Origin::Coordinator, NOW_MS);
        }
        ask_everything(&log);
        let end = log.end_offset();
        drop(log);
        let (mut log, recovery) = open(dir.path(), &gaps);
        prop_assert!(log.end_offset() == end || clean && on_disk, "{:?}", recovery);
        log.truncate_to(Offset(end.0 / 2)).unwrap();
        ask_everything(&log);
        log.close().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_in_any_file_open_as_some_log_that_can_be_used(
        files in prop::collection::vec((0..4_i64, 0..5_usize, any_bytes()), 0..8),
        clean in any::<bool>(),
        recovery_point in 0..40_i64,
    ) {
        let dir = folder();
        drop(written(&dir, 20));
        for (n, kind, bytes) in files {
            let base = segment_bases(&dir).get(n as usize).copied().unwrap_or(n * 7);
            let extension = ["log", "index", "timeindex", "txnindex", "snapshot"][kind];
            fs::write(file(&dir, base, extension), bytes).unwrap();
        }
        let stop = if clean { Stop::Clean } else { Stop::Unclean };
        let (mut log, _) = open_as(dir.path(), &small(), stop, Offset(recovery_point));
        let _ = log.read(log.start_offset(), 1000, log.end_offset(), true);
        let _ = log.offset_for_timestamp(NOW_MS);
        let _ = log.max_timestamp();
        let _ = log.aborted_transactions(Offset(0), log.end_offset());
        let end = log.end_offset();
        lead(&mut log, i32::MAX, &Spec::plain(1)).unwrap();
        prop_assert_eq!(log.end_offset(), end.plus(1));
        prop_assert!(!log.read(end, 1, end.plus(1), true).unwrap().is_empty());
        log.truncate_to(Offset(end.0 / 2)).unwrap();
        lead(&mut log, i32::MAX, &Spec::plain(1)).unwrap();
        log.close().unwrap();
    }
}
