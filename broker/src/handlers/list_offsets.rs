//! ListOffsets (2): end (-1), start (-2), largest timestamp (-3), and the first record not older than a time.
//!
//! -4 (earliest local, KIP-405) is the start, since every log is local; -5 (latest tiered) never exists.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::wire;
use crate::broker::Broker;
use crate::partition::{FoundOffset, Target};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{BYTE, INT, LONG, Shape, always, since};

const LEADER_EPOCH_SINCE: i16 = 4;
const OFFSET_NOT_AVAILABLE_SINCE: i16 = 5;

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 6,
    fields: &[
        always(INT),
        since(2, BYTE),
        always(Structs(&[always(Text), always(Structs(&[always(INT), since(4, INT), always(LONG)]))])),
    ],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<ListOffsetsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (broker, version) = (broker.clone(), call.version);
    call.later::<ListOffsetsRequest, _>(async move { response(&broker, request, version) })
}

fn response(broker: &Broker, request: ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    let (replica, committed) = (request.replica_id.0 >= 0, request.isolation_level == 1);
    let topics = request.topics.into_iter().map(|topic| {
        let parts = topic.partitions.iter().map(|part| {
            let target = target(part.timestamp, replica, committed);
            let found = target.map_or(Ok(None), |target| find(broker, &topic.name, part, target));
            answer(part.partition_index, found, version)
        });
        let parts = parts.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(parts)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn target(timestamp: i64, replica: bool, committed: bool) -> Option<Target> {
    match timestamp {
        -1 if replica => Some(Target::LogEnd),
        -1 => Some(Target::Latest { committed }),
        -2 | -4 => Some(Target::Earliest),
        -3 => Some(Target::MaxTimestamp { committed }),
        0.. => Some(Target::Timestamp { timestamp_ms: timestamp, committed }),
        _ => None,
    }
}

fn find(
    broker: &Broker,
    topic: &str,
    part: &ListOffsetsPartition,
    target: Target,
) -> Result<Option<FoundOffset>, ResponseError> {
    let partition = broker.partition(topic, part.partition_index)?;
    partition.find(target, wire::epoch(part.current_leader_epoch)).map_err(|error| broker.refusal(&error))
}

fn answer(index: i32, found: Result<Option<FoundOffset>, ResponseError>, version: i16) -> ListOffsetsPartitionResponse {
    let answer = ListOffsetsPartitionResponse::default().with_partition_index(index);
    let nothing = answer.clone().with_timestamp(-1).with_offset(-1).with_leader_epoch(-1);
    match found {
        Ok(Some(found)) => answer
            .with_timestamp(found.timestamp_ms)
            .with_offset(found.offset.0)
            .with_leader_epoch(wire::epoch_number(found.epoch.filter(|_| version >= LEADER_EPOCH_SINCE))),
        Ok(None) => nothing,
        Err(ResponseError::OffsetNotAvailable) if version < OFFSET_NOT_AVAILABLE_SINCE => {
            nothing.with_error_code(ResponseError::LeaderNotAvailable.code())
        }
        Err(error) => nothing.with_error_code(error.code()),
    }
}
