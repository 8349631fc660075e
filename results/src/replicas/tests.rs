//! Whole data folders, built by the protocol library's encoder and then damaged.

use super::*;
use bytes::{Bytes, BytesMut};
use history::{EpochStart, LeaderEpoch, Value, WriterId, payload};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use std::ops::Range;

const RUN: u64 = 77;
const SEGMENT: &str = "q-1/00000000000000000000.log";

fn value(offset: i64) -> Value {
    Value::new(WriterId(3), offset as u64)
}

fn batch(offsets: Range<i64>, epoch: i32, compression: Compression, control: bool) -> Vec<u8> {
    let record = |offset: i64| {
        let mut bytes = Vec::new();
        payload::encode(RUN, LogId(1), value(offset), 50, &mut bytes);
        Record {
            transactional: control,
            control,
            delete_horizon: false,
            partition_leader_epoch: epoch,
            producer_id: 9,
            producer_epoch: 0,
            timestamp_type: TimestampType::Creation,
            offset,
            sequence: offset as i32,
            timestamp: 1_000 + offset,
            key: (offset % 2 == 0).then(|| Bytes::from_static(b"key")),
            value: Some(if control { Bytes::from_static(&[0; 6]) } else { bytes.into() }),
            headers: Default::default(),
        }
    };
    let records: Vec<Record> = offsets.map(record).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression };
    RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out.to_vec()
}

fn plain(offsets: Range<i64>) -> Vec<u8> {
    batch(offsets, 0, Compression::None, false)
}

fn names() -> Names {
    Names { run: RUN, logs: vec!["q-0".into(), "q-1".into()], ..Names::default() }
}

/// A data folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = data.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    data
}

fn read(files: &[(&str, &[u8])]) -> Evidence {
    let data = folder(files);
    let mut evidence = Evidence::default();
    evidence.add_node(NodeId(5), data.path(), &names()).unwrap();
    evidence
}

fn offsets(evidence: &Evidence) -> Vec<i64> {
    evidence.replicas[0].records.iter().map(|record| record.offset.0).collect()
}

fn flaws(evidence: &Evidence) -> Vec<(u64, Flaw)> {
    evidence.findings.iter().map(|finding| (finding.byte, finding.flaw.clone())).collect()
}

#[test]
fn a_replica_is_read_whole_in_every_compression() {
    use Compression::{Gzip, Lz4, None, Snappy, Zstd};
    let codecs = [None, Gzip, Snappy, Lz4, Zstd];
    let batches =
        codecs.iter().enumerate().map(|(i, codec)| batch(i as i64 * 10..i as i64 * 10 + 10, i as i32, *codec, false));
    let evidence = read(&[(SEGMENT, &batches.collect::<Vec<_>>().concat())]);
    let replica = &evidence.replicas[0];
    assert_eq!((replica.node, replica.log, replica.start, replica.end), (NodeId(5), LogId(1), Offset(0), Offset(50)));
    assert_eq!((offsets(&evidence), evidence.findings.len()), ((0..50).collect(), 0));
    for (at, record) in replica.records.iter().enumerate() {
        assert_eq!((record.value, record.epoch), (value(at as i64), LeaderEpoch(at as i32 / 10)));
    }
}

#[test]
fn segments_are_read_in_order_and_what_belongs_to_nobody_is_left_alone() {
    let second = plain(10..20);
    let evidence = read(&[
        ("q-1/00000000000000000010.log", &second),
        ("q-1/00000000000000000005.log", &plain(5..10)),
        ("q-1/00000000000000000005.index", b"index"),
        ("q-1/00000000000000000030.log", b""),
        ("stranger-0/00000000000000000000.log", b"rubbish"),
        ("q-1.3f-delete/00000000000000000000.log", b"rubbish"),
    ]);
    let replica = &evidence.replicas[0];
    assert_eq!((evidence.replicas.len(), replica.start, replica.end), (1, Offset(5), Offset(30)));
    assert_eq!((offsets(&evidence), evidence.findings.len()), ((5..20).collect(), 0));
}

#[test]
fn checkpoints_tell_epochs_high_watermark_and_start_and_a_bad_line_is_a_finding() {
    let evidence = read(&[
        (SEGMENT, &plain(0..10)),
        ("q-1/leader-epoch-checkpoint", b"0\n2\n0 0\n3 7\n"),
        ("replication-offset-checkpoint", b"0\n3\nq 0 4\nq 1 8\nq 2\n"),
        ("log-start-offset-checkpoint", b"0\n1\nq 1 2\n"),
    ]);
    let replica = &evidence.replicas[0];
    let epochs = [(0, 0), (3, 7)].map(|(epoch, start)| EpochStart { epoch: LeaderEpoch(epoch), start: Offset(start) });
    assert_eq!((replica.high_watermark, replica.start), (Some(Offset(8)), Offset(2)));
    assert_eq!(replica.epochs, epochs);
    assert_eq!((flaws(&evidence), evidence.findings[0].log), (vec![(16, Flaw::BadCheckpoint)], None));
}

#[test]
fn a_control_batch_is_a_marker_that_owns_its_offset() {
    let bytes = [plain(0..2), batch(2..3, 0, Compression::None, true), plain(3..4)].concat();
    let evidence = read(&[(SEGMENT, &bytes)]);
    let values: Vec<Value> = evidence.replicas[0].records.iter().map(|record| record.value).collect();
    assert_eq!(values, [value(0), value(1), Value::MARKER, value(3)]);
}

