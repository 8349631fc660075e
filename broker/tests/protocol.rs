//! What a client sees of one broker: versions, framing, answers in order, and the small traps of the protocol.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use support::batch::{batch, numbered, values};
use support::wire::{Wire, name};
use support::{Cluster, become_a_node_if_asked};

#[test]
fn node_process() {
    become_a_node_if_asked();
}

fn single() -> Cluster {
    let cluster = Cluster::start(1, "min.insync.replicas=1\ndefault.replication.factor=1\n");
    assert_eq!(cluster.wire(1).create("t", 1, 1, &[]), 0);
    cluster
}

fn code(error: ResponseError) -> i16 {
    error.code()
}

/// Asks an API in a version, with a small sensible request; whether it was answered.
fn ask(wire: &mut Wire, key: ApiKey, version: i16) -> bool {
    macro_rules! small {
        ($request:expr) => {
            wire.try_call(&$request, version).is_some()
        };
    }
    let text = StrBytes::from_static_str("1");
    match key {
        ApiKey::ApiVersions => small!(ApiVersionsRequest::default()),
        ApiKey::Metadata => small!(MetadataRequest::default()),
        ApiKey::Produce => small!(Wire::produce_request("t", 0, batch(&numbered("v", 1), None), 1, 1000)),
        ApiKey::Fetch => small!(Wire::fetch_request("t", FetchPartition::default(), 0)),
        ApiKey::ListOffsets => {
            let part = list_offsets_request::ListOffsetsPartition::default().with_timestamp(-2);
            let topic = list_offsets_request::ListOffsetsTopic::default().with_name(name("t"));
            small!(ListOffsetsRequest::default().with_topics(vec![topic.with_partitions(vec![part])]))
        }
        ApiKey::FindCoordinator if version >= 4 => {
            small!(FindCoordinatorRequest::default().with_coordinator_keys(vec![text]))
        }
        ApiKey::FindCoordinator => small!(FindCoordinatorRequest::default().with_key(text)),
        ApiKey::CreateTopics => {
            let topic = create_topics_request::CreatableTopic::default().with_name(name("other"));
            let topic = topic.with_num_partitions(1).with_replication_factor(1);
            small!(CreateTopicsRequest::default().with_topics(vec![topic]).with_validate_only(true))
        }
        ApiKey::DeleteTopics if version >= 6 => small!(DeleteTopicsRequest::default()),
        ApiKey::DeleteTopics => small!(DeleteTopicsRequest::default().with_topic_names(vec![name("nosuch")])),
        ApiKey::InitProducerId => small!(InitProducerIdRequest::default().with_transactional_id(None)),
        ApiKey::OffsetForLeaderEpoch => {
            let part = OffsetForLeaderPartition::default().with_leader_epoch(0);
            let topic = OffsetForLeaderTopic::default().with_topic(name("t")).with_partitions(vec![part]);
            small!(OffsetForLeaderEpochRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]))
        }
        ApiKey::DescribeConfigs => {
            let resource = DescribeConfigsResource::default().with_resource_type(4).with_resource_name(text);
            small!(DescribeConfigsRequest::default().with_resources(vec![resource.with_configuration_keys(None)]))
        }
        ApiKey::CreatePartitions => small!(CreatePartitionsRequest::default()),
        ApiKey::DescribeCluster => small!(DescribeClusterRequest::default()),
        ApiKey::AlterConfigs => small!(AlterConfigsRequest::default()),
        ApiKey::IncrementalAlterConfigs => small!(IncrementalAlterConfigsRequest::default()),
        ApiKey::DeleteRecords => small!(DeleteRecordsRequest::default()),
        ApiKey::ElectLeaders => small!(ElectLeadersRequest::default()),
        ApiKey::AlterPartitionReassignments => small!(AlterPartitionReassignmentsRequest::default()),
        ApiKey::ListPartitionReassignments => small!(ListPartitionReassignmentsRequest::default()),
        ApiKey::DescribeLogDirs => small!(DescribeLogDirsRequest::default().with_topics(None)),
        ApiKey::JoinGroup => small!(JoinGroupRequest::default().with_group_id(text.into())),
        ApiKey::SyncGroup => small!(SyncGroupRequest::default().with_group_id(text.into())),
        ApiKey::Heartbeat => small!(HeartbeatRequest::default().with_group_id(text.into())),
        ApiKey::LeaveGroup => small!(LeaveGroupRequest::default().with_group_id(text.into())),
        ApiKey::OffsetCommit => small!(OffsetCommitRequest::default().with_group_id(text.into())),
        ApiKey::OffsetFetch if version >= 8 => small!(OffsetFetchRequest::default()),
        ApiKey::OffsetFetch => {
            small!(OffsetFetchRequest::default().with_group_id(text.into()).with_topics(Some(vec![])))
        }
        ApiKey::TxnOffsetCommit => small!(TxnOffsetCommitRequest::default().with_group_id(text.into())),
        ApiKey::DescribeGroups => small!(DescribeGroupsRequest::default().with_groups(vec![text.into()])),
        ApiKey::ListGroups => small!(ListGroupsRequest::default()),
        ApiKey::DeleteGroups => small!(DeleteGroupsRequest::default().with_groups_names(vec![text.into()])),
        ApiKey::OffsetDelete => small!(OffsetDeleteRequest::default().with_group_id(text.into())),
        ApiKey::AddPartitionsToTxn => small!(AddPartitionsToTxnRequest::default()),
        ApiKey::AddOffsetsToTxn => small!(AddOffsetsToTxnRequest::default()),
        ApiKey::DescribeQuorum => small!(DescribeQuorumRequest::default()),
        ApiKey::EndTxn => small!(EndTxnRequest::default()),
        ApiKey::WriteTxnMarkers => small!(WriteTxnMarkersRequest::default()),
        ApiKey::DescribeProducers => small!(DescribeProducersRequest::default()),
        ApiKey::DescribeTransactions => small!(DescribeTransactionsRequest::default()),
        ApiKey::ListTransactions => small!(ListTransactionsRequest::default()),
        other => panic!("no request for {other:?}"),
    }
}

