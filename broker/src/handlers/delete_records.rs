//! DeleteRecords (21): the start of a log moves up (KIP-107).
//!
//! Answered when every living replica has moved its start, or the time is up. The new start is in the checkpoint before
//! anybody is told, so that it does not go back after a crash.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest};
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::wire;
use crate::broker::Broker;
use crate::ids::Offset;
use crate::partition::Partition;
use crate::partition::watchers::Interest;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{INT, LONG, Shape, always};

/// The high watermark, as an offset to delete before.
const HIGH_WATERMARK: i64 = -1;
const NO_LOW_WATERMARK: i64 = -1;

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 2,
    fields: &[always(Structs(&[always(Text), always(Structs(&[always(INT), always(LONG)]))])), always(INT)],
};

type Deleted = Result<(Arc<Partition>, Offset), ResponseError>;

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DeleteRecordsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<DeleteRecordsRequest, _>(async move {
        let deadline = Instant::now() + wire::millis(request.timeout_ms);
        let mut topics = Vec::new();
        for topic in request.topics {
            let deleted =
                topic.partitions.iter().map(|part| (part.partition_index, delete(&broker, &topic.name, part)));
            topics.push((topic.name.clone(), deleted.collect::<Vec<_>>()));
        }
        broker.checkpoint().await;
        let mut results = Vec::new();
        for (name, parts) in topics {
            let mut answers = Vec::new();
            for (index, deleted) in parts {
                answers.push(answer(index, settled(deleted, deadline).await));
            }
            results.push(DeleteRecordsTopicResult::default().with_name(name).with_partitions(answers));
        }
        DeleteRecordsResponse::default().with_topics(results)
    })
}

fn delete(broker: &Broker, topic: &str, part: &DeleteRecordsPartition) -> Deleted {
    let partition = broker.partition(topic, part.partition_index)?;
    let before = match part.offset {
        HIGH_WATERMARK => None,
        offset if offset < 0 => return Err(ResponseError::OffsetOutOfRange),
        offset => Some(Offset(offset)),
    };
    let start = partition.delete_records(before).map_err(|error| broker.refusal(&error))?;
    Ok((partition, start))
}

/// Waits until every living replica starts there; gives the low watermark.
async fn settled(deleted: Deleted, deadline: Instant) -> Result<Offset, ResponseError> {
    let (partition, start) = deleted?;
    let changed = Arc::new(Notify::new());
    let _watch = partition.watchers().watch(Interest::DeletedTo(start), &changed);
    loop {
        let low_watermark = partition.low_watermark().ok_or(ResponseError::NotLeaderOrFollower)?;
        if low_watermark >= start {
            return Ok(low_watermark);
        }
        timeout_at(deadline, changed.notified()).await.map_err(|_| ResponseError::RequestTimedOut)?;
    }
}

fn answer(index: i32, low_watermark: Result<Offset, ResponseError>) -> DeleteRecordsPartitionResult {
    let result = DeleteRecordsPartitionResult::default().with_partition_index(index);
    match low_watermark {
        Ok(offset) => result.with_low_watermark(offset.0),
        Err(error) => result.with_low_watermark(NO_LOW_WATERMARK).with_error_code(error.code()),
    }
}