#[test]
fn a_file_cut_at_any_byte_gives_whole_batches_and_a_torn_tail() {
    let batches = [plain(0..3), batch(3..6, 0, Compression::Lz4, false)];
    let (first, whole) = (batches[0].len(), batches.concat());
    for cut in 0..=whole.len() {
        let evidence = read(&[(SEGMENT, &whole[..cut])]);
        let (records, last) = if cut < first {
            (0, 0)
        } else if cut < whole.len() {
            (3, first)
        } else {
            (6, cut)
        };
        assert_eq!(offsets(&evidence), (0..records).collect::<Vec<_>>());
        let left = (cut - last) as u64;
        let torn = (left > 0).then_some((last as u64, Flaw::TornBatch { bytes: left }));
        assert_eq!(flaws(&evidence), Vec::from_iter(torn), "cut {cut}");
    }
}

#[test]
fn every_flipped_byte_of_a_batch_is_seen_and_the_next_batch_is_read() {
    let (first, second) = (plain(0..3), plain(3..6));
    for at in 0..first.len() {
        let mut bytes = [first.as_slice(), &second].concat();
        bytes[at] ^= 0x41;
        let evidence = read(&[(SEGMENT, &bytes)]);
        match at {
            // Base offset and leader epoch lie outside the CRC.
            0..8 | 12..16 => assert!(offsets(&evidence).len() == 6 || !evidence.findings.is_empty(), "byte {at}"),
            8..12 | 16 => assert!(!evidence.findings.is_empty(), "byte {at}"),
            _ => {
                assert_eq!(flaws(&evidence), [(0, Flaw::BadCrc)], "byte {at}");
                assert_eq!(evidence.replicas[0].records.last().unwrap().value, value(5), "byte {at}");
            }
        }
    }
}

#[test]
fn a_corrupt_batch_keeps_its_offsets_as_corrupt() {
    let mut bytes = [plain(0..3), plain(3..4)].concat();
    bytes[100] ^= 1;
    let values: Vec<Value> = read(&[(SEGMENT, &bytes)]).replicas[0].records.iter().map(|record| record.value).collect();
    assert_eq!(values, [Value::CORRUPT, Value::CORRUPT, Value::CORRUPT, value(3)]);
}

#[test]
fn a_preallocated_tail_of_zeros_is_a_finding_of_its_own() {
    let whole = plain(0..3);
    let evidence = read(&[(SEGMENT, &[whole.as_slice(), &[0; 1000]].concat())]);
    assert_eq!(flaws(&evidence), [(whole.len() as u64, Flaw::Zeros { bytes: 1000 })]);
    let evidence = read(&[(SEGMENT, &[whole.as_slice(), &[0; 1000], b"x"].concat())]);
    assert_eq!(flaws(&evidence), [(whole.len() as u64, Flaw::NotABatch { bytes: 1001 })]);
}

#[test]
fn offsets_that_go_back_are_a_finding_and_the_records_are_sorted() {
    let evidence = read(&[(SEGMENT, &[plain(0..4), plain(2..6)].concat())]);
    assert_eq!(offsets(&evidence), [0, 1, 2, 2, 3, 3, 4, 5]);
    assert!(matches!(flaws(&evidence)[..], [(_, Flaw::OffsetsNotRising)]));
}

#[test]
fn another_runs_record_and_a_strangers_are_foreign() {
    let data = folder(&[(SEGMENT, &plain(0..2))]);
    let mut evidence = Evidence::default();
    evidence.add_node(NodeId(5), data.path(), &Names { run: RUN + 1, ..names() }).unwrap();
    assert!(evidence.replicas[0].records.iter().all(|record| record.value == Value::FOREIGN));
}

#[test]
fn findings_of_one_log_are_bounded_and_counted() {
    let mut bad = plain(0..1);
    bad[70] ^= 1;
    let evidence = read(&[(SEGMENT, &bad.repeat(FINDINGS_PER_LOG_MAX))]);
    // Each batch but the first also begins where the one before ended or earlier.
    let more = Flaw::More { count: FINDINGS_PER_LOG_MAX as u64 - 1 };
    assert_eq!((evidence.findings.len(), &evidence.findings.last().unwrap().flaw), (FINDINGS_PER_LOG_MAX + 1, &more));
}

#[test]
fn a_disk_that_is_not_there_is_an_error_and_a_log_that_is_not_is_none() {
    let data = folder(&[]);
    let mut evidence = Evidence::default();
    evidence.add_node(NodeId(1), data.path(), &names()).unwrap();
    assert_eq!(evidence, Evidence::default());
    let error = evidence.add_node(NodeId(1), &data.path().join("gone"), &names()).unwrap_err();
    assert!(error.to_string().ends_with("gone: missing"));
}

#[test]
fn random_bytes_are_never_a_panic() {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_pcg::Pcg64::seed_from_u64(1);
    let codecs = [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd];
    for round in 0..400 {
        let mut bytes = batch(0..5, 0, codecs[round % 4], false);
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(17..bytes.len());
            bytes[at] = rng.random();
        }
        let crc = crc32c::crc32c(&bytes[21..]).to_be_bytes();
        bytes[17..21].copy_from_slice(&crc);
        read(&[(SEGMENT, &bytes), ("q-1/leader-epoch-checkpoint", &bytes)]);
    }
}

/// A figure, not a test: `cargo test --release -p stormglass-results reading_a_million -- --ignored --nocapture`.
#[test]
#[ignore = "a figure, not a test"]
fn reading_a_million_records_takes_this_long() {
    let bytes: Vec<u8> = (0..10_000).flat_map(|batch| plain(batch * 100..batch * 100 + 100)).collect();
    let data = folder(&[(SEGMENT, &bytes)]);
    let began = std::time::Instant::now();
    let mut evidence = Evidence::default();
    evidence.add_node(NodeId(5), data.path(), &names()).unwrap();
    println!("{} records of {} bytes in {:?}", evidence.replicas[0].records.len(), bytes.len(), began.elapsed());
}
