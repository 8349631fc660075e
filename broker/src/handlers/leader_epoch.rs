//! OffsetForLeaderEpoch (23): where an epoch ended in the leader's log, for those who look for where logs part.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::wire;
use crate::broker::Broker;
use crate::ids::LeaderEpoch;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{INT, Shape, always, since};

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 4,
    fields: &[
        since(3, INT),
        always(Structs(&[always(Text), always(Structs(&[always(INT), since(2, INT), always(INT)]))])),
    ],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<OffsetForLeaderEpochRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<OffsetForLeaderEpochRequest, _>(async move {
        let topics = request.topics.into_iter().map(|topic| {
            let parts = topic.partitions.iter().map(|part| answer(&broker, &topic.topic, part));
            let parts = parts.collect();
            OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(parts)
        });
        OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
    })
}

fn answer(broker: &Broker, topic: &str, part: &OffsetForLeaderPartition) -> EpochEndOffset {
    let answer = EpochEndOffset::default().with_partition(part.partition);
    let found = broker.partition(topic, part.partition).and_then(|partition| {
        let (asked, epoch) = (wire::epoch(part.current_leader_epoch), LeaderEpoch(part.leader_epoch));
        partition.end_of_epoch(asked, epoch).map_err(|error| broker.refusal(&error))
    });
    match found {
        Ok(Some((epoch, end))) => answer.with_leader_epoch(epoch.0).with_end_offset(end.0),
        Ok(None) => answer.with_leader_epoch(-1).with_end_offset(-1),
        Err(error) => unknown(answer, error),
    }
}

fn unknown(answer: EpochEndOffset, error: ResponseError) -> EpochEndOffset {
    answer.with_error_code(error.code()).with_leader_epoch(-1).with_end_offset(-1)
}
