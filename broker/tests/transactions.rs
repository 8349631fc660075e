//! Transactions as raw requests see them: atomic, isolated, fenced, timed out, and finished whatever dies meanwhile.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use support::batch::{batch, numbered, transactional, values};
use support::txn::{Txn, code, committed, coordinator, fetch_committed, init_request, passes};
use support::wire::{Wire, name};
use support::{Cluster, become_a_node_if_asked, until};

const MINUTE_MS: i32 = 60_000;

#[test]
fn node_process() {
    become_a_node_if_asked();
}

/// One broker with the topics t and u.
fn single(more: &str) -> Cluster {
    let cluster = Cluster::start(1, &format!("min.insync.replicas=1\ndefault.replication.factor=1\n{more}"));
    assert_eq!(cluster.wire(1).create("t", 1, 1, &[]), 0);
    assert_eq!(cluster.wire(1).create("u", 1, 1, &[]), 0);
    coordinator(&cluster, 1, "id");
    cluster
}

/// Three brokers with the topic t; min.insync.replicas is 2.
fn three() -> Cluster {
    let cluster = Cluster::start(3, "");
    cluster.topic("t", 3, &[]);
    cluster
}

fn open_transactions(wire: &mut Wire, topic: &str) -> Vec<i64> {
    let topic = TopicRequest::default().with_name(name(topic)).with_partition_indexes(vec![0]);
    let mut answer = wire.call(&DescribeProducersRequest::default().with_topics(vec![topic]), 0);
    let part = answer.topics.remove(0).partitions.remove(0);
    assert_eq!(part.error_code, 0);
    let open = part.active_producers.into_iter().filter(|producer| producer.current_txn_start_offset >= 0);
    open.map(|producer| producer.producer_id.0).collect()
}

fn last_stable(wire: &mut Wire, topic: &str) -> i64 {
    let part = ListOffsetsPartition::default().with_timestamp(-1);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![part]);
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_isolation_level(1);
    wire.call(&request.with_topics(vec![topic]), 7).topics.remove(0).partitions.remove(0).offset
}

fn until_committed(wire: &mut Wire, topic: &str, expected: &[String]) {
    until("the committed records", || (committed(wire, topic) == expected).then_some(()));
}

#[test]
fn records_of_a_transaction_are_seen_by_committed_readers_once_it_is_committed_and_by_others_at_once() {
    let cluster = single("");
    let mut wire = cluster.wire(1);
    let mut txn = Txn::init(&mut wire, "id", MINUTE_MS);
    txn.add(&mut wire, "t");
    txn.add(&mut wire, "u");
    assert_eq!(txn.produce(&mut wire, "t", "a", 3).error_code, 0);
    assert_eq!(committed(&mut wire, "t"), Vec::<String>::new());
    assert_eq!(values(wire.fetch("t", 0, 0).records.unwrap()).len(), 3);
    assert_eq!((last_stable(&mut wire, "t"), wire.list("t", -1).offset), (0, 3));
    txn.end(&mut wire, true);
    until_committed(&mut wire, "t", &numbered("a", 3));
    assert_eq!((last_stable(&mut wire, "t"), wire.list("t", -1).offset), (4, 4));
}

#[test]
fn records_of_an_aborted_transaction_are_listed_as_aborted_and_those_around_it_are_not() {
    let cluster = single("");
    let mut wire = cluster.wire(1);
    wire.produce("t", batch(&numbered("before", 1), None), -1);
    let mut txn = Txn::init(&mut wire, "id", MINUTE_MS);
    txn.add(&mut wire, "t");
    txn.produce(&mut wire, "t", "a", 1);
    txn.produce(&mut wire, "t", "b", 2);
    wire.produce("t", batch(&numbered("within", 1), None), -1);
    txn.end(&mut wire, false);
    until("the abort", || (last_stable(&mut wire, "t") == 6).then_some(()));
    txn.add(&mut wire, "t");
    txn.produce(&mut wire, "t", "c", 1);
    txn.end(&mut wire, true);
    until_committed(&mut wire, "t", &["before-0", "within-0", "c-0"].map(str::to_owned));
    let aborted = fetch_committed(&mut wire, "t", 0).aborted_transactions.unwrap();
    assert_eq!(
        aborted.iter().map(|one| (one.producer_id.0, one.first_offset)).collect::<Vec<_>>(),
        [(txn.producer, 1)]
    );
}

