//! Offsets in transactions, torn markers, and the planted bugs of both: each rule holds without its bug and is broken
//! with it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{DescribeTransactionsRequest, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use support::batch::{batch, numbered};
use support::txn::{Txn, code, committed, coordinator, fetch_committed};
use support::wire::Wire;
use support::{Cluster, become_a_node_if_asked, until};

const MINUTE_MS: i32 = 60_000;

#[test]
fn node_process() {
    become_a_node_if_asked();
}

fn single(bug: &str) -> Cluster {
    let small = "offsets.topic.num.partitions=1\ntransaction.state.log.num.partitions=1\n";
    let more = format!("min.insync.replicas=1\ndefault.replication.factor=1\n{small}stormglass.bug={bug}\n");
    let cluster = Cluster::start(1, &more);
    assert_eq!(cluster.wire(1).create("t", 1, 1, &[]), 0);
    coordinator(&cluster, 1, "id");
    cluster
}

fn until_state(cluster: &Cluster, expected: &str) {
    let ids = vec![TransactionalId(StrBytes::from_static_str("id"))];
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    until(expected, || {
        let answer = cluster.wire(1).call(&request, 0);
        (&*answer.transaction_states[0].transaction_state == expected).then_some(())
    });
}

/// A transaction that writes to `t` and is committed everywhere.
fn one_committed(cluster: &Cluster, wire: &mut Wire, prefix: &str) -> Txn {
    let mut txn = Txn::init(wire, "id", MINUTE_MS);
    txn.add(wire, "t");
    assert_eq!(txn.produce(wire, "t", prefix, 2).error_code, 0);
    txn.end(wire, true);
    until_state(cluster, "CompleteCommit");
    txn
}

/// The position of group `g` after a transaction that sent 5 ended so, and before it ended.
fn positions(bug: &str, commit: bool) -> (i64, i64) {
    let cluster = single(bug);
    assert_eq!(cluster.coordinator("g", &[]), 1);
    let mut wire = cluster.wire(1);
    let txn = Txn::init(&mut wire, "id", MINUTE_MS);
    assert_eq!(txn.send_offset(&mut wire, "g", 5), code(ResponseError::InvalidTxnState), "not added");
    txn.add_offsets(&mut wire, "g");
    assert_eq!(txn.send_offset(&mut wire, "g", 5), 0);
    let before = wire.position("g").unwrap();
    txn.end(&mut wire, commit);
    until_state(&cluster, if commit { "CompleteCommit" } else { "CompleteAbort" });
    assert_eq!(txn.send_offset(&mut wire, "g", 6), code(ResponseError::InvalidTxnState), "too late");
    let old = Txn { epoch: txn.epoch - 1, ..txn };
    assert_eq!(old.send_offset(&mut wire, "g", 7), code(ResponseError::InvalidProducerEpoch));
    (before, wire.position("g").unwrap())
}

#[test]
fn positions_sent_to_a_transaction_count_once_it_is_committed_unless_the_planted_bug_counts_them_at_once() {
    assert_eq!(positions("", true), (-1, 5));
    assert_eq!(positions("", false), (-1, -1));
    assert_eq!(positions("offsets-committed-outside-transaction", false), (5, 5));
}

#[test]
fn positions_committed_in_a_transaction_survive_a_kill() {
    let mut cluster = single("");
    assert_eq!(cluster.coordinator("g", &[]), 1);
    let mut wire = cluster.wire(1);
    let txn = Txn::init(&mut wire, "id", MINUTE_MS);
    txn.add_offsets(&mut wire, "g");
    assert_eq!(txn.send_offset(&mut wire, "g", 5), 0);
    assert_eq!(txn.end_once(&mut wire, true), 0);
    cluster.node(1).kill();
    cluster.restart(1);
    until("the position", || (cluster.wire(1).position("g") == Ok(5)).then_some(()));
}

#[test]
fn a_producer_is_told_where_its_records_stand_unless_the_planted_bug_says_otherwise() {
    for (bug, told) in [("", 0), ("wrong-offset-acked", 1)] {
        assert_eq!(single(bug).wire(1).produce("t", batch(&numbered("v", 2), None), -1).base_offset, told);
    }
}

#[test]
fn a_marker_ends_its_own_transaction_unless_the_planted_bug_applies_it_to_the_next() {
    for (bug, early) in [("", false), ("marker-applied-to-next-transaction", true)] {
        let cluster = single(bug);
        let mut wire = cluster.wire(1);
        let mut txn = one_committed(&cluster, &mut wire, "a");
        txn.add(&mut wire, "t");
        assert_eq!(txn.produce(&mut wire, "t", "b", 1).error_code, 0);
        if early {
            until("the wrong marker", || committed(&mut wire, "t").contains(&"b-0".to_owned()).then_some(()));
        }
        txn.end(&mut wire, false);
        until_state(&cluster, "CompleteAbort");
        assert_eq!(committed(&mut wire, "t").contains(&"b-0".to_owned()), early);
    }
}

/// Commits, and cuts the log as if the node had died while it wrote the marker.
fn torn(bug: &str) -> Cluster {
    let mut cluster = single(bug);
    one_committed(&cluster, &mut cluster.wire(1), "a");
    cluster.node(1).kill();
    for partition in ["t-0", "__transaction_state-0"] {
        let file = cluster.folder_of(1, partition).join("00000000000000000000.log");
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..last_batch(&bytes) + 30]).unwrap();
    }
    cluster.restart(1);
    until("the log", || (cluster.wire(1).list("t", -1).error_code == 0).then_some(()));
    until_state(&cluster, "CompleteCommit");
    cluster
}

/// Where the last batch of a log begins.
fn last_batch(bytes: &[u8]) -> usize {
    let size = |at: usize| 12 + u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
    let starts = std::iter::successors(Some(0), |at| Some(at + size(*at)).filter(|next| *next < bytes.len()));
    starts.last().unwrap()
}

#[test]
fn a_marker_torn_by_a_crash_is_written_again_unless_the_planted_bug_loses_it() {
    let cluster = torn("");
    let mut wire = cluster.wire(1);
    assert_eq!(committed(&mut wire, "t"), numbered("a", 2));
    let cluster = torn("marker-lost-on-coordinator-move");
    let data = fetch_committed(&mut cluster.wire(1), "t", 0);
    assert_eq!((data.last_stable_offset, data.high_watermark), (0, 2));
}
