//! AlterPartitionReassignments (45): replicas move (KIP-455). Answered when the move has begun, not when it is done.
//!
//! It is done when every new replica is in sync; ListPartitionReassignments tells. Without replicas it is cancelled.

use std::sync::Arc;

use kafka_protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignableTopic,
};
use kafka_protocol::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};

use super::wire;
use crate::broker::Broker;
use crate::ids::{NodeId, TopicPartition};
use crate::metadata::ControllerError;
use crate::metadata::rpc::AlterReassignments;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{INT, Shape, always};

type Move = (TopicPartition, Option<Vec<NodeId>>);

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 0,
    fields: &[always(INT), always(Structs(&[always(Text), always(Structs(&[always(INT), always(List(&INT))]))]))],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<AlterPartitionReassignmentsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<AlterPartitionReassignmentsRequest, _>(async move {
        let partitions: Vec<Move> = request.topics.iter().flat_map(moves).collect();
        match broker.controller.alter_reassignments(AlterReassignments { partitions }).await {
            Ok(answers) => {
                broker.catch_up(wire::millis(request.timeout_ms)).await;
                response(&request.topics, answers)
            }
            Err(error) => AlterPartitionReassignmentsResponse::default()
                .with_error_code(error.kafka_code())
                .with_error_message(Some(wire::text(error.to_string()))),
        }
    })
}

fn moves(topic: &ReassignableTopic) -> impl Iterator<Item = Move> {
    topic.partitions.iter().map(|partition| {
        let at = TopicPartition { topic: topic.name.to_string(), index: partition.partition_index };
        let replicas = partition.replicas.as_ref();
        (at, replicas.map(|replicas| replicas.iter().map(|broker| NodeId(broker.0)).collect()))
    })
}

fn response(
    topics: &[ReassignableTopic],
    answers: Vec<Result<(), ControllerError>>,
) -> AlterPartitionReassignmentsResponse {
    let mut answers = answers.into_iter();
    let topics = topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let answer = answers.next().unwrap_or(Err(ControllerError::Timeout));
            let (code, message) = wire::controller_error(&answer);
            let response = ReassignablePartitionResponse::default().with_partition_index(partition.partition_index);
            response.with_error_code(code).with_error_message(message)
        });
        let partitions = partitions.collect();
        ReassignableTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    AlterPartitionReassignmentsResponse::default().with_responses(topics.collect())
}