#[test]
fn a_successor_fences_its_predecessor_everywhere_and_aborts_its_transaction() {
    let cluster = single("");
    let mut wire = cluster.wire(1);
    let mut old = Txn::init(&mut wire, "id", MINUTE_MS);
    old.add(&mut wire, "t");
    old.produce(&mut wire, "t", "old", 2);
    let first = wire.call(&init_request("id", MINUTE_MS, None), 4);
    assert_eq!(first.error_code, code(ResponseError::ConcurrentTransactions), "the old transaction is being aborted");
    let mut new = Txn::init(&mut wire, "id", MINUTE_MS);
    assert_eq!(new.producer, old.producer);
    assert!(new.epoch > old.epoch);
    assert_eq!(old.add_once(&mut wire, "t", 3), code(ResponseError::ProducerFenced));
    assert_eq!(old.add_once(&mut wire, "t", 1), code(ResponseError::InvalidProducerEpoch));
    assert_eq!(old.end_once(&mut wire, true), code(ResponseError::ProducerFenced));
    assert_eq!(old.produce(&mut wire, "t", "late", 1).error_code, code(ResponseError::InvalidProducerEpoch));
    new.add(&mut wire, "t");
    new.produce(&mut wire, "t", "new", 2);
    assert_eq!(old.produce(&mut wire, "t", "later", 1).error_code, code(ResponseError::InvalidProducerEpoch));
    new.end(&mut wire, true);
    until_committed(&mut wire, "t", &numbered("new", 2));
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() {
    let cluster = single("transaction.abort.timed.out.transaction.cleanup.interval.ms=50\n");
    let mut wire = cluster.wire(1);
    let mut slow = Txn::init(&mut wire, "id", 200);
    slow.add(&mut wire, "t");
    slow.produce(&mut wire, "t", "slow", 2);
    until("the timeout", || (last_stable(&mut wire, "t") == 3).then_some(()));
    assert_eq!(committed(&mut wire, "t"), Vec::<String>::new());
    let ended = until("an answer", || Some(slow.end_once(&mut wire, true)).filter(|answer| !passes(*answer)));
    assert_eq!(ended, code(ResponseError::ProducerFenced));
}

#[test]
fn a_producer_may_go_on_with_its_own_identity_once_and_say_so_again_but_not_with_an_older_one() {
    let cluster = single("");
    let mut wire = cluster.wire(1);
    let txn = Txn::init(&mut wire, "id", MINUTE_MS);
    let own = Some((txn.producer, txn.epoch));
    for _ in 0..2 {
        let answer = wire.call(&init_request("id", MINUTE_MS, own), 4);
        assert_eq!((answer.error_code, answer.producer_epoch), (0, txn.epoch + 1));
    }
    let next = Some((txn.producer, txn.epoch + 1));
    assert_eq!(wire.call(&init_request("id", MINUTE_MS, next), 4).producer_epoch, txn.epoch + 2);
    assert_eq!(wire.call(&init_request("id", MINUTE_MS, own), 4).error_code, code(ResponseError::ProducerFenced));
    assert_eq!(wire.call(&init_request("id", MINUTE_MS, own), 3).error_code, code(ResponseError::InvalidProducerEpoch));
}

#[test]
fn a_produce_that_comes_after_the_end_opens_no_transaction() {
    let cluster = single("");
    let mut wire = cluster.wire(1);
    let mut txn = Txn::init(&mut wire, "id", MINUTE_MS);
    assert_eq!(txn.produce(&mut wire, "t", "never-added", 1).error_code, code(ResponseError::InvalidTxnState));
    txn.sequence = 0;
    txn.add(&mut wire, "t");
    txn.produce(&mut wire, "t", "a", 2);
    txn.end(&mut wire, true);
    until_committed(&mut wire, "t", &numbered("a", 2));
    assert_eq!(txn.produce(&mut wire, "t", "late", 1).error_code, code(ResponseError::InvalidTxnState));
    let anonymous = transactional(&numbered("x", 1), (txn.producer, txn.epoch, txn.sequence));
    assert_eq!(wire.produce("t", anonymous, -1).error_code, code(ResponseError::InvalidTxnState));
    assert_eq!(open_transactions(&mut wire, "t"), Vec::<i64>::new());
}

#[test]
fn without_verification_a_late_produce_hangs_until_a_tool_aborts_it() {
    let cluster = single("transaction.partition.verification.enable=false\n");
    let mut wire = cluster.wire(1);
    let mut txn = Txn::init(&mut wire, "id", MINUTE_MS);
    txn.add(&mut wire, "t");
    txn.produce(&mut wire, "t", "a", 1);
    txn.end(&mut wire, true);
    until_committed(&mut wire, "t", &numbered("a", 1));
    assert_eq!(txn.produce(&mut wire, "t", "late", 1).error_code, 0);
    assert_eq!(open_transactions(&mut wire, "t"), [txn.producer]);
    let topic = WritableTxnMarkerTopic::default().with_name(name("t")).with_partition_indexes(vec![0]);
    let marker = WritableTxnMarker::default().with_producer_id(txn.producer.into()).with_producer_epoch(txn.epoch);
    let marker = marker.with_coordinator_epoch(1000).with_topics(vec![topic]);
    let answer = wire.call(&WriteTxnMarkersRequest::default().with_markers(vec![marker.clone()]), 1);
    assert_eq!(answer.markers[0].topics[0].partitions[0].error_code, 0);
    assert_eq!((open_transactions(&mut wire, "t"), committed(&mut wire, "t")), (vec![], numbered("a", 1)));
    let stale = WriteTxnMarkersRequest::default().with_markers(vec![marker.with_coordinator_epoch(1)]);
    let answer = wire.call(&stale, 1).markers.remove(0).topics.remove(0).partitions.remove(0);
    assert_eq!(answer.error_code, code(ResponseError::TransactionCoordinatorFenced));
}

#[test]
fn batches_sent_without_waiting_keep_their_order_while_the_first_is_verified() {
    let cluster = three();
    let leader = cluster.leader("t", &[]);
    let coordinator = coordinator(&cluster, 1, "id");
    let (mut ask, mut wire) = (cluster.wire(coordinator), cluster.wire(leader));
    let mut txn = Txn::init(&mut ask, "id", MINUTE_MS);
    txn.add(&mut ask, "t");
    (0..5).for_each(|batch| wire.send(&txn.request("t", &format!("b{batch}"), 2), 9));
    for batch in 0..5 {
        let (_, mut answer) = wire.try_receive::<ProduceRequest>(9).unwrap();
        let part = answer.responses.remove(0).partition_responses.remove(0);
        assert_eq!((part.error_code, part.base_offset), (0, batch * 2));
    }
    txn.end(&mut ask, true);
    let expected: Vec<String> = (0..5).flat_map(|batch| numbered(&format!("b{batch}"), 2)).collect();
    until_committed(&mut wire, "t", &expected);
}

#[test]
fn what_was_decided_is_done_by_the_next_coordinator_when_the_first_one_is_killed() {
    let mut cluster = three();
    for (round, commit) in [true, false, true].into_iter().enumerate() {
        let id = format!("id{round}");
        let first = coordinator(&cluster, 1, &id);
        let leader = cluster.leader("t", &[]);
        let mut txn = Txn::init(&mut cluster.wire(first), &id, MINUTE_MS);
        txn.add(&mut cluster.wire(first), "t");
        let end = cluster.wire(leader).list("t", -1).offset;
        assert_eq!(txn.produce(&mut cluster.wire(leader), "t", &id, 2).error_code, 0);
        assert_eq!(txn.end_once(&mut cluster.wire(first), commit), 0);
        cluster.node(first).kill();
        let alive = cluster.follower_of(first);
        let leader = cluster.leader("t", &[first]);
        let mut wire = cluster.wire(leader);
        until("the marker", || (last_stable(&mut wire, "t") >= end + 3).then_some(()));
        assert_eq!(committed(&mut wire, "t").contains(&format!("{id}-1")), commit);
        let second =
            until("another coordinator", || Some(coordinator(&cluster, alive, &id)).filter(|second| *second != first));
        let mut ask = cluster.wire(second);
        txn.end(&mut ask, commit);
        assert_eq!(txn.end_once(&mut ask, !commit), code(ResponseError::InvalidTxnState));
        cluster.restart(first);
        until("all in sync", || (cluster.isr(alive, "t").len() == 3).then_some(()));
        until("all in sync", || (cluster.isr(alive, "__transaction_state").len() == 3).then_some(()));
    }
}

#[test]
fn transactions_are_listed_and_described_by_their_coordinator() {
    let cluster = single("");
    let mut wire = cluster.wire(1);
    let mut txn = Txn::init(&mut wire, "id", 12_345);
    txn.add(&mut wire, "t");
    let list = |wire: &mut Wire, filter: &'static str| {
        let request = ListTransactionsRequest::default().with_state_filters(vec![StrBytes::from_static_str(filter)]);
        let answer = wire.call(&request, 0);
        (answer.transaction_states.len(), answer.unknown_state_filters.len())
    };
    assert_eq!((list(&mut wire, "Ongoing"), list(&mut wire, "Empty")), ((1, 0), (0, 0)));
    assert_eq!(list(&mut wire, "Sleeping"), (0, 1));
    let ids = ["id", "nobody"].map(|id| TransactionalId(StrBytes::from_static_str(id)));
    let states = wire.call(&DescribeTransactionsRequest::default().with_transactional_ids(ids.to_vec()), 0);
    let [known, unknown] = &states.transaction_states[..] else { panic!("two answers") };
    assert_eq!((&*known.transaction_state, known.transaction_timeout_ms, known.topics.len()), ("Ongoing", 12_345, 1));
    assert_eq!(unknown.error_code, code(ResponseError::TransactionalIdNotFound));
    assert_eq!(txn.produce(&mut wire, "t", "a", 1).error_code, 0);
}

