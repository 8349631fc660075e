//! DescribeProducers (61): which producers a partition's leader remembers, and which have a transaction open (KIP-664).

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};

use super::wire;
use crate::broker::Broker;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{INT, Shape, always};

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 0, fields: &[always(Structs(&[always(Text), always(List(&INT))]))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DescribeProducersRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let topics = request.topics.into_iter().map(|topic| {
        let parts = topic.partition_indexes.iter().map(|index| part(broker, &topic.name, *index));
        let parts = parts.collect();
        TopicResponse::default().with_name(topic.name).with_partitions(parts)
    });
    let response = DescribeProducersResponse::default().with_topics(topics.collect());
    call.ready::<DescribeProducersRequest>(&response)
}

fn part(broker: &Broker, topic: &str, index: i32) -> PartitionResponse {
    let answer = PartitionResponse::default().with_partition_index(index);
    match producers(broker, topic, index) {
        Ok(producers) => answer.with_active_producers(producers),
        Err(error) => answer.with_error_code(error.code()).with_error_message(Some(wire::text(error.to_string()))),
    }
}

fn producers(broker: &Broker, topic: &str, index: i32) -> Result<Vec<ProducerState>, ResponseError> {
    let known = broker.partition(topic, index)?.producers().map_err(|error| broker.refusal(&error))?;
    let states = known.into_iter().map(|(id, producer)| {
        ProducerState::default()
            .with_producer_id(id.0.into())
            .with_producer_epoch(i32::from(producer.epoch))
            .with_last_sequence(producer.last_sequence())
            .with_last_timestamp(producer.timestamp_ms)
            .with_coordinator_epoch(producer.coordinator_epoch)
            .with_current_txn_start_offset(producer.transaction.map_or(-1, |first| first.0))
    });
    Ok(states.collect())
}