#[test]
fn every_offered_version_of_every_api_is_answered() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    let offered = wire.call(&ApiVersionsRequest::default(), 0).api_keys;
    assert!(offered.len() >= 13);
    for api in offered {
        let key = ApiKey::try_from(api.api_key).unwrap();
        let oldest = if key == ApiKey::Produce { 3 } else { api.min_version };
        for version in oldest..=api.max_version {
            assert!(ask(&mut wire, key, version), "{key:?} {version} closed the connection");
        }
    }
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0_with_the_list() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    wire.send_frame(b"\0\x12\0\x63\0\0\0\x05\xff\xff\0whatever a future version holds");
    let mut frame = wire.receive_frame().unwrap();
    assert_eq!(&frame.split_to(4)[..], [0, 0, 0, 5]);
    let response: ApiVersionsResponse = kafka_protocol::protocol::Decodable::decode(&mut frame, 0).unwrap();
    assert_eq!(response.error_code, code(ResponseError::UnsupportedVersion));
    assert!(!response.api_keys.is_empty());
}

#[test]
fn produce_of_an_old_version_is_offered_and_refused_with_an_error() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    wire.send_frame(b"\0\0\0\x02\0\0\0\x05\xff\xff\0\x01\0\0\x03\xe8\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\0\0\0\0");
    let frame = wire.receive_frame().unwrap();
    let error = &frame[4 + 4 + 3 + 4 + 4..][..2];
    assert_eq!(error, code(ResponseError::UnsupportedVersion).to_be_bytes());
}

#[test]
fn a_malformed_request_or_an_unknown_api_closes_the_connection_and_harms_nobody() {
    let cluster = single();
    for frame in [&b"\0"[..], b"\0\x03\0\x0c\0\0\0\x01\xff\xff\0\xff", b"\x7f\xff\0\0\0\0\0\x01\xff\xff", b""] {
        let mut wire = cluster.wire(1);
        wire.send_frame(frame);
        assert_eq!(wire.receive_frame(), None, "{frame:?}");
    }
    assert!(cluster.wire(1).try_call(&MetadataRequest::default(), 12).is_some());
}

