//! Folders built by the protocol library's encoder, told and compared.

use super::*;
use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use std::ops::Range;

fn batch(offsets: Range<i64>, epoch: i32, content: &'static [u8]) -> Vec<u8> {
    let record = |offset: i64| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: epoch,
        producer_id: 9,
        producer_epoch: 0,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: offset as i32,
        timestamp: 1_000 + offset,
        key: None,
        value: Some(Bytes::from_static(content)),
        headers: Default::default(),
    };
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &offsets.map(record).collect::<Vec<_>>(), &options).unwrap();
    out.to_vec()
}

fn data(batches: &[Vec<u8>], high_watermark: i64) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("q-1");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("00000000000000000000.log"), batches.concat()).unwrap();
    fs::write(folder.join("leader-epoch-checkpoint"), "0\n1\n0 0\n").unwrap();
    fs::write(data.path().join("replication-offset-checkpoint"), format!("0\n1\nq 1 {high_watermark}\n")).unwrap();
    data
}

fn compared(replicas: &[&tempfile::TempDir]) -> Comparison {
    let named: Vec<_> = replicas.iter().enumerate().map(|(n, r)| (format!("b{}", n + 1), r.path())).collect();
    compare("q-1", &named).unwrap()
}

#[test]
fn a_replica_that_is_behind_does_not_differ() {
    let (whole, behind) = (data(&[batch(0..5, 0, b"x"), batch(5..9, 0, b"y")], 9), data(&[batch(0..5, 0, b"x")], 5));
    let told = compared(&[&whole, &behind]);
    assert_eq!((told.differences.len(), told.diverged()), (0, None));
    assert!(picture(&told, None).contains("the same wherever they overlap"));
}

#[test]
fn other_content_of_the_same_offsets_is_a_difference_and_diverged_only_if_committed() {
    let ours = data(&[batch(0..5, 0, b"x"), batch(5..9, 0, b"y")], 9);
    let other = data(&[batch(0..5, 0, b"x"), batch(5..9, 1, b"z")], 9);
    let uncommitted = data(&[batch(0..5, 0, b"x"), batch(5..9, 1, b"z")], 5);
    let told = compared(&[&ours, &other]);
    assert_eq!((told.differences[0].offset, told.diverged()), (5, Some(5)));
    let text = picture(&told, None);
    assert!(
        text.contains("first differs from b2 at offset 5") || text.contains("first differs from b1 at offset 5"),
        "{text}"
    );
    assert!(text.contains("0a") && text.contains("1b"), "{text}");
    assert_eq!(compared(&[&ours, &uncommitted]).diverged(), None);
}

#[test]
fn a_flipped_byte_is_told_as_a_checksum_that_does_not_hold() {
    let mut bad = batch(0..5, 0, b"x");
    bad[70] ^= 1;
    let told = compared(&[&data(&[batch(0..5, 0, b"x")], 5), &data(&[bad], 5)]);
    assert_eq!(told.diverged(), Some(0));
    assert!(picture(&told, Some(0)).contains("does not hold"));
}

#[test]
fn a_dump_tells_batches_in_the_words_of_kafkas_own_tool() {
    let folder = data(&[batch(0..5, 3, b"x")], 5);
    let mut lines = Vec::new();
    dump(folder.path(), None, Detail::Batches, &mut |line| lines.push(line.to_owned())).unwrap();
    let told = "baseOffset: 0 lastOffset: 4 count: 5 baseSequence: 0 lastSequence: 4 producerId: 9 producerEpoch: 0 \
                partitionLeaderEpoch: 3 isTransactional: false isControl: false deleteHorizonMs: OptionalLong.empty \
                position: 0 CreateTime: 1004";
    assert!(lines.iter().any(|line| line.starts_with(told) && line.ends_with("isvalid: true")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("1 batches, 5 records, 0 flaws")), "{lines:?}");
}

#[test]
fn partitions_are_told_from_other_folders() {
    assert!(["q-1", "__cluster_metadata-0", "a-b-12"].iter().all(|name| is_partition(name)));
    assert!(["q", "q-", "-1", "q-1.deleted", "q-x"].iter().all(|name| !is_partition(name)));
}

#[test]
fn a_single_file_is_told_by_its_kind_and_any_other_refused() {
    let folder = data(&[batch(7..9, 0, b"x")], 9);
    let segment = folder.path().join("q-1/00000000000000000000.log");
    let told = |path: &Path| {
        let mut lines = Vec::new();
        dump(path, None, Detail::Segments, &mut |line| lines.push(line.to_owned())).map(|()| lines)
    };
    assert_eq!(told(&segment).unwrap(), ["  00000000000000000000.log: offsets 0..9, 1 batches, 2 records, 0 flaws"]);
    let index = segment.with_extension("index");
    fs::write(&index, [0, 0, 0, 1, 0, 0, 0, 9]).unwrap();
    assert!(told(&index).unwrap()[0].contains("1 entries"));
    let refused = told(&folder.path().join("q-1/leader-epoch-checkpoint")).unwrap_err().to_string();
    assert!(refused.contains(".timeindex"), "{refused}");
}
