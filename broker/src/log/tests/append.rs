//! What a leader and a follower take and refuse.

use super::super::LogError;
use super::super::{OffsetGaps, TimestampType, batch::BatchError, batch::Batches};
use super::*;

type Change = fn(&mut Vec<u8>);

fn recompute(bytes: &mut [u8]) {
    super::super::batch::set_crc(bytes);
}

#[test]
fn a_leader_refuses_what_a_client_may_not_send_and_the_log_stays_as_it_is() {
    let table: [(Change, &str); 9] = [
        (|bytes| bytes.clear(), "no batch to append"),
        (|bytes| bytes.truncate(70), "batch incomplete: 70 bytes of"),
        (|bytes| bytes.push(0), "batch incomplete: 1 bytes of 61"),
        (|bytes| bytes[16] = 1, "record format version 1"),
        (|bytes| bytes[70] ^= 1, "CRC-32C is"),
        (|bytes| bytes[7] = 5, "the base offset of a client's batch is not 0"),
        (
            |bytes| {
                bytes[60] = 1;
                recompute(bytes);
            },
            "the record count does not fit",
        ),
        (
            |bytes| {
                bytes[22] |= 0x20;
                bytes[43..51].copy_from_slice(&7_i64.to_be_bytes());
                recompute(bytes);
            },
            "clients may not write control batches",
        ),
        (
            |bytes| {
                bytes[22] |= 0x10;
                recompute(bytes);
            },
            "a transaction needs a producer id",
        ),
    ];
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    for (change, expected) in table {
        let mut bytes = Spec::plain(2).bytes();
        change(&mut bytes);
        let error = log.append_as_leader(&mut bytes, LeaderEpoch(0), Origin::Client, NOW_MS).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!((log.end_offset(), log.size_bytes(), log.latest_epoch()), (Offset(0), 0, None));
    }
    lead(&mut log, 0, &Spec::plain(2)).unwrap();
}

#[test]
fn a_batch_as_large_as_the_limit_is_taken_and_one_byte_more_is_not() {
    let bytes = Spec::plain(1).bytes().len();
    for (message_bytes_max, segment_bytes, taken) in
        [(bytes, 1 << 20, true), (bytes - 1, 1 << 20, false), (1 << 20, bytes, true), (1 << 20, bytes - 1, false)]
    {
        let dir = folder();
        let (message_bytes_max, segment_bytes) = (message_bytes_max as u32, segment_bytes as u32);
        let config = LogConfig { message_bytes_max, segment_bytes, ..LogConfig::default() };
        let (mut log, _) = open(dir.path(), &config);
        let result = lead(&mut log, 0, &Spec::plain(1));
        assert_eq!(result.is_ok(), taken);
        assert!(taken || matches!(result, Err(AppendError::TooLarge { .. })));
    }
}

#[test]
fn a_leader_stamps_offsets_and_epochs_on_every_batch() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    lead(&mut log, 2, &Spec::plain(3)).unwrap();
    let mut bytes = Spec::plain(2).bytes();
    bytes.extend(Spec::plain(4).bytes());
    let appended = log.append_as_leader(&mut bytes, LeaderEpoch(5), Origin::Client, NOW_MS).unwrap();
    let expected = Appended::New { base_offset: Offset(3), last_offset: Offset(8), append_time_ms: None };
    assert_eq!(appended, expected);
    let read = read_all(&log, Offset(0));
    let stamps: Vec<_> = Batches::new(&read)
        .map(|batch| batch.unwrap())
        .map(|batch| (batch.header.base_offset.0, batch.header.leader_epoch().unwrap().0, batch.check_crc()))
        .collect();
    assert_eq!(stamps, [(0, 2, Ok(())), (3, 5, Ok(())), (5, 5, Ok(()))]);
}

#[test]
fn a_leader_of_an_epoch_that_is_over_is_refused() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    log.begin_epoch(LeaderEpoch(4)).unwrap();
    let error = lead(&mut log, 3, &Spec::plain(1)).unwrap_err();
    assert!(matches!(error, AppendError::StaleLeader { current: LeaderEpoch(4), found: LeaderEpoch(3) }), "{error}");
    lead(&mut log, 4, &Spec::plain(1)).unwrap();
}

#[test]
fn the_epoch_checkpoint_is_written_before_the_first_batch_of_the_epoch() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    let written = || std::fs::read_to_string(dir.path().join("leader-epoch-checkpoint")).unwrap_or_default();
    log.begin_epoch(LeaderEpoch(3)).unwrap();
    assert_eq!(written(), "0\n1\n3 0\n");
    lead(&mut log, 3, &Spec::plain(5)).unwrap();
    lead(&mut log, 6, &Spec::plain(5)).unwrap();
    assert_eq!(written(), "0\n2\n3 0\n6 5\n");
}

#[test]
fn append_time_replaces_the_producers_and_is_answered() {
    let dir = folder();
    let config = LogConfig { timestamp_type: TimestampType::LogAppendTime, ..LogConfig::default() };
    let (mut log, _) = open(dir.path(), &config);
    let appended = lead(&mut log, 0, &Spec::plain(2).timed(&[5, 6])).unwrap();
    assert!(matches!(appended, Appended::New { append_time_ms: Some(NOW_MS), .. }), "{appended:?}");
    let read = read_all(&log, Offset(0));
    let batch = Batches::new(&read).next().unwrap().unwrap();
    assert_eq!((batch.check_crc(), batch.header.max_timestamp), (Ok(()), NOW_MS));
    let found = log.offset_for_timestamp(NOW_MS).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp_ms), (Offset(0), NOW_MS));
}

