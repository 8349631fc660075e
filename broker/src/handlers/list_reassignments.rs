//! ListPartitionReassignments (46): which replicas are being added and which will go.

use std::sync::Arc;

use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use kafka_protocol::messages::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};

use super::wire;
use crate::broker::Broker;
use crate::metadata::{ClusterImage, PartitionImage};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{INT, Shape, always};

/// The body of a request.
pub const SHAPE: Shape =
    Shape { flexible_since: 0, fields: &[always(INT), always(Structs(&[always(Text), always(List(&INT))]))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<ListPartitionReassignmentsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let image = broker.image();
    let topics = image.topics.keys().filter_map(|topic| ongoing(&image, topic, &request));
    let response = ListPartitionReassignmentsResponse::default().with_topics(topics.collect());
    call.ready::<ListPartitionReassignmentsRequest>(&response)
}

fn ongoing(
    image: &ClusterImage,
    name: &str,
    request: &ListPartitionReassignmentsRequest,
) -> Option<OngoingTopicReassignment> {
    let asked = |index: i32| {
        let Some(topics) = &request.topics else { return true };
        topics.iter().any(|topic| **topic.name == *name && topic.partition_indexes.contains(&index))
    };
    let partitions = (0..).zip(&image.topics.get(name)?.partitions);
    let moving = partitions.filter(|(index, state)| state.is_reassigning() && asked(*index));
    let moving: Vec<_> = moving.map(|(index, state)| partition(index, state)).collect();
    let topic = OngoingTopicReassignment::default().with_name(wire::name(name));
    (!moving.is_empty()).then(|| topic.with_partitions(moving))
}

fn partition(index: i32, state: &PartitionImage) -> OngoingPartitionReassignment {
    OngoingPartitionReassignment::default()
        .with_partition_index(index)
        .with_replicas(wire::brokers(&state.replicas))
        .with_adding_replicas(wire::brokers(&state.adding))
        .with_removing_replicas(wire::brokers(&state.removing))
}
