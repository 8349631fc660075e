//! Three brokers, real signals: what is acknowledged survives, what is deposed is silent, what diverged agrees again.
//!
//! The unsafe schedules come in pairs: the variant that must lose and the variant that must not.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use kafka_protocol::messages::{BrokerId, ProduceRequest};
use support::batch::{batch, numbered, values};
use support::wire::Wire;
use support::{Cluster, become_a_node_if_asked, pass, until};

const T: &str = "t";
const PATIENT: &str = "broker.session.timeout.ms=8000\nreplica.lag.time.max.ms=8000\n";
/// Longer than `replica.fetch.wait.max.ms`: no fetch of a paused follower is held by the leader any more.
const FETCHES_IDLE: Duration = Duration::from_millis(400);

#[test]
fn node_process() {
    become_a_node_if_asked();
}

fn code(error: ResponseError) -> i16 {
    error.code()
}

/// Sends until the partition's leader, whoever it is, has acknowledged.
fn produce(cluster: &Cluster, not: &[i32], records: &bytes::Bytes) -> i64 {
    until("an acknowledgement", || {
        let leader = cluster.leader(T, not);
        let answer = cluster.wire(leader).produce(T, records.clone(), -1);
        (answer.error_code == 0).then_some(answer.base_offset)
    })
}

fn read(cluster: &Cluster, leader: i32) -> Vec<String> {
    let data = until("records", || Some(cluster.wire(leader).fetch(T, 0, 500)).filter(|data| data.error_code == 0));
    values(data.records.unwrap()).into_iter().map(|(_, value)| value).collect()
}

#[test]
fn what_acks_all_acknowledged_is_on_every_replica_byte_for_byte() {
    let cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    for round in 0..20 {
        let answer = cluster.wire(leader).produce(T, batch(&numbered(&format!("r{round}"), 5), None), -1);
        assert_eq!((answer.error_code, answer.base_offset), (0, round * 5));
    }
    cluster.agree(T, &[1, 2, 3]);
    assert_eq!(cluster.wire(leader).list(T, -1).offset, 100);
    assert_eq!(cluster.isr(leader, T), [1, 2, 3]);
}

#[test]
fn a_killed_leader_takes_no_acknowledged_record_along_and_a_retry_finds_its_first_offset() {
    let mut cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    let id = cluster.wire(leader).producer_id();
    let sent: Vec<_> = (0..6).map(|n| batch(&numbered(&format!("r{n}"), 5), Some((id, n * 5)))).collect();
    for (n, records) in sent.iter().enumerate() {
        assert_eq!(cluster.wire(leader).produce(T, records.clone(), -1).base_offset, n as i64 * 5);
    }
    cluster.node(leader).kill();
    assert_eq!(produce(&cluster, &[leader], &sent[5]), 25, "the new leader knows the batch");
    let next = batch(&numbered("next", 5), Some((id, 30)));
    assert_eq!(produce(&cluster, &[leader], &next), 30);
    let second = cluster.leader(T, &[leader]);
    assert_eq!(read(&cluster, second).len(), 35);
    cluster.restart(leader);
    cluster.agree(T, &[1, 2, 3]);
    until("the old leader in sync", || (cluster.isr(second, T) == [1, 2, 3]).then_some(()));
}

#[test]
fn with_too_few_in_sync_replicas_acks_all_is_refused_and_what_was_waiting_is_told_after_append() {
    let mut cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    produce(&cluster, &[], &batch(&numbered("before", 1), None));
    let followers = cluster.followers_of(leader);
    followers.iter().for_each(|id| cluster.node(*id).pause());
    let mut waiting = cluster.wire(leader);
    pass(FETCHES_IDLE);
    waiting.send(&Wire::produce_request(T, 0, batch(&numbered("during", 1), None), -1, 30_000), 9);
    let answer = waiting.try_receive::<ProduceRequest>(9).unwrap().1;
    let told = answer.responses[0].partition_responses[0].error_code;
    assert_eq!(told, code(ResponseError::NotEnoughReplicasAfterAppend));
    let refused = cluster.wire(leader).produce(T, batch(&numbered("after", 1), None), -1);
    assert_eq!(refused.error_code, code(ResponseError::NotEnoughReplicas));
    followers.iter().for_each(|id| cluster.node(*id).resume());
    produce(&cluster, &[], &batch(&numbered("later", 1), None));
    assert_eq!(read(&cluster, leader), ["before-0", "during-0", "later-0"]);
}