#[test]
fn a_length_field_that_promises_more_than_there_is_costs_nothing() {
    let cluster = single();
    for body in [&b"\x7f\xff\xff\xff"[..], b"\x3b\x9a\xca\0"] {
        let mut wire = cluster.wire(1);
        wire.send_frame(&[b"\0\x03\0\x04\0\0\0\x01\xff\xff", body, b"\x01"].concat());
        assert_eq!(wire.receive_frame(), None);
    }
    assert!(cluster.wire(1).try_call(&MetadataRequest::default(), 12).is_some());
}

#[test]
fn answers_come_in_the_order_of_the_requests_and_a_held_fetch_does_not_hold_up_what_follows() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    wire.send(&Wire::fetch_request("t", FetchPartition::default().with_partition_max_bytes(1000), 20_000), 12);
    wire.send(&MetadataRequest::default(), 12);
    let before = std::time::Instant::now();
    assert_eq!(wire.try_receive::<FetchRequest>(12).unwrap().0, 1);
    assert_eq!(wire.try_receive::<MetadataRequest>(12).unwrap().0, 2);
    assert!(before.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn records_come_back_as_they_went_with_offsets_by_position_and_by_time() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    for round in 0..3 {
        let answer = wire.produce("t", batch(&numbered(&format!("r{round}"), 10), None), -1);
        assert_eq!((answer.error_code, answer.base_offset, answer.log_start_offset), (0, round * 10, 0));
    }
    let data = wire.fetch("t", 12, 0);
    assert_eq!((data.error_code, data.high_watermark, data.last_stable_offset), (0, 30, 30));
    let got = values(data.records.unwrap());
    assert_eq!(got.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), (10..30).collect::<Vec<_>>());
    assert_eq!(got[2], (12, "r1-2".to_owned()));
    assert_eq!((wire.list("t", -1).offset, wire.list("t", -2).offset), (30, 0));
    assert_eq!(wire.list("t", 1).offset, 0);
    assert_eq!(wire.list("t", i64::MAX).offset, -1);
    assert_eq!(wire.fetch("t", 31, 0).error_code, code(ResponseError::OffsetOutOfRange));
}

#[test]
fn the_first_batch_comes_whole_even_if_it_is_larger_than_asked_for() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    wire.produce("t", batch(&numbered("large", 100), None), 1);
    let part = FetchPartition::default().with_partition_max_bytes(1);
    let mut response = wire.call(&Wire::fetch_request("t", part, 0).with_max_bytes(1), 12);
    let records = response.responses.remove(0).partitions.remove(0).records.unwrap();
    assert_eq!(values(records).len(), 100);
}

#[test]
fn a_corrupt_batch_is_refused_and_leaves_nothing_behind() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    let mut bytes = batch(&numbered("v", 3), None).to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let answer = wire.produce("t", Bytes::from(bytes), 1);
    assert_eq!(answer.error_code, code(ResponseError::CorruptMessage));
    assert_eq!(wire.list("t", -1).offset, 0);
}

#[test]
fn a_repeated_idempotent_batch_is_answered_with_its_first_offset_and_a_gap_is_refused() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    let id = wire.producer_id();
    assert_ne!(id, wire.producer_id());
    let sent = |first: i32| batch(&numbered("v", 5), Some((id, first)));
    assert_eq!(wire.produce("t", sent(0), -1).base_offset, 0);
    assert_eq!(wire.produce("t", sent(5), -1).base_offset, 5);
    assert_eq!(wire.produce("t", sent(0), -1).base_offset, 0);
    assert_eq!(wire.produce("t", sent(15), -1).error_code, code(ResponseError::OutOfOrderSequenceNumber));
    assert_eq!(wire.list("t", -1).offset, 10);
}