#[test]
fn a_clock_too_far_off_is_refused_and_one_just_in_time_is_not() {
    let dir = folder();
    let config = LogConfig { timestamp_before_ms_max: 1000, timestamp_after_ms_max: 10, ..LogConfig::default() };
    let (mut log, _) = open(dir.path(), &config);
    for (timestamps, taken) in [
        (&[NOW_MS - 1000][..], true),
        (&[NOW_MS - 1001], false),
        (&[NOW_MS + 10], true),
        (&[NOW_MS + 11], false),
        (&[NOW_MS, NOW_MS + 11], false),
        (&[-1], true),
    ] {
        let result = lead(&mut log, 0, &Spec::plain(0).timed(timestamps));
        assert_eq!(result.is_ok(), taken, "{timestamps:?}");
        assert!(taken || matches!(result, Err(AppendError::Timestamp { now_ms: NOW_MS, .. })));
    }
}

#[test]
fn a_follower_takes_what_follows_and_refuses_the_rest_whole() {
    let dir = folder();
    let (mut log, _) = open(dir.path(), &LogConfig::default());
    let at = |base: i64, epoch: i32, count: usize| Spec::plain(count).at(base, epoch).bytes();
    assert_eq!(log.append_as_follower(&at(0, 1, 2)).unwrap(), Offset(2));
    assert_eq!(log.append_as_follower(&[at(2, 1, 1), at(3, 3, 4)].concat()).unwrap(), Offset(7));
    for (bytes, expected) in [
        (at(8, 3, 1), "batch starts at 8, the log ends at 7"),
        (at(6, 3, 1), "batch starts at 6, the log ends at 7"),
        ([at(7, 3, 1), at(9, 3, 1)].concat(), "batch starts at 9, the log ends at 8"),
        ([at(7, 3, 1), vec![0; 30]].concat(), "record format version 0"),
        (at(7, 3, 1)[..70].to_vec(), "batch incomplete"),
    ] {
        let error = log.append_as_follower(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(log.end_offset(), Offset(7));
    }
    let mut changed = at(7, 3, 1);
    changed[70] ^= 1;
    assert!(matches!(log.append_as_follower(&changed), Err(AppendError::Corrupt(BatchError::Crc { .. }))));
    assert_eq!(log.append_as_follower(&[]).unwrap(), Offset(7));
    assert_eq!(log.epochs(), [(LeaderEpoch(1), Offset(0)), (LeaderEpoch(3), Offset(3))]);
}

#[test]
fn a_follower_of_a_compacted_topic_takes_holes_and_reads_pass_over_them() {
    let dir = folder();
    let config = LogConfig { offset_gaps: OffsetGaps::Allowed, ..LogConfig::default() };
    let (mut log, _) = open(dir.path(), &config);
    log.append_as_follower(&Spec::plain(1).at(0, 0).bytes()).unwrap();
    log.append_as_follower(&Spec::plain(1).at(50, 0).bytes()).unwrap();
    assert_eq!(log.end_offset(), Offset(51));
    assert_eq!(log.read(Offset(20), 1000, Offset(51), true).unwrap()[..8], 50_i64.to_be_bytes());
    drop(log);
    let (log, recovery) = open(dir.path(), &config);
    assert_eq!((log.end_offset(), recovery.cut), (Offset(51), None));
}

#[test]
fn a_follower_splits_a_large_fetch_over_the_segments_it_fills() {
    let (one, other) = (folder(), folder());
    let (mut leader, _) = open(one.path(), &LogConfig::default());
    for n in 0..50 {
        lead(&mut leader, n / 20, &Spec::plain(2)).unwrap();
    }
    let small = LogConfig { segment_bytes: 300, ..LogConfig::default() };
    let (mut follower, _) = open(other.path(), &small);
    let all = read_all(&leader, Offset(0));
    follower.append_as_follower(&all).unwrap();
    assert!(read_all(&follower, Offset(0)) == all);
    let largest = std::fs::read_dir(other.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).max();
    assert!(largest.unwrap() <= 300);
}

#[test]
fn offsets_too_far_from_a_segments_base_begin_a_new_segment() {
    let dir = folder();
    let config = LogConfig { offset_gaps: OffsetGaps::Allowed, ..LogConfig::default() };
    let (mut log, _) = open(dir.path(), &config);
    let far = i64::from(i32::MAX);
    for base in [0, far, far + 1, 3 * far] {
        log.append_as_follower(&Spec::plain(1).at(base, 0).bytes()).unwrap();
    }
    assert_eq!(log.end_offset(), Offset(3 * far + 1));
    assert_eq!(log.read(Offset(far + 2), 1000, Offset(i64::MAX), true).unwrap()[..8], (3 * far).to_be_bytes());
}

#[test]
fn after_an_append_that_failed_a_producer_is_told_of_the_disk_and_not_of_its_sequence() {
    let parent = folder();
    let dir = parent.path().join("q-0");
    let batch = |sequence| Spec::of(7, 0, sequence, 1);
    let config = LogConfig { segment_bytes: batch(0).bytes().len() as u32, ..LogConfig::default() };
    std::fs::create_dir(&dir).unwrap();
    let mut log = open(&dir, &config).0;
    lead(&mut log, 0, &batch(0)).unwrap();
    assert!(matches!(lead(&mut log, 0, &batch(2)), Err(AppendError::OutOfOrder { .. })));
    lead(&mut log, 0, &batch(1)).unwrap();
    // The next one needs a new segment, and there is no folder for it.
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(matches!(lead(&mut log, 0, &batch(2)), Err(AppendError::Storage(LogError::Io { .. }))));
    assert!(matches!(lead(&mut log, 0, &batch(3)), Err(AppendError::Storage(LogError::Failed { .. }))));
    assert!(matches!(log.append_as_follower(&batch(3).at(3, 0).bytes()), Err(AppendError::Storage(_))));
}
