//! Compaction: the last record of a key stays, and everything that a reader, a producer or a crash may rely upon.

use std::collections::BTreeMap;

use super::*;
use crate::log::{Cleanup, Codec, CompactionConfig, ProducerId, marker, recompressed, records};
use proptest::prelude::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Every batch closes its segment; anything dirty is compacted.
fn eager() -> LogConfig {
    let usual = LogConfig::default();
    let compaction = CompactionConfig { dirty_ppm_min: 0, delete_retention_ms: DAY_MS, ..usual.compaction };
    let cleanup = Cleanup { delete: false, compact: true };
    LogConfig { segment_bytes: 130, cleanup, compaction, offset_gaps: crate::log::OffsetGaps::Allowed, ..usual }
}

fn compact(log: &mut Log, now_ms: i64) -> bool {
    let end = log.end_offset();
    let Some(compaction) = log.compaction_due(now_ms, end).unwrap() else { return false };
    let compacted = compaction.run().unwrap();
    log.compacted(&compacted).unwrap().is_some()
}

/// Offset, key and value of every record.
fn content(log: &Log) -> Vec<(i64, String, Option<String>)> {
    let bytes = read_all(log, log.start_offset());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut all = Vec::new();
    for batch in super::super::batch::Batches::new(&bytes) {
        let batch = batch.unwrap();
        batch.check_crc().unwrap();
        let plain = records::decompressed(&batch).unwrap();
        let records = records::records(&batch, &plain).filter(|_| !batch.header.is_control());
        all.extend(records.map(|record| (record.offset.0, text(record.key.unwrap()), record.value.map(text))));
    }
    all
}

fn keyed(log: &mut Log, pairs: &[(&'static str, Option<&str>)]) {
    lead(log, 0, &Spec::keyed(pairs)).unwrap();
}

#[test]
fn the_last_value_of_each_key_stays_at_its_offset_and_older_ones_go() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &eager());
    for value in ["1", "2", "3"] {
        keyed(&mut log, &[("a", Some(value)), ("b", Some(value))]);
    }
    keyed(&mut log, &[("c", Some("active"))]);
    assert!(compact(&mut log, NOW_MS));
    let expected = [(4, "a", "3"), (5, "b", "3"), (6, "c", "active")];
    let expected: Vec<_> = expected.map(|(at, key, value)| (at, key.to_owned(), Some(value.to_owned()))).into();
    assert_eq!(content(&log), expected);
    assert_eq!((log.start_offset(), log.end_offset(), log.clean_until()), (Offset(0), Offset(7), Offset(6)));
    assert!(!compact(&mut log, NOW_MS), "nothing is dirty any more");
    log.close().unwrap();
    let (log, _) = open_as(dir.path(), &eager(), Stop::Clean, Offset(7));
    assert_eq!(content(&log), expected);
}

#[test]
fn a_tombstone_goes_only_after_its_time_and_readers_see_it_till_then() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &eager());
    keyed(&mut log, &[("a", Some("1")), ("b", Some("1"))]);
    keyed(&mut log, &[("a", None)]);
    keyed(&mut log, &[("x", Some("1"))]);
    assert!(compact(&mut log, NOW_MS));
    let tombstone = (2, "a".to_owned(), None);
    assert!(content(&log).contains(&tombstone));
    keyed(&mut log, &[("x", Some("2"))]);
    assert!(compact(&mut log, NOW_MS + DAY_MS - 1));
    assert!(content(&log).contains(&tombstone));
    keyed(&mut log, &[("x", Some("3"))]);
    assert!(compact(&mut log, NOW_MS + DAY_MS + 1));
    assert!(!content(&log).contains(&tombstone));
    assert!(content(&log).contains(&(1, "b".to_owned(), Some("1".to_owned()))));
}

