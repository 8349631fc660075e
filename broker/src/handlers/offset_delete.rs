//! OffsetDelete (47): single positions of a group, as long as no member reads from them.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::groups::{any_group, code};
use crate::broker::Broker;
use crate::groups::desk::Done;
use crate::ids::TopicPartition;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{INT, Shape, always};

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: i16::MAX,
    fields: &[always(Text), always(Structs(&[always(Text), always(Structs(&[always(INT)]))]))],
};

type Outcomes = Vec<Result<(), ResponseError>>;

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<OffsetDeleteRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<OffsetDeleteRequest, _>(async move {
        let outcomes = match delete(&broker, &request) {
            Ok(done) => broker.groups.safe(done).await,
            Err(error) => Err(error),
        };
        match outcomes {
            Ok(outcomes) => response(request, outcomes),
            Err(error) => OffsetDeleteResponse::default().with_error_code(error.code()),
        }
    })
}

fn delete(broker: &Broker, request: &OffsetDeleteRequest) -> Result<Done<Outcomes>, ResponseError> {
    let group = any_group(&request.group_id)?;
    let image = broker.image();
    let partitions = request.topics.iter().flat_map(|topic| {
        let of = |index| TopicPartition { topic: topic.name.to_string(), index };
        topic.partitions.iter().map(move |part| of(part.partition_index))
    });
    broker.groups.act(group, |groups, _, out| {
        if !groups.knows(group) {
            return Err(ResponseError::GroupIdNotFound);
        }
        let outcomes = partitions.map(|partition| match image.partition(&partition.topic, partition.index) {
            Some(_) => groups.delete_position(group, &partition, out),
            None => Err(ResponseError::UnknownTopicOrPartition),
        });
        let outcomes: Outcomes = outcomes.collect();
        let all_refused = outcomes.iter().all(|outcome| *outcome == Err(ResponseError::NonEmptyGroup));
        if all_refused && !outcomes.is_empty() { Err(ResponseError::NonEmptyGroup) } else { Ok(outcomes) }
    })
}

fn response(request: OffsetDeleteRequest, outcomes: Outcomes) -> OffsetDeleteResponse {
    let mut outcomes = outcomes.iter();
    let topics = request.topics.into_iter().map(|topic| {
        let parts = topic.partitions.iter().map(|part| {
            let answer = OffsetDeleteResponsePartition::default().with_partition_index(part.partition_index);
            answer.with_error_code(outcomes.next().map_or(0, code))
        });
        let parts = parts.collect();
        OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(parts)
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}
