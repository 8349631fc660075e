//! OffsetFetch (9): positions of a group, or from version 8 of many.
//!
//! What is told is replicated: an answer waits until the log is, up to the newest record it could have been read from.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use kafka_protocol::protocol::StrBytes;

use super::groups::any_group;
use super::wire;
use crate::broker::Broker;
use crate::groups::{Groups, OffsetValue};
use crate::ids::TopicPartition;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{BYTE, Field, INT, Shape, always, since, until};

const GROUP_ERROR_SINCE: i16 = 2;
const MANY_SINCE: i16 = 8;

const TOPICS: &[Field] = &[always(Text), always(List(&INT))];
/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 6,
    fields: &[
        until(7, Text),
        until(7, Structs(TOPICS)),
        since(8, Structs(&[always(Text), always(Structs(TOPICS))])),
        since(7, BYTE),
    ],
};

/// The partitions of a group that are asked for, by topic; all if there is no list.
struct Wanted {
    group: StrBytes,
    topics: Option<Vec<(StrBytes, Vec<i32>)>>,
}

type Position = (i32, Result<Option<OffsetValue>, ResponseError>);
type Positions = Vec<(StrBytes, Vec<Position>)>;

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<OffsetFetchRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (broker, version, stable) = (broker.clone(), call.version, request.require_stable);
    let wanted = understand(request, version);
    call.later::<OffsetFetchRequest, _>(async move {
        let mut answers = Vec::with_capacity(wanted.len());
        for one in wanted {
            let found = fetch(&broker, &one, stable).await;
            answers.push((one, found));
        }
        if version >= MANY_SINCE { many(answers) } else { single(answers, version) }
    })
}

fn understand(request: OffsetFetchRequest, version: i16) -> Vec<Wanted> {
    if version >= MANY_SINCE {
        let groups = request.groups.into_iter().map(|one| {
            let topics =
                one.topics.map(|topics| topics.into_iter().map(|of| (of.name.0, of.partition_indexes)).collect());
            Wanted { group: one.group_id.0, topics }
        });
        return groups.collect();
    }
    let topics = request.topics.map(|topics| topics.into_iter().map(|of| (of.name.0, of.partition_indexes)).collect());
    vec![Wanted { group: request.group_id.0, topics }]
}

async fn fetch(broker: &Broker, wanted: &Wanted, stable: bool) -> Result<Positions, ResponseError> {
    let group = any_group(&wanted.group)?;
    let done = broker.groups.act(group, |groups, _, _| Ok(positions(groups, group, wanted, stable)))?;
    broker.groups.safe(done).await
}

fn positions(groups: &Groups, group: &str, wanted: &Wanted, stable: bool) -> Positions {
    let topics = wanted.topics.clone().unwrap_or_else(|| all(groups, group));
    let look = |topic: &StrBytes, index| {
        let partition = TopicPartition { topic: topic.to_string(), index };
        (index, groups.position(group, &partition, stable))
    };
    let found = topics.into_iter().map(|(topic, indexes)| {
        let positions = indexes.into_iter().map(|index| look(&topic, index)).collect();
        (topic, positions)
    });
    found.collect()
}

fn all(groups: &Groups, group: &str) -> Vec<(StrBytes, Vec<i32>)> {
    let mut topics: Vec<(StrBytes, Vec<i32>)> = Vec::new();
    for TopicPartition { topic, index } in groups.partitions(group) {
        match topics.last_mut().filter(|(name, _)| **name == *topic) {
            Some((_, indexes)) => indexes.push(index),
            None => topics.push((wire::text(topic), vec![index])),
        }
    }
    topics
}

/// Offset, leader epoch, metadata and error as they go out.
fn fields(position: Result<Option<OffsetValue>, ResponseError>) -> (i64, i32, Option<StrBytes>, i16) {
    match position {
        Ok(Some(value)) => (value.offset, value.leader_epoch, Some(wire::text(value.metadata)), 0),
        Ok(None) => (-1, -1, Some(wire::text("")), 0),
        Err(error) => (-1, -1, Some(wire::text("")), error.code()),
    }
}

fn many(answers: Vec<(Wanted, Result<Positions, ResponseError>)>) -> OffsetFetchResponse {
    let groups = answers.into_iter().map(|(wanted, found)| {
        let answer = OffsetFetchResponseGroup::default().with_group_id(wanted.group.into());
        let topics = match found {
            Ok(topics) => topics,
            Err(error) => return answer.with_error_code(error.code()),
        };
        let topics = topics.into_iter().map(|(topic, positions)| {
            let parts = positions.into_iter().map(|(index, position)| {
                let (offset, epoch, metadata, error) = fields(position);
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(index)
                    .with_committed_offset(offset)
                    .with_committed_leader_epoch(epoch)
                    .with_metadata(metadata)
                    .with_error_code(error)
            });
            OffsetFetchResponseTopics::default().with_name(topic.into()).with_partitions(parts.collect())
        });
        answer.with_topics(topics.collect())
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}

/// Version 1 has no place for the group's own error: every partition says it.
fn single(answers: Vec<(Wanted, Result<Positions, ResponseError>)>, version: i16) -> OffsetFetchResponse {
    let mut error_code = 0;
    let mut topics = Vec::new();
    for (wanted, found) in answers {
        let found = found.unwrap_or_else(|error| {
            error_code = error.code();
            let topics = wanted.topics.unwrap_or_default().into_iter();
            topics.map(|(topic, all)| (topic, all.into_iter().map(|index| (index, Err(error))).collect())).collect()
        });
        topics.extend(found.into_iter().map(|(topic, positions)| {
            let parts = positions.into_iter().map(|(index, position)| {
                let (offset, epoch, metadata, error) = fields(position);
                OffsetFetchResponsePartition::default()
                    .with_partition_index(index)
                    .with_committed_offset(offset)
                    .with_committed_leader_epoch(epoch)
                    .with_metadata(metadata)
                    .with_error_code(error)
            });
            OffsetFetchResponseTopic::default().with_name(topic.into()).with_partitions(parts.collect())
        }));
    }
    let answer = OffsetFetchResponse::default().with_topics(topics);
    if version >= GROUP_ERROR_SINCE { answer.with_error_code(error_code) } else { answer }
}