#[test]
fn under_the_minimum_acks_1_is_taken_and_hidden_until_a_second_replica_is_back() {
    let mut cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    produce(&cluster, &[], &batch(&numbered("seen", 1), None));
    let followers = cluster.followers_of(leader);
    followers.iter().for_each(|id| cluster.node(*id).kill());
    until("a lonely leader", || (cluster.isr(leader, T).len() == 1).then_some(()));
    let answer = cluster.wire(leader).produce(T, batch(&numbered("hidden", 1), None), 1);
    assert_eq!((answer.error_code, answer.base_offset), (0, 1));
    assert_eq!(cluster.wire(leader).list(T, -1).offset, 1);
    assert_eq!(read(&cluster, leader), ["seen-0"]);
    cluster.restart(followers[0]);
    until("the hidden record", || (read(&cluster, leader) == ["seen-0", "hidden-0"]).then_some(()));
}

/// P07: both followers paused, a wave written, the leader killed, the followers resumed, the old leader restarted.
/// Gives what the producer was told, and what the cluster holds in the end.
fn lose_the_leader(more: &str, acks: i16) -> (i16, Vec<String>, Cluster) {
    let mut cluster = Cluster::start(3, &format!("{PATIENT}{more}"));
    let leader = cluster.topic(T, 3, &[]);
    produce(&cluster, &[], &batch(&numbered("kept", 3), None));
    let followers = cluster.followers_of(leader);
    followers.iter().for_each(|id| cluster.node(*id).pause());
    pass(FETCHES_IDLE);
    let request = Wire::produce_request(T, 0, batch(&numbered("wave", 3), None), acks, 300);
    let told = cluster.wire(leader).call(&request, 9).responses[0].partition_responses[0].error_code;
    cluster.node(leader).kill();
    followers.iter().for_each(|id| cluster.node(*id).resume());
    let second = cluster.leader(T, &[leader]);
    produce(&cluster, &[leader], &batch(&numbered("new", 3), None));
    cluster.restart(leader);
    cluster.agree(T, &[1, 2, 3]);
    let held = read(&cluster, second);
    (told, held, cluster)
}

fn holds_the_wave(held: &[String]) -> bool {
    held.iter().any(|value| value.starts_with("wave"))
}

#[test]
fn acks_1_loses_what_only_the_killed_leader_had_and_the_old_leader_truncates() {
    let (told, held, cluster) = lose_the_leader("", 1);
    assert_eq!((told, holds_the_wave(&held)), (0, false));
    assert_eq!(held.len(), 6);
    let cut: Vec<_> = (1..=3).flat_map(|id| cluster.events(id)).filter(|e| e["event"] == "truncation").collect();
    assert!(cut.iter().any(|e| e["from"] == 6 && e["to"] == 3), "{cut:?}");
}

#[test]
fn acks_all_on_the_same_schedule_acknowledges_nothing_that_is_lost() {
    let (told, held, _) = lose_the_leader("", -1);
    assert_eq!((told, holds_the_wave(&held)), (code(ResponseError::RequestTimedOut), false));
}

#[test]
fn ack_before_replicate_acknowledges_and_loses() {
    let (told, held, _) = lose_the_leader("stormglass.bug=ack-before-replicate\n", -1);
    assert_eq!((told, holds_the_wave(&held)), (0, false));
}

/// Deposes a leader while it is paused, and gives what it answers to questions asked before it resumed.
fn ask_a_deposed_leader(more: &str) -> (i16, i16, i16) {
    let mut cluster = Cluster::start(3, more);
    let leader = cluster.topic(T, 3, &[]);
    produce(&cluster, &[], &batch(&numbered("old", 3), None));
    let (mut ends, mut fetches, mut writes) = (cluster.wire(leader), cluster.wire(leader), cluster.wire(leader));
    cluster.node(leader).pause();
    produce(&cluster, &[leader], &batch(&numbered("new", 3), None));
    let (end, fetched, written) = std::thread::scope(|scope| {
        let end = scope.spawn(|| ends.list(T, -1).error_code);
        let fetched = scope.spawn(|| fetches.fetch(T, 3, 0).error_code);
        let written = scope.spawn(|| writes.produce(T, batch(&numbered("zombie", 1), None), 1).error_code);
        pass(FETCHES_IDLE);
        cluster.node(leader).resume();
        (end.join().unwrap(), fetched.join().unwrap(), written.join().unwrap())
    });
    cluster.agree(T, &[1, 2, 3]);
    (end, fetched, written)
}

#[test]
fn a_deposed_leader_that_wakes_up_serves_nobody() {
    let not_leader = code(ResponseError::NotLeaderOrFollower);
    assert_eq!(ask_a_deposed_leader(""), (not_leader, not_leader, not_leader));
}

