//! Small translations between the codec's types and ours, needed by more than one API.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::ids::{LeaderEpoch, NodeId};
use crate::metadata::ControllerError;

/// Text for the wire.
pub fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// A topic's name for the wire.
pub fn name(topic: impl Into<String>) -> TopicName {
    TopicName(text(topic))
}

/// A broker for the wire; nobody is -1.
pub fn broker(id: Option<NodeId>) -> BrokerId {
    BrokerId(id.map_or(-1, |id| id.0))
}

/// Brokers for the wire.
pub fn brokers(ids: &[NodeId]) -> Vec<BrokerId> {
    ids.iter().map(|id| BrokerId(id.0)).collect()
}

/// An epoch off the wire, where -1 is none.
pub fn epoch(epoch: i32) -> Option<LeaderEpoch> {
    (epoch >= 0).then_some(LeaderEpoch(epoch))
}

/// An epoch for the wire.
pub fn epoch_number(epoch: Option<LeaderEpoch>) -> i32 {
    epoch.map_or(-1, |epoch| epoch.0)
}

/// A controller's answer for the wire: number and message.
pub fn controller_error<T>(answer: &Result<T, ControllerError>) -> (i16, Option<StrBytes>) {
    match answer {
        Ok(_) => (0, None),
        Err(error) => (error.kafka_code(), Some(text(error.to_string()))),
    }
}

/// Milliseconds off the wire; a negative number is none at all.
pub fn millis(ms: i32) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// PRODUCER_FENCED for clients that know it; the others are told of their epoch.
pub fn fenced(error: ResponseError, known: bool) -> ResponseError {
    match error {
        ResponseError::ProducerFenced if !known => ResponseError::InvalidProducerEpoch,
        other => other,
    }
}