#[test]
fn the_active_segment_what_is_not_stable_and_what_is_young_stay() {
    for (stable, lag_ms, compacted) in [(Offset(3), 0, true), (Offset(0), 0, false), (Offset(3), 1000, false)] {
        let dir = folder();
        let mut config = eager();
        config.compaction.lag_ms_min = lag_ms;
        let (mut log, _) = open(dir.path(), &config);
        for value in ["1", "2", "3"] {
            keyed(&mut log, &[("a", Some(value)), ("a", Some(value))]);
        }
        let due = log.compaction_due(NOW_MS + 500, stable).unwrap();
        assert_eq!(due.is_some(), compacted, "{stable} {lag_ms}");
    }
}

#[test]
fn a_log_that_is_not_dirty_enough_waits_unless_it_waits_too_long() {
    for (lag_ms_max, due) in [(i64::MAX, false), (1000, true)] {
        let dir = folder();
        let mut config = eager();
        config.compaction.dirty_ppm_min = 500_000;
        config.compaction.lag_ms_max = lag_ms_max;
        let (mut log, _) = open(dir.path(), &config);
        let keys = ["a", "b", "c", "d", "e", "f"];
        keys.iter().for_each(|key| keyed(&mut log, &[(key, Some("a value that needs some room in its segment"))]));
        assert!(compact(&mut log, NOW_MS));
        keyed(&mut log, &[("g", Some("a value that needs some room in its segment"))]);
        assert_eq!(log.compaction_due(NOW_MS + 2000, log.end_offset()).unwrap().is_some(), due, "{lag_ms_max}");
    }
}

#[test]
fn aborted_records_go_and_their_marker_goes_after_its_time() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &eager());
    let data = Spec { producer_id: 7, producer_epoch: 0, base_sequence: 0, ..Spec::keyed(&[("a", Some("aborted"))]) };
    keyed(&mut log, &[("a", Some("kept"))]);
    lead(&mut log, 0, &data.transactional()).unwrap();
    let abort = marker::Marker { outcome: marker::Outcome::Abort, coordinator_epoch: 0 };
    let mut abort = abort.batch(ProducerId(7), 0, NOW_MS);
    log.append_as_leader(&mut abort, LeaderEpoch(0), Origin::Coordinator, NOW_MS).unwrap();
    keyed(&mut log, &[("x", Some("1"))]);
    log.on_high_watermark(log.end_offset());
    assert!(compact(&mut log, NOW_MS));
    assert_eq!(content(&log)[0], (0, "a".to_owned(), Some("kept".to_owned())));
    assert_eq!(content(&log).len(), 2);
    assert!(log.producer(ProducerId(7)).is_some(), "its sequence is still known");
}

#[test]
fn a_producer_is_recognised_after_its_records_are_gone() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &eager());
    let of = |sequence| Spec {
        producer_id: 7,
        producer_epoch: 0,
        base_sequence: sequence,
        ..Spec::keyed(&[("a", Some("1"))])
    };
    lead(&mut log, 0, &of(0)).unwrap();
    keyed(&mut log, &[("a", Some("2"))]);
    keyed(&mut log, &[("x", Some("1"))]);
    assert!(compact(&mut log, NOW_MS));
    drop(log);
    std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).for_each(|path| {
        if path.extension().is_some_and(|extension| extension == "snapshot") {
            std::fs::remove_file(path).unwrap();
        }
    });
    let (mut log, _) = open(dir.path(), &eager());
    assert!(matches!(lead(&mut log, 0, &of(0)), Ok(Appended::Duplicate { base_offset: Offset(0), .. })));
}

#[test]
fn a_cut_while_a_compaction_runs_makes_it_void() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &eager());
    for value in ["1", "2", "3"] {
        keyed(&mut log, &[("a", Some(value)), ("b", Some(value))]);
    }
    let compacted = log.compaction_due(NOW_MS, log.end_offset()).unwrap().unwrap().run().unwrap();
    log.truncate_to(Offset(3)).unwrap();
    let before = content(&log);
    assert!(log.compacted(&compacted).unwrap().is_none());
    assert_eq!(content(&log), before);
}

#[test]
fn a_client_may_not_send_a_record_without_a_key_to_a_compacted_topic() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &eager());
    assert!(matches!(lead(&mut log, 0, &Spec::plain(1)), Err(AppendError::Refused(_))));
    let other = folder();
    let (mut log, _) = open(other.path(), &LogConfig::default());
    assert!(lead(&mut log, 0, &Spec::plain(1)).is_ok());
}