#[test]
fn acks_0_is_never_answered_and_an_error_closes_the_connection() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    wire.send(&Wire::produce_request("t", 0, batch(&numbered("v", 1), None), 0, 1000), 9);
    assert!(wire.try_call(&MetadataRequest::default(), 12).is_some());
    assert_eq!(wire.list("t", -1).offset, 1);
    wire.send(&Wire::produce_request("t", 9, batch(&numbered("v", 1), None), 0, 1000), 9);
    assert_eq!(wire.receive_frame(), None);
}

#[test]
fn a_deleted_topic_created_again_is_empty_and_has_another_id() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    wire.produce("t", batch(&numbered("v", 7), None), -1);
    let request = DeleteTopicsRequest::default().with_topic_names(vec![name("t")]).with_timeout_ms(10_000);
    let deleted = wire.call(&request, 5).responses.remove(0);
    assert_eq!(deleted.error_code, 0);
    assert_eq!(wire.create("t", 1, 1, &[]), 0);
    let end = support::until("the new topic's end", || Some(wire.list("t", -1)).filter(|end| end.error_code == 0));
    assert_eq!(end.offset, 0);
    assert_eq!(wire.produce("t", batch(&numbered("v", 1), None), -1).base_offset, 0);
}

#[test]
fn effective_configs_are_described_with_their_source() {
    let cluster = single();
    let mut wire = cluster.wire(1);
    assert_eq!(wire.create("c", 1, 1, &[("segment.bytes", "2000000")]), 0);
    assert_eq!(wire.create("d", 1, 1, &[("segment.byte", "2000000")]), code(ResponseError::InvalidConfig));
    let resource = DescribeConfigsResource::default().with_resource_type(2);
    let resource = resource.with_resource_name(StrBytes::from_static_str("c")).with_configuration_keys(None);
    let mut response = wire.call(&DescribeConfigsRequest::default().with_resources(vec![resource]), 4);
    let configs = response.results.remove(0).configs;
    let of = |name: &str| configs.iter().find(|config| &*config.name == name).unwrap();
    let told = |name: &str| (of(name).value.clone().unwrap().to_string(), of(name).config_source);
    assert_eq!(told("segment.bytes"), ("2000000".to_owned(), 1));
    assert_eq!(told("min.insync.replicas"), ("1".to_owned(), 4));
    assert_eq!(told("flush.messages"), (i64::MAX.to_string(), 5));
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_and_after_an_orderly_stop() {
    let mut cluster = single();
    let sent = batch(&numbered("v", 10), None);
    assert_eq!(cluster.wire(1).produce("t", sent.clone(), -1).error_code, 0);
    cluster.node(1).kill();
    cluster.restart(1);
    let end = |cluster: &Cluster| {
        let mut wire = cluster.wire(1);
        support::until("an end", || Some(wire.list("t", -1)).filter(|end| end.error_code == 0)).offset
    };
    assert_eq!(end(&cluster), 10);
    assert_eq!(cluster.wire(1).produce("t", sent, -1).base_offset, 10);
    assert_eq!(cluster.node(1).stop(), Some(0));
    cluster.restart(1);
    assert_eq!(end(&cluster), 20);
    let opened: Vec<bool> =
        cluster.events(1).iter().filter(|e| e["event"] == "opened").map(|e| e["clean"] == true).collect();
    assert_eq!(opened.last(), Some(&true));
}

#[test]
fn a_log_folder_that_fails_ends_the_node_with_an_event_and_exit_code_1() {
    let mut cluster = single();
    std::fs::remove_dir_all(cluster.folder_of(1, "t-0").parent().unwrap()).unwrap();
    cluster.wire(1).send_create("u");
    assert_eq!(cluster.node(1).wait(), Some(1));
    assert_eq!((cluster.count(1, "log-dir-failed"), cluster.count(1, "stopped")), (1, 1));
}

#[test]
fn a_node_that_is_broker_and_controller_serves_alone() {
    let cluster = Cluster::combined(1, "min.insync.replicas=1\ndefault.replication.factor=1\n");
    let mut wire = cluster.wire(1);
    assert_eq!(wire.create("t", 1, 1, &[]), 0);
    assert_eq!(wire.produce("t", batch(&numbered("v", 2), None), -1).error_code, 0);
    assert_eq!(wire.list("t", -1).offset, 2);
}