#[test]
fn hostile_requests_are_refused_one_by_one_and_harm_nobody() {
    let cluster = single("");
    let mut wire = cluster.wire(1);
    let refused = |answer: InitProducerIdResponse| answer.error_code;
    assert_eq!(refused(wire.call(&init_request("", 1, None), 4)), code(ResponseError::InvalidRequest));
    for timeout_ms in [0, -1, i32::MAX] {
        let answer = wire.call(&init_request("id", timeout_ms, None), 4);
        assert_eq!(refused(answer), code(ResponseError::InvalidTransactionTimeout));
    }
    let half = init_request("id", 1000, Some((5, -1)));
    assert_eq!(refused(wire.call(&half, 4)), code(ResponseError::InvalidRequest));
    let nobody = Txn { id: "nobody".to_owned(), producer: 5, epoch: 0, sequence: 0 };
    assert_eq!(nobody.add_once(&mut wire, "t", 3), code(ResponseError::InvalidProducerIdMapping));
    assert_eq!(nobody.end_once(&mut wire, true), code(ResponseError::InvalidProducerIdMapping));
    let mut txn = Txn::init(&mut wire, "id", MINUTE_MS);
    assert_eq!(txn.end_once(&mut wire, true), code(ResponseError::InvalidTxnState), "nothing to end");
    for (producer, epoch) in [(txn.producer + 1, 0), (i64::MIN, 0), (i64::MAX, i16::MAX)] {
        let stranger = Txn { producer, epoch, ..txn.clone() };
        assert_eq!(stranger.add_once(&mut wire, "t", 3), code(ResponseError::InvalidProducerIdMapping));
    }
    for epoch in [i16::MIN, -1, 1, i16::MAX] {
        let stranger = Txn { epoch, ..txn.clone() };
        assert_eq!(stranger.add_once(&mut wire, "t", 3), code(ResponseError::ProducerFenced));
    }
    assert_eq!(txn.add_once(&mut wire, "nosuch", 3), code(ResponseError::UnknownTopicOrPartition));
    let topic =
        WritableTxnMarkerTopic::default().with_name(name("nosuch")).with_partition_indexes((0..10_000).collect());
    let marker = WritableTxnMarker::default().with_producer_id(7.into()).with_topics(vec![topic]);
    let answer = wire.call(&WriteTxnMarkersRequest::default().with_markers(vec![marker]), 1);
    let parts = &answer.markers[0].topics[0].partitions;
    assert!(parts.len() == 10_000 && parts.iter().all(|part| part.error_code == 3));
    txn.add(&mut wire, "t");
    assert_eq!(txn.produce(&mut wire, "t", "a", 1).error_code, 0);
    txn.end(&mut wire, true);
    until_committed(&mut wire, "t", &numbered("a", 1));
}

#[test]
fn a_deleted_topic_does_not_keep_a_transaction_from_ending() {
    let cluster = single("");
    let mut wire = cluster.wire(1);
    let mut txn = Txn::init(&mut wire, "id", MINUTE_MS);
    txn.add(&mut wire, "t");
    txn.add(&mut wire, "u");
    txn.produce(&mut wire, "t", "a", 1);
    let request = DeleteTopicsRequest::default().with_topic_names(vec![name("u")]).with_timeout_ms(10_000);
    assert_eq!(wire.call(&request, 5).responses.remove(0).error_code, 0);
    txn.end(&mut wire, true);
    until_committed(&mut wire, "t", &numbered("a", 1));
    txn.add(&mut wire, "t");
}

#[test]
fn clients_cannot_write_the_coordinators_log() {
    let cluster = single("");
    let answer = cluster.wire(1).produce("__transaction_state", batch(&numbered("x", 1), None), -1);
    assert_eq!(answer.error_code, code(ResponseError::InvalidTopicException));
}
