//! Rolling, syncing, retention and timestamps: what time and size do to a log.

use super::*;

fn segments(dir: &tempfile::TempDir) -> usize {
    let paths = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).count()
}

/// One batch of one record to a segment.
fn one_each() -> LogConfig {
    let bytes = Spec::plain(1).bytes().len() as u32;
    LogConfig { segment_bytes: bytes, retention_ms: None, ..LogConfig::default() }
}

fn lead_at(log: &mut Log, timestamp_ms: i64) {
    lead(log, 0, &Spec::plain(0).timed(&[timestamp_ms])).unwrap();
}

#[test]
fn a_segment_is_closed_when_the_next_batch_would_not_fit_or_is_too_late() {
    let batch = Spec::plain(1).bytes().len() as u32;
    for (segment_bytes, segment_ms, clock, expected) in [
        (batch * 2, i64::MAX, [0, 0, 0], 2),
        (batch * 3, i64::MAX, [0, 0, 0], 1),
        (batch * 3 - 1, i64::MAX, [0, 0, 0], 2),
        (1 << 20, 100, [0, 100, 101], 2),
        (1 << 20, 100, [0, 100, 100], 1),
        (1 << 20, 100, [0, 150, 250], 2),
    ] {
        let dir = folder();
        let config = LogConfig { segment_bytes, segment_ms, ..LogConfig::default() };
        let (mut log, _) = open(dir.path(), &config);
        clock.iter().for_each(|ms| lead_at(&mut log, NOW_MS + ms));
        assert_eq!(segments(&dir), expected, "{segment_bytes} {segment_ms} {clock:?}");
    }
}

#[test]
fn a_sync_is_due_by_messages_or_by_time_and_only_if_there_is_something() {
    for (flush_messages, flush_ms, appended, later_ms, due) in [
        (u64::MAX, i64::MAX, 100, 1 << 40, false),
        (3, i64::MAX, 2, 1 << 40, false),
        (3, i64::MAX, 3, 0, true),
        (1, i64::MAX, 0, 1 << 40, false),
        (u64::MAX, 1000, 1, 999, false),
        (u64::MAX, 1000, 1, 1000, true),
        (u64::MAX, 1000, 0, 1000, false),
    ] {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &LogConfig { flush_messages, flush_ms, ..LogConfig::default() });
        (0..appended).for_each(|_| lead_at(&mut log, NOW_MS));
        let now_ms = NOW_MS + later_ms;
        assert_eq!(log.flush_due(now_ms), due, "{flush_messages} {flush_ms} {appended} {later_ms}");
        log.flush(now_ms).unwrap();
        assert_eq!((log.flush_due(now_ms), log.unflushed_messages()), (false, 0));
    }
}

#[test]
fn a_sync_covers_what_was_there_when_it_began_and_nothing_that_was_cut_since() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    lead(&mut log, 0, &Spec::plain(5)).unwrap();
    let ticket = log.flush_ticket();
    lead(&mut log, 0, &Spec::plain(5)).unwrap();
    ticket.sync().unwrap();
    log.flushed(&ticket, NOW_MS);
    assert_eq!((log.recovery_point(), log.unflushed_messages()), (Offset(5), 5));
    let ticket = log.flush_ticket();
    log.truncate_to(Offset(5)).unwrap();
    lead(&mut log, 1, &Spec::plain(9)).unwrap();
    ticket.sync().unwrap();
    log.flushed(&ticket, NOW_MS);
    assert_eq!(log.recovery_point(), Offset(5), "offsets 5 to 9 are others than those synced");
}

#[test]
fn a_truncation_takes_the_recovery_point_with_it() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    (0..4).for_each(|_| lead(&mut log, 0, &Spec::plain(5)).map(drop).unwrap());
    log.flush(NOW_MS).unwrap();
    let truncated = log.truncate_to(Offset(12)).unwrap();
    assert_eq!((truncated.from, truncated.to), (Offset(20), Offset(10)));
    assert_eq!((log.recovery_point(), log.unflushed_messages()), (Offset(10), 0));
}

#[test]
fn closed_segments_can_be_synced_by_themselves() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &one_each());
    assert!(log.flush_ticket_of_closed().is_none());
    (0..3).for_each(|_| lead_at(&mut log, NOW_MS));
    let ticket = log.flush_ticket_of_closed().unwrap();
    ticket.sync().unwrap();
    log.flushed(&ticket, NOW_MS);
    assert_eq!(log.recovery_point(), Offset(2));
    assert!(log.flush_ticket_of_closed().is_none());
}

#[test]
fn old_segments_go_up_to_the_high_watermark_and_no_further() {
    for (age_kept, high_watermark, start) in [(25, 5, 2), (25, 1, 1), (25, 0, 0), (100, 5, 0), (5, 5, 4), (4, 5, 5)] {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &one_each());
        (0..5).for_each(|n| lead_at(&mut log, NOW_MS + n * 10));
        log.set_config(LogConfig { retention_ms: Some(age_kept), ..one_each() });
        log.delete_old(NOW_MS + 45, Offset(high_watermark)).unwrap();
        assert_eq!((log.start_offset(), log.end_offset()), (Offset(start), Offset(5)), "{age_kept} {high_watermark}");
        lead_at(&mut log, NOW_MS);
        assert_eq!(log.end_offset(), Offset(6));
    }
}