#[test]
fn epochs_of_the_past_and_of_the_future_are_fenced() {
    let mut cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    produce(&cluster, &[], &batch(&numbered("v", 3), None));
    cluster.node(leader).kill();
    let second = cluster.leader(T, &[leader]);
    let epoch = cluster.wire(second).partition(T, 0).unwrap().leader_epoch;
    assert!(epoch > 0);
    let fetch = |current: i32| {
        let part = FetchPartition::default().with_current_leader_epoch(current).with_partition_max_bytes(1000);
        let mut answer = cluster.wire(second).call(&Wire::fetch_request(T, part, 0), 12);
        answer.responses.remove(0).partitions.remove(0).error_code
    };
    until("the new leader", || (fetch(epoch) == 0).then_some(()));
    assert_eq!(fetch(epoch - 1), code(ResponseError::FencedLeaderEpoch));
    assert_eq!(fetch(epoch + 1), code(ResponseError::UnknownLeaderEpoch));
}

#[test]
fn a_fetch_of_an_older_incarnation_does_not_count() {
    let cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    produce(&cluster, &[], &batch(&numbered("v", 3), None));
    let topic = cluster.wire(leader).partition_topic_id(T);
    let fetch = |replica: i32, epoch: i64| {
        let state = ReplicaState::default().with_replica_id(BrokerId(replica)).with_replica_epoch(epoch);
        let part = FetchPartition::default().with_current_leader_epoch(0).with_fetch_offset(3);
        let topic = FetchTopic::default().with_topic_id(topic).with_partitions(vec![part]);
        let request = FetchRequest::default().with_replica_state(state).with_topics(vec![topic]);
        cluster.wire(leader).call(&request, 17).responses[0].partitions[0].error_code
    };
    let not_leader = code(ResponseError::NotLeaderOrFollower);
    assert_eq!(fetch(cluster.follower_of(leader), 0), not_leader, "an older incarnation");
    assert_eq!(fetch(99, 1_000_000), not_leader, "no replica");
}

#[test]
fn a_broker_that_stops_in_order_hands_over_and_comes_back_in_sync() {
    let mut cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    produce(&cluster, &[], &batch(&numbered("v", 3), None));
    assert_eq!(cluster.node(leader).stop(), Some(0));
    let second = cluster.leader(T, &[leader]);
    assert_eq!(produce(&cluster, &[leader], &batch(&numbered("w", 3), None)), 3);
    cluster.restart(leader);
    until("all in sync", || (cluster.isr(second, T) == [1, 2, 3]).then_some(()));
    cluster.agree(T, &[1, 2, 3]);
    assert!((1..=3).all(|id| cluster.count(id, "high-watermark-regression") == 0));
}

#[test]
fn with_flush_messages_1_records_are_acknowledged_and_replicated() {
    let cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[("flush.messages", "1")]);
    let mut wire = cluster.wire(leader);
    for round in 0..5 {
        let acks = if round % 2 == 0 { -1 } else { 1 };
        let answer = wire.produce(T, batch(&numbered("v", 4), None), acks);
        assert_eq!((answer.error_code, answer.base_offset), (0, round * 4));
    }
    cluster.agree(T, &[1, 2, 3]);
}

#[test]
fn a_consumer_is_sent_to_the_in_sync_replica_of_its_rack_and_reads_there_what_is_committed() {
    const RACKS: &str = "broker.rack=rack-{id}\n\
        replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector\n";
    let cluster = Cluster::start(3, RACKS);
    let leader = cluster.topic(T, 3, &[]);
    produce(&cluster, &[], &batch(&numbered("v", 3), None));
    let near = cluster.follower_of(leader);
    let fetch = |from: i32, rack: &str| {
        let part = FetchPartition::default().with_partition_max_bytes(1 << 20);
        let request = Wire::fetch_request(T, part, 100).with_rack_id(rack.to_owned().into());
        cluster.wire(from).call(&request, 12).responses.remove(0).partitions.remove(0)
    };
    let sent = fetch(leader, &format!("rack-{near}"));
    assert_eq!((sent.preferred_read_replica.0, sent.records.unwrap_or_default().len()), (near, 0));
    assert_eq!(fetch(leader, &format!("rack-{leader}")).preferred_read_replica.0, -1);
    assert_eq!(fetch(leader, "elsewhere").preferred_read_replica.0, -1);
    let read = until("the follower to know that it is committed", || {
        let read = fetch(near, &format!("rack-{near}"));
        assert_eq!(read.error_code, 0);
        Some(values(read.records.unwrap_or_default())).filter(|values| values.len() == 3)
    });
    assert_eq!(read[2], (2, "v-2".to_owned()));
}

#[test]
fn without_the_selector_only_the_leader_serves_consumers() {
    let cluster = Cluster::start(3, "broker.rack=rack-{id}\n");
    let leader = cluster.topic(T, 3, &[]);
    let near = cluster.follower_of(leader);
    let part = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let request = Wire::fetch_request(T, part, 0).with_rack_id(format!("rack-{near}").into());
    let answer = |from: i32| cluster.wire(from).call(&request, 12).responses.remove(0).partitions.remove(0);
    assert_eq!(answer(leader).preferred_read_replica.0, -1);
    assert_eq!(answer(near).error_code, code(ResponseError::NotLeaderOrFollower));
}
