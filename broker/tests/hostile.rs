//! Damaged and arbitrary input, in bounded runs: what `fuzz/` does without end. And clients that are slow or silent.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;

use broker::hostile;
use bytes::BytesMut;
use kafka_protocol::messages::{ApiKey, FetchRequest, MetadataRequest, RequestHeader};
use kafka_protocol::protocol::{Encodable, Request};
use proptest::prelude::*;
use support::batch::{batch, numbered};
use support::wire::Wire;
use support::{Cluster, become_a_node_if_asked, until};

#[test]
fn node_process() {
    become_a_node_if_asked();
}

/// What is done to valid bytes.
#[derive(Clone, Debug)]
enum Damage {
    Set(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index, u8),
    Zero(prop::sample::Index, u8),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let index = any::<prop::sample::Index>;
    let one = prop_oneof![
        4 => (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        1 => index().prop_map(Damage::Cut),
        1 => (index(), any::<u8>()).prop_map(|(at, count)| Damage::Repeat(at, count)),
        1 => (index(), any::<u8>()).prop_map(|(at, count)| Damage::Zero(at, count)),
    ];
    prop::collection::vec(one, 0..6)
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages.iter().filter(|_| !bytes.is_empty()).cloned().collect::<Vec<_>>() {
        if bytes.is_empty() {
            break;
        }
        match damage {
            Damage::Set(at, byte) => *at.get_mut(&mut bytes) = byte,
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Repeat(at, count) => {
                let at = at.index(bytes.len());
                let again = bytes[at..].iter().copied().take(count.into()).collect::<Vec<_>>();
                bytes.splice(at..at, again);
            }
            Damage::Zero(at, count) => {
                let at = at.index(bytes.len());
                bytes[at..].iter_mut().take(count.into()).for_each(|byte| *byte = 0);
            }
        }
    }
    bytes
}

fn frame<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let key = ApiKey::try_from(R::KEY).unwrap();
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    let mut frame = BytesMut::new();
    header.encode(&mut frame, key.request_header_version(version)).unwrap();
    request.encode(&mut frame, version).unwrap();
    frame.to_vec()
}

fn frames() -> Vec<Vec<u8>> {
    let records = batch(&numbered("v", 3), None);
    vec![
        frame(&Wire::produce_request("topic", 0, records.clone(), -1, 1000), 9),
        frame(&Wire::produce_request("topic", 0, records, 1, 1000), 3),
        frame(&Wire::fetch_request("topic", Default::default(), 0), 12),
        frame(&Wire::fetch_request("topic", Default::default(), 0), 4),
        frame(&MetadataRequest::default(), 12),
    ]
}

fn segment() -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..20_i64 {
        let mut one = batch(&numbered(&format!("batch-{number}"), 2), Some((7, number as i32 * 2))).to_vec();
        one[..8].copy_from_slice(&(number * 2).to_be_bytes());
        one[12..16].copy_from_slice(&0_i32.to_be_bytes());
        bytes.extend(one);
    }
    bytes
}

const CHECKPOINTS: [&str; 5] = [
    "0\n2\ntopic 0 17\ntopic 1 4\n",
    "0\n2\n0 0\n3 17\n",
    "version=1\ncluster.id=c3Rvcm1nbGFzcy1jbHVzdA\nnode.id=3\n",
    "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ",
    "{\"version\":0,\"brokerEpoch\":7}",
];

#[test]
fn what_is_not_damaged_is_understood() {
    assert!(frames().iter().all(|frame| hostile::wire(frame)));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("00000000000000000000.log"), segment()).unwrap();
    assert_eq!(hostile::recovery(folder.path()).unwrap().0, 40);
    for text in CHECKPOINTS {
        assert!(hostile::checkpoints(folder.path(), text.as_bytes()).unwrap() >= 1, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_request_is_refused_or_understood(at in 0..5usize, damages in damage()) {
        let _understood = hostile::wire(&damaged(frames().swap_remove(at), &damages));
    }

    #[test]
    fn arbitrary_bytes_are_no_request_or_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _understood = hostile::wire(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_log_is_opened_and_read_as_far_as_it_is_sound(
        log in damage(), index in prop::collection::vec(any::<u8>(), 0..64), epochs in damage(), snapshot in damage(),
    ) {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
        write("00000000000000000000.log", damaged(segment(), &log));
        write("00000000000000000000.index", index.clone());
        write("00000000000000000000.timeindex", index);
        write("leader-epoch-checkpoint", damaged(b"0\n1\n0 0\n".to_vec(), &epochs));
        write("00000000000000000040.snapshot", damaged(vec![0; 40], &snapshot));
        let end = hostile::recovery(folder.path()).unwrap();
        prop_assert_eq!(hostile::recovery(folder.path()).unwrap(), end, "opened again");
    }

    #[test]
    fn a_damaged_checkpoint_is_an_error_or_understood(at in 0..5usize, damages in damage()) {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let bytes = damaged(CHECKPOINTS[at].as_bytes().to_vec(), &damages);
        prop_assert!(hostile::checkpoints(folder.path(), &bytes).is_ok());
    }
}

/// Clients that stop in the middle of a request, that never read their answers, and that say nothing at all.
#[test]
fn slow_and_silent_clients_hold_nobody_up() {
    let cluster = Cluster::start(1, "min.insync.replicas=1\nstormglass.in.flight.max=4\n");
    let leader = cluster.topic("t", 1, &[]);
    let mut silent: Vec<Wire> = (0..50).map(|_| cluster.wire(leader)).collect();
    for wire in &mut silent[..20] {
        wire.send_bytes(b"\0\0\x10\0half of a request");
    }
    let large = batch(&["x".repeat(500_000)], None);
    assert_eq!(cluster.wire(leader).produce("t", large, 1).error_code, 0);
    for wire in &mut silent[20..40] {
        let part = kafka_protocol::messages::fetch_request::FetchPartition::default();
        let request: FetchRequest = Wire::fetch_request("t", part.with_partition_max_bytes(1 << 20), 0);
        (0..3).for_each(|_| wire.send(&request, 12));
    }
    let mut wire = cluster.wire(leader);
    for number in 0..50 {
        let answer = wire.produce("t", batch(&numbered("v", 2), None), -1);
        assert_eq!((answer.error_code, answer.base_offset), (0, 1 + number * 2));
    }
    until("the end", || (wire.list("t", -1).offset == 101).then_some(()));
}

#[test]
fn a_request_beyond_the_limit_and_a_connection_too_many_are_refused() {
    let cluster = Cluster::start(1, "min.insync.replicas=1\nsocket.request.max.bytes=10000\nmax.connections=10\n");
    let mut wire = cluster.wire(1);
    wire.send_bytes(&20_000_i32.to_be_bytes());
    assert_eq!(wire.receive_frame(), None);
    let mut open: Vec<Wire> = (0..40).map(|_| cluster.wire(1)).collect();
    let answered = open.iter_mut().filter_map(|wire| wire.try_send_metadata()).count();
    assert!((1..=10).contains(&answered), "{answered} connections were served");
}
