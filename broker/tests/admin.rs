//! What operators ask of a cluster: configs, deletions, elections, moved replicas.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use support::batch::{batch, numbered};
use support::wire::{Wire, name};
use support::{Cluster, become_a_node_if_asked, until};

const T: &str = "t";
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;

#[test]
fn node_process() {
    become_a_node_if_asked();
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn incremental(wire: &mut Wire, (kind, of): (i8, &str), (config, op, value): (&str, i8, Option<&str>)) -> i16 {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let config = AlterableConfig::default().with_name(text(config)).with_config_operation(op);
    let resource = AlterConfigsResource::default().with_resource_type(kind).with_resource_name(text(of));
    let resource = resource.with_configs(vec![config.with_value(value.map(text))]);
    wire.call(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource]), 1).responses[0].error_code
}

fn replace(wire: &mut Wire, topic: &str, configs: &[(&str, &str)]) -> i16 {
    use alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let configs = configs
        .iter()
        .map(|(name, value)| AlterableConfig::default().with_name(text(name)).with_value(Some(text(value))));
    let resource = AlterConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text(topic));
    let resource = resource.with_configs(configs.collect());
    wire.call(&AlterConfigsRequest::default().with_resources(vec![resource]), 2).responses[0].error_code
}

/// The value of a config and the number of its source.
fn config(wire: &mut Wire, kind: i8, of: &str, config: &str) -> (String, i8) {
    let resource = DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(of));
    let resource = resource.with_configuration_keys(Some(vec![text(config)]));
    let answer = wire.call(&DescribeConfigsRequest::default().with_resources(vec![resource]), 4);
    let found = &answer.results[0].configs[0];
    (found.value.as_ref().unwrap().to_string(), found.config_source)
}

#[test]
fn configs_of_topics_and_brokers_are_changed_seen_and_obeyed() {
    let cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    let mut wire = cluster.wire(leader);
    assert_eq!(incremental(&mut wire, (TOPIC, T), ("max.message.bytes", SET, Some("200"))), 0);
    assert_eq!(config(&mut wire, TOPIC, T, "max.message.bytes"), ("200".into(), 1));
    let large = || batch(&["x".repeat(500)], None);
    assert_eq!(wire.produce(T, large(), -1).error_code, ResponseError::MessageTooLarge.code());
    assert_eq!(incremental(&mut wire, (TOPIC, T), ("max.message.bytes", DELETE, None)), 0);
    assert_eq!(wire.produce(T, large(), -1).error_code, 0);
    assert_eq!(incremental(&mut wire, (BROKER, ""), ("message.max.bytes", SET, Some("300"))), 0);
    assert_eq!(config(&mut wire, TOPIC, T, "max.message.bytes"), ("300".into(), 3));
    assert_eq!(wire.produce(T, large(), -1).error_code, ResponseError::MessageTooLarge.code());
    let own = leader.to_string();
    assert_eq!(incremental(&mut wire, (BROKER, &own), ("message.max.bytes", SET, Some("900"))), 0);
    assert_eq!(config(&mut wire, BROKER, &own, "message.max.bytes"), ("900".into(), 2));
    assert_eq!(wire.produce(T, large(), -1).error_code, 0);
    let refused = incremental(&mut wire, (TOPIC, T), ("retention.ms", SET, Some("soon")));
    assert_eq!(refused, ResponseError::InvalidConfig.code());
    let unknown = incremental(&mut wire, (TOPIC, "nosuch"), ("retention.ms", SET, Some("5")));
    assert_eq!(unknown, ResponseError::UnknownTopicOrPartition.code());
}