#[test]
fn a_batch_gets_the_compression_its_topic_asks_for_and_keeps_its_records() {
    let plain = Spec::keyed(&[("a", Some("1")), ("b", None), ("c", Some("3"))])
        .timed(&[NOW_MS, NOW_MS + 7, NOW_MS + 3])
        .bytes();
    let read = |bytes: &[u8]| {
        let batch = super::super::batch::Batch::first(bytes).unwrap();
        batch.check_crc().unwrap();
        let plain = records::decompressed(&batch).unwrap().into_owned();
        let records = records::records(&batch, &plain);
        records.map(|record| (record.offset, record.timestamp_ms, record.value.map(<[u8]>::to_vec))).collect::<Vec<_>>()
    };
    assert!(recompressed(&plain, Codec::None).unwrap().is_none());
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let other = recompressed(&plain, codec).unwrap().unwrap();
        let header = super::super::batch::Batch::first(&other).unwrap().header;
        assert_eq!((header.codec(), header.record_count, header.max_timestamp), (codec, 3, NOW_MS + 7));
        assert_eq!(read(&other), read(&plain), "{codec:?}");
        assert_eq!(recompressed(&other, Codec::None).unwrap().as_deref(), Some(&plain[..]), "{codec:?}");
    }
}

/// A crash at any file operation of the swap is one of these states of the folder.
#[test]
fn a_crash_in_the_middle_of_the_swap_is_made_good() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig { segment_bytes: 400, ..eager() });
    for value in ["1", "2", "3", "4"] {
        keyed(
            &mut log,
            &[("a", Some(value)), ("b", Some(value)), ("c", Some(value)), ("d", Some(value)), ("e", Some(value))],
        );
    }
    let compacted = log.compaction_due(NOW_MS, log.end_offset()).unwrap().unwrap().run().unwrap();
    let copy = folder();
    for entry in std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_file() {
            std::fs::copy(&entry, copy.path().join(entry.file_name().unwrap())).unwrap();
        }
    }
    let made = dir.path().join("compacting/00000000000000000000.log");
    std::fs::copy(&made, copy.path().join("00000000000000000000.log.swap")).unwrap();
    std::fs::create_dir(copy.path().join("compacting")).unwrap();
    log.compacted(&compacted).unwrap().unwrap();
    let (recovered, recovery) = open(copy.path(), &eager());
    assert_eq!(recovery.cut, None);
    assert_eq!(content(&recovered), content(&log));
    assert!(!copy.path().join("compacting").exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_and_whenever_it_is_compacted_the_last_value_of_every_key_is_there(
        steps in prop::collection::vec((0..6usize, prop::option::of(0..100u32), 0..8u8), 1..80),
        segment_bytes in 100..600u32,
    ) {
        const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
        let dir = folder();
        let config = LogConfig { segment_bytes, ..eager() };
        let (mut log, _) = open(dir.path(), &config);
        let (mut model, mut clock) = (BTreeMap::new(), NOW_MS);
        for (key, value, act) in steps {
            let value = value.map(|value| value.to_string());
            keyed(&mut log, &[(KEYS[key], value.as_deref())]);
            model.insert(KEYS[key].to_owned(), value);
            clock += DAY_MS / 4;
            match act {
                0 => { compact(&mut log, clock); }
                1 => {
                    drop(log);
                    log = open(dir.path(), &config).0;
                }
                _ => {}
            }
        }
        compact(&mut log, clock);
        let content = content(&log);
        prop_assert!(content.is_sorted_by(|one, next| one.0 < next.0));
        let mut last: BTreeMap<String, Option<String>> = BTreeMap::new();
        content.into_iter().for_each(|(_, key, value)| drop(last.insert(key, value)));
        for (key, value) in model {
            prop_assert_eq!(last.remove(&key).flatten(), value, "{}", key);
        }
        prop_assert!(last.is_empty());
    }
}