#[test]
fn a_young_segment_keeps_the_older_ones_behind_it() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &one_each());
    for ms in [50, 0, 0] {
        lead_at(&mut log, NOW_MS + ms);
    }
    log.set_config(LogConfig { retention_ms: Some(10), ..one_each() });
    log.delete_old(NOW_MS + 55, Offset(3)).unwrap();
    assert_eq!(log.start_offset(), Offset(0));
}

#[test]
fn the_oldest_segments_go_while_what_is_left_is_still_enough() {
    let batch = Spec::plain(1).bytes().len() as u64;
    for (kept, start) in [(batch * 5, 0), (batch * 5 - 1, 0), (batch * 4, 1), (batch * 3 + 1, 1), (0, 5)] {
        let dir = folder();
        let (mut log, _) = open(dir.path(), &one_each());
        (0..5).for_each(|_| lead_at(&mut log, NOW_MS));
        log.set_config(LogConfig { retention_bytes: Some(kept), ..one_each() });
        let deleted = log.delete_old(NOW_MS, Offset(5)).unwrap();
        assert_eq!((log.start_offset(), i64::from(deleted.segments)), (Offset(start), start), "{kept}");
        assert_eq!(deleted.bytes, batch * start as u64);
    }
}

#[test]
fn deleted_records_are_out_of_range_at_once_and_their_files_go_later() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &one_each());
    (0..5).for_each(|_| lead_at(&mut log, NOW_MS));
    log.delete_records(Offset(3));
    assert_eq!((log.start_offset(), segments(&dir)), (Offset(3), 5));
    let refused = log.read(Offset(2), 1000, Offset(5), true).unwrap_err().to_string();
    assert_eq!(refused, "offset is outside 3..5");
    log.delete_records(Offset(1));
    assert_eq!(log.start_offset(), Offset(3), "the start never goes back");
    assert_eq!(log.delete_old(NOW_MS, Offset(5)).unwrap().segments, 3);
    let left = (1..5).filter(|at| dir.path().join(format!("{at:020}.snapshot")).exists()).collect::<Vec<_>>();
    assert_eq!((left, segments(&dir)), (vec![3, 4], 2), "snapshots go with their segments");
    log.delete_records(Offset(99));
    assert_eq!((log.start_offset(), log.end_offset()), (Offset(5), Offset(5)));
    assert_eq!(log.epochs(), [(LeaderEpoch(0), Offset(5))]);
}

#[test]
fn the_first_record_not_older_than_a_timestamp_is_found_inside_its_batch() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig { segment_bytes: 200, ..LogConfig::default() });
    for timestamps in [&[10, 20, 15][..], &[5], &[30, 40], &[-1], &[40, 50]] {
        lead(&mut log, 2, &Spec::plain(0).timed(timestamps)).unwrap();
    }
    let table = [
        (0, Some((0, 10))),
        (11, Some((1, 20))),
        (20, Some((1, 20))),
        (21, Some((4, 30))),
        (40, Some((5, 40))),
        (41, Some((8, 50))),
        (51, None),
    ];
    for (timestamp_ms, expected) in table {
        let found = log.offset_for_timestamp(timestamp_ms).unwrap();
        assert_eq!(found.map(|found| (found.offset.0, found.timestamp_ms)), expected, "{timestamp_ms}");
        assert!(found.is_none_or(|found| found.leader_epoch == Some(LeaderEpoch(2))));
    }
    let largest = log.max_timestamp().unwrap().unwrap();
    assert_eq!((largest.offset, largest.timestamp_ms), (Offset(8), 50));
    log.truncate_to(Offset(7)).unwrap();
    let largest = log.max_timestamp().unwrap().unwrap();
    assert_eq!((largest.offset, largest.timestamp_ms), (Offset(5), 40));
    log.delete_records(Offset(6));
    assert_eq!(log.max_timestamp().unwrap(), None, "the record at 6 has no timestamp");
}

#[test]
fn a_compressed_batch_is_looked_into_and_one_that_cannot_be_is_answered_by_its_first_offset() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    let plain = Spec::plain(0).timed(&[NOW_MS, NOW_MS + 5, NOW_MS + 3]).bytes();
    let compressed = |records: &[u8]| {
        let mut bytes = plain[..61].to_vec();
        bytes.extend_from_slice(records);
        bytes[22] |= 4;
        let length = (bytes.len() - 12) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        super::super::batch::set_crc(&mut bytes);
        bytes
    };
    for mut bytes in [compressed(&zstd::encode_all(&plain[61..], 1).unwrap()), compressed(b"not zstd")] {
        log.append_as_leader(&mut bytes, LeaderEpoch(0), Origin::Client, NOW_MS).unwrap();
    }
    let find = |log: &Log| log.offset_for_timestamp(NOW_MS + 4).unwrap().map(|found| found.offset.0);
    assert_eq!(find(&log), Some(1));
    log.delete_records(Offset(3));
    assert_eq!(find(&log), Some(3));
}
