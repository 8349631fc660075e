//! ElectLeaders (43): the preferred leader back, or any living replica where nobody leads (KIP-460).

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::elect_leaders_request::ElectLeadersRequest;
use kafka_protocol::messages::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};

use super::wire;
use crate::broker::Broker;
use crate::ids::TopicPartition;
use crate::metadata::ControllerError;
use crate::metadata::rpc::{ElectLeaders, ElectionKind};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{BYTE, INT, Shape, always, since};

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 2,
    fields: &[since(1, BYTE), always(Structs(&[always(Text), always(List(&INT))])), always(INT)],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<ElectLeadersRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let kind = match request.election_type {
        0 => ElectionKind::Preferred,
        1 => ElectionKind::Unclean,
        _ => {
            let error = ResponseError::InvalidRequest.code();
            return call.ready::<ElectLeadersRequest>(&ElectLeadersResponse::default().with_error_code(error));
        }
    };
    let broker = broker.clone();
    call.later::<ElectLeadersRequest, _>(async move {
        let ask = ElectLeaders { kind, partitions: partitions(&request) };
        match broker.controller.elect_leaders(ask).await {
            Err(error) => ElectLeadersResponse::default().with_error_code(error.kafka_code()),
            Ok(answers) => {
                broker.catch_up(wire::millis(request.timeout_ms)).await;
                ElectLeadersResponse::default().with_replica_election_results(results(answers))
            }
        }
    })
}

fn partitions(request: &ElectLeadersRequest) -> Option<Vec<TopicPartition>> {
    let topics = request.topic_partitions.as_ref()?;
    let partitions = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|index| TopicPartition { topic: topic.topic.to_string(), index: *index })
    });
    Some(partitions.collect())
}

fn results(answers: Vec<(TopicPartition, Result<(), ControllerError>)>) -> Vec<ReplicaElectionResult> {
    let mut topics: BTreeMap<String, Vec<PartitionResult>> = BTreeMap::new();
    for (at, answer) in answers {
        let (code, message) = wire::controller_error(&answer);
        let result = PartitionResult::default().with_partition_id(at.index).with_error_code(code);
        topics.entry(at.topic).or_default().push(result.with_error_message(message));
    }
    let results = topics.into_iter().map(|(topic, results)| {
        ReplicaElectionResult::default().with_topic(wire::name(topic)).with_partition_result(results)
    });
    results.collect()
}