#[test]
fn a_replacement_takes_back_what_it_does_not_name() {
    let cluster = Cluster::start(1, "min.insync.replicas=1\n");
    let leader = cluster.topic(T, 1, &[("retention.ms", "5000"), ("segment.ms", "6000")]);
    let mut wire = cluster.wire(leader);
    assert_eq!(replace(&mut wire, T, &[("retention.ms", "7000")]), 0);
    assert_eq!(config(&mut wire, TOPIC, T, "retention.ms"), ("7000".into(), 1));
    assert_eq!(config(&mut wire, TOPIC, T, "segment.ms"), ("604800000".into(), 5));
}

fn delete_before(wire: &mut Wire, offset: i64) -> (i16, i64) {
    let part = DeleteRecordsPartition::default().with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(name(T)).with_partitions(vec![part]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let result = wire.call(&request, 2).topics.remove(0).partitions.remove(0);
    (result.error_code, result.low_watermark)
}

#[test]
fn deleted_records_are_gone_on_every_replica_and_stay_gone_after_a_crash() {
    let mut cluster = Cluster::start(3, "");
    let leader = cluster.topic(T, 3, &[]);
    let mut wire = cluster.wire(leader);
    for _ in 0..4 {
        assert_eq!(wire.produce(T, batch(&numbered("v", 5), None), -1).error_code, 0);
    }
    assert_eq!(delete_before(&mut wire, 7), (0, 7));
    assert_eq!(wire.list(T, -2).offset, 7);
    assert_eq!(wire.fetch(T, 6, 0).error_code, ResponseError::OffsetOutOfRange.code());
    assert_eq!(delete_before(&mut wire, 3), (0, 7), "never back");
    assert_eq!(delete_before(&mut wire, 21).0, ResponseError::OffsetOutOfRange.code());
    cluster.node(leader).kill();
    let second = cluster.leader(T, &[leader]);
    until("the second leader's start", || (cluster.wire(second).list(T, -2).offset == 7).then_some(()));
    cluster.restart(leader);
    until("all in sync", || (cluster.isr(second, T) == [1, 2, 3]).then_some(()));
    assert_eq!(delete_before(&mut cluster.wire(second), -1), (0, 20));
}

fn elect(wire: &mut Wire, kind: i8) -> i16 {
    let topic = TopicPartitions::default().with_topic(name(T)).with_partitions(vec![0]);
    let request = ElectLeadersRequest::default().with_election_type(kind).with_timeout_ms(10_000);
    let answer = wire.call(&request.with_topic_partitions(Some(vec![topic])), 2);
    answer.replica_election_results[0].partition_result[0].error_code
}

#[test]
fn the_preferred_leader_comes_back_when_asked_for() {
    let mut cluster = Cluster::start(3, "");
    let preferred = cluster.topic(T, 3, &[]);
    cluster.node(preferred).kill();
    let second = cluster.leader(T, &[preferred]);
    assert_eq!(elect(&mut cluster.wire(second), 0), ResponseError::PreferredLeaderNotAvailable.code());
    cluster.restart(preferred);
    until("all in sync", || (cluster.isr(second, T) == [1, 2, 3]).then_some(()));
    assert_eq!(elect(&mut cluster.wire(second), 0), 0);
    until("the preferred leader", || (cluster.leader(T, &[]) == preferred).then_some(()));
    assert_eq!(elect(&mut cluster.wire(second), 0), ResponseError::ElectionNotNeeded.code());
}

#[test]
fn an_unclean_election_by_an_operator_elects_who_is_there() {
    let mut cluster = Cluster::start(3, "min.insync.replicas=1\neligible.leader.replicas.enable=false\n");
    let leader = cluster.topic(T, 3, &[]);
    let followers = cluster.followers_of(leader);
    followers.iter().for_each(|id| cluster.node(*id).kill());
    until("a lonely leader", || (cluster.isr(leader, T).len() == 1).then_some(()));
    assert_eq!(cluster.wire(leader).produce(T, batch(&numbered("lost", 1), None), -1).error_code, 0);
    cluster.node(leader).kill();
    cluster.restart(followers[0]);
    until("nobody leads", || {
        let found = cluster.wire(followers[0]).partition(T, 0)?;
        (found.leader_id.0 == -1).then_some(())
    });
    assert_eq!(elect(&mut cluster.wire(followers[0]), 0), ResponseError::PreferredLeaderNotAvailable.code());
    assert_eq!(elect(&mut cluster.wire(followers[0]), 1), 0);
    assert_eq!(cluster.leader(T, &[leader]), followers[0]);
    until("an empty log", || Some(cluster.wire(followers[0]).list(T, -1)).filter(|end| end.error_code == 0));
    assert_eq!(cluster.wire(followers[0]).list(T, -1).offset, 0);
}

fn reassign(wire: &mut Wire, replicas: Option<&[i32]>) -> i16 {
    let replicas = replicas.map(|ids| ids.iter().map(|id| BrokerId(*id)).collect());
    let part = ReassignablePartition::default().with_replicas(replicas);
    let topic = ReassignableTopic::default().with_name(name(T)).with_partitions(vec![part]);
    let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    wire.call(&request, 0).responses[0].partitions[0].error_code
}

fn ongoing(wire: &mut Wire) -> usize {
    wire.call(&ListPartitionReassignmentsRequest::default().with_topics(None), 0).topics.len()
}

#[test]
fn replicas_move_to_other_brokers_and_take_every_record_along() {
    let cluster = Cluster::start(3, "min.insync.replicas=1\n");
    let leader = cluster.topic(T, 1, &[]);
    assert_eq!(cluster.wire(leader).produce(T, batch(&numbered("v", 9), None), -1).error_code, 0);
    let others = cluster.followers_of(leader);
    assert_eq!(reassign(&mut cluster.wire(leader), Some(&others)), 0);
    until("the move to end", || (ongoing(&mut cluster.wire(leader)) == 0).then_some(()));
    // Each broker learns of it when it comes to that record of the metadata log.
    until("new replicas", || {
        let found = cluster.wire(others[0]).partition(T, 0)?;
        found.replica_nodes.iter().map(|id| id.0).eq(others.iter().copied()).then_some(())
    });
    assert_eq!(cluster.leader(T, &[leader]), others[0]);
    cluster.agree(T, &others);
    until("the old folder to go", || (!cluster.folder_of(leader, "t-0").exists()).then_some(()));
    let refused = reassign(&mut cluster.wire(leader), None);
    assert_eq!(refused, ResponseError::NoReassignmentInProgress.code());
}

#[test]
fn a_move_to_a_dead_broker_is_listed_and_can_be_cancelled() {
    let mut cluster = Cluster::start(3, "min.insync.replicas=1\n");
    let leader = cluster.topic(T, 1, &[]);
    let others = cluster.followers_of(leader);
    cluster.node(others[0]).kill();
    assert_eq!(reassign(&mut cluster.wire(leader), Some(&others)), 0);
    assert_eq!(ongoing(&mut cluster.wire(leader)), 1);
    assert_eq!(reassign(&mut cluster.wire(leader), None), 0);
    assert_eq!(ongoing(&mut cluster.wire(leader)), 0);
    assert_eq!(cluster.leader(T, &[]), leader);
}

#[test]
fn log_folders_tell_the_bytes_of_each_replica() {
    let cluster = Cluster::start(1, "min.insync.replicas=1\n");
    let leader = cluster.topic(T, 1, &[]);
    let mut wire = cluster.wire(leader);
    assert_eq!(wire.produce(T, batch(&numbered("v", 9), None), -1).error_code, 0);
    let answer = wire.call(&DescribeLogDirsRequest::default().with_topics(None), 4);
    let partition = &answer.results[0].topics[0].partitions[0];
    assert_eq!(partition.partition_size as usize, cluster.log(leader, "t-0").len());
    assert!(answer.results[0].usable_bytes > 0 && answer.results[0].total_bytes >= answer.results[0].usable_bytes);
}
