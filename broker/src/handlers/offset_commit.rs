//! OffsetCommit (8): positions of a group, answered when they are replicated.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::groups::{PositionCheck, any_group};
use crate::broker::Broker;
use crate::clock;
use crate::groups::desk::Done;
use crate::groups::{Committer, Leaver, OffsetValue, Record};
use crate::ids::TopicPartition;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{INT, LONG, Shape, always, between, since};

const RETENTION_UNTIL: i16 = 4;

const PARTITION: &[crate::server::shape::Field] = &[always(INT), always(LONG), since(6, INT), always(Text)];
/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 8,
    fields: &[
        always(Text),
        always(INT),
        always(Text),
        since(7, Text),
        between(2, RETENTION_UNTIL, LONG),
        always(Structs(&[always(Text), always(Structs(PARTITION))])),
    ],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<OffsetCommitRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let retention_ms = Some(request.retention_time_ms).filter(|ms| call.version <= RETENTION_UNTIL && *ms >= 0);
    let refusals = refusals(broker, &request);
    let stored = store(broker, &request, retention_ms, &refusals);
    let broker = broker.clone();
    call.later::<OffsetCommitRequest, _>(async move {
        let stored = match stored {
            Ok(Some(done)) => broker.groups.safe(done).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        response(&request, &refusals, stored)
    })
}

/// Why each partition is refused by itself, in the order of the request.
fn refusals(broker: &Broker, request: &OffsetCommitRequest) -> Vec<Option<ResponseError>> {
    let check = PositionCheck::of(broker);
    let parts = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |part| (topic, part)));
    parts
        .map(|(topic, part)| check.refusal(&topic.name, part.partition_index, part.committed_metadata.as_ref()))
        .collect()
}

fn store(
    broker: &Broker,
    request: &OffsetCommitRequest,
    retention_ms: Option<i64>,
    refusals: &[Option<ResponseError>],
) -> Result<Option<Done<()>>, ResponseError> {
    let group = any_group(&request.group_id)?;
    let by = Committer {
        who: Leaver {
            member: request.member_id.to_string(),
            instance: request.group_instance_id.as_ref().map(ToString::to_string),
        },
        generation: request.generation_id_or_member_epoch,
    };
    let now_ms = clock::wall_ms();
    let parts = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |part| (topic, part)));
    let taken = parts.zip(refusals).filter(|(_, refusal)| refusal.is_none());
    let records: Vec<Record> = taken
        .map(|((topic, part), _)| {
            let partition = TopicPartition { topic: topic.name.to_string(), index: part.partition_index };
            Record::Offset(group.to_owned(), partition, value(part, now_ms, retention_ms))
        })
        .collect();
    let done = broker.groups.act(group, |groups, now, out| {
        groups.may_commit(group, &by, false, now)?;
        out.records = records;
        Ok(())
    });
    done.map(|done| Some(done).filter(|_| refusals.iter().any(Option::is_none)))
}

fn value(part: &OffsetCommitRequestPartition, now_ms: i64, retention_ms: Option<i64>) -> OffsetValue {
    OffsetValue {
        offset: part.committed_offset,
        leader_epoch: part.committed_leader_epoch.max(-1),
        metadata: part.committed_metadata.as_ref().map(ToString::to_string).unwrap_or_default(),
        committed_ms: now_ms,
        expires_ms: retention_ms.map(|ms| now_ms.saturating_add(ms)),
    }
}

fn response(
    request: &OffsetCommitRequest,
    refusals: &[Option<ResponseError>],
    stored: Result<(), ResponseError>,
) -> OffsetCommitResponse {
    let mut refusals = refusals.iter();
    let topics = request.topics.iter().map(|topic| {
        let parts = topic.partitions.iter().map(|part| {
            let error = stored.err().or(refusals.next().copied().flatten());
            let answer = OffsetCommitResponsePartition::default().with_partition_index(part.partition_index);
            answer.with_error_code(error.map_or(0, |error| error.code()))
        });
        let parts = parts.collect();
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(parts)
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}
