//! Every reader of brokers' files against bytes that no broker wrote: segments, indexes, snapshots, checkpoints, the metadata log,
//! changed at random, a part of them with a CRC that holds all the same.
//!
//! An answer is what could be read and what is wrong with the rest; never a panic, never a hang, never more records than bytes.
//! `STORMGLASS_HISTORIES` says how many data folders to try for each codec.

use bytes::{Bytes, BytesMut};
use history::{LogId, Names, NodeId, Value, WriterId, payload};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use results::autopsy;
use results::logs::{Detail, compare, dump, picture};
use results::replicas::Evidence;
use std::fs;
use std::path::Path;

const RUN: u64 = 9;
const CRC_AT: usize = 17;
const CRC_COVERS_FROM: usize = 21;

fn tries() -> u64 {
    std::env::var("STORMGLASS_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(40)
}

fn batch(base: i64, count: i64, compression: Compression, control: bool) -> Vec<u8> {
    let record = |offset: i64| {
        let mut bytes = Vec::new();
        payload::encode(RUN, LogId(0), Value::new(WriterId(1), offset as u64), 60, &mut bytes);
        Record {
            transactional: control,
            control,
            delete_horizon: false,
            partition_leader_epoch: 3,
            producer_id: 7,
            producer_epoch: 0,
            timestamp_type: TimestampType::Creation,
            offset,
            sequence: offset as i32,
            timestamp: 1_000 + offset,
            key: Some(Bytes::from_static(&[0, 0, 0, 1])),
            value: Some(bytes.into()),
            headers: Default::default(),
        }
    };
    let records: Vec<Record> = (base..base + count).map(record).collect();
    let mut out = BytesMut::new();
    RecordBatchEncoder::encode(&mut out, &records, &RecordEncodeOptions { version: 2, compression }).expect("records");
    out.to_vec()
}

fn garble(dice: &mut Pcg64Mcg, bytes: &[u8]) -> Vec<u8> {
    let mut garbled = bytes.to_vec();
    for _ in 0..dice.random_range(1..5) {
        let at = dice.random_range(0..garbled.len().max(1));
        let to = (at + dice.random_range(0..30)).min(garbled.len());
        match dice.random_range(0..6) {
            0 | 1 if at < garbled.len() => garbled[at] = dice.random(),
            2 if at + 4 <= garbled.len() => {
                let extreme = [i32::MAX, i32::MIN, -1, 0, 1 << 24][dice.random_range(0..5)];
                garbled[at..at + 4].copy_from_slice(&extreme.to_be_bytes());
            }
            3 => drop(garbled.drain(at.min(to)..to)),
            4 => garbled.truncate(at),
            _ => garbled.extend_from_slice(&bytes[at.min(bytes.len())..]),
        }
    }
    if dice.random_bool(0.5) && garbled.len() > CRC_COVERS_FROM {
        let length = i32::from_be_bytes([garbled[8], garbled[9], garbled[10], garbled[11]]);
        let end =
            usize::try_from(length).map_or(garbled.len(), |length| (length.saturating_add(12)).min(garbled.len()));
        let crc = crc32c::crc32c(&garbled[CRC_COVERS_FROM.min(end)..end]);
        garbled[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    }
    garbled
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

/// A node's folder, all of it garbled.
fn fill(dice: &mut Pcg64Mcg, node: &Path, whole: &[u8]) {
    let data = node.join("data");
    for log in ["q-0", "__cluster_metadata-0"] {
        for end in ["log", "index", "timeindex", "txnindex", "snapshot"] {
            write(&data, &format!("{log}/00000000000000000000.{end}"), &garble(dice, whole));
        }
        write(&data, &format!("{log}/00000000000000000005-0000000001.checkpoint"), &garble(dice, whole));
        write(&data, &format!("{log}/leader-epoch-checkpoint"), &garble(dice, b"0\n2\n0 0\n1 9223372036854775807\n"));
    }
    write(&data, "replication-offset-checkpoint", &garble(dice, b"0\n1\nq 0 7\n"));
    write(&data, "log-start-offset-checkpoint", &garble(dice, b"0\n1\nq 0 -4\n"));
    let lines: &[u8] = b"[2026-11-25 21:28:34,394] INFO [Broker id=1] Leader q-0 starts at leader epoch 1 from offset 7 high watermark 7\n\
        [2026-11-25 21:28:34,394] INFO [UnifiedLog partition=q-0, dir=/d] Truncating to offset 5 (x)\n";
    write(node, "stdout.log", &garble(dice, lines));
    write(
        node,
        "events.jsonl",
        &garble(dice, b"{\"wall_ns\":5,\"event\":\"opened\",\"partition\":{\"topic\":\"q\",\"index\":0}}\n"),
    );
}

#[test]
fn garbled_data_folders_are_read_as_far_as_they_go() {
    let mut dice = Pcg64Mcg::seed_from_u64(7);
    let names = Names { run: RUN, logs: vec!["q-0".into()], ..Names::default() };
    let (mut records, mut flaws) = (0, 0);
    for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let parts = [batch(0, 5, codec, false), batch(5, 1, codec, true), batch(6, 9, codec, false)];
        let whole = parts.concat();
        for _ in 0..tries() {
            let folder = tempfile::tempdir().expect("a folder");
            let brokers = folder.path().join("brokers");
            [1, 2].iter().for_each(|node| fill(&mut dice, &brokers.join(node.to_string()), &whole));
            let data = |node: i32| brokers.join(node.to_string()).join("data");
            let mut evidence = Evidence::default();
            for node in [1, 2] {
                evidence.add_node(NodeId(node), &data(node), &names).expect("folders that can be read");
                for detail in [Detail::Segments, Detail::Batches] {
                    dump(&data(node), None, detail, &mut |_| ()).expect("folders that can be read");
                }
            }
            let (one, two) = (data(1), data(2));
            let replicas = [("b1".to_owned(), one.as_path()), ("b2".to_owned(), two.as_path())];
            let compared = compare("q-0", &replicas).expect("folders that can be read");
            for around in [None, Some(i64::MIN), Some(3), Some(i64::MAX)] {
                assert!(picture(&compared, around).lines().count() < 100);
            }
            autopsy::gather(&brokers, &names).expect("folders that can be read");
            records += evidence.replicas.iter().map(|replica| replica.records.len()).sum::<usize>();
            flaws += evidence.findings.len();
        }
    }
    assert!(records > 0 && flaws > 0, "{records} records, {flaws} flaws: nothing was tried");
}
