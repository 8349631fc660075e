//! FindCoordinator (10): who coordinates a group (key type 0) or a transactional id (1): the leader of the partition its
//! state is kept in.
//!
//! The first question about either kind creates its internal topic. While nobody leads the partition, or the topic could
//! not be created yet, the client is told to come again.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::wire;
use crate::broker::Broker;
use crate::coordinator::topic;
use crate::metadata::{BrokerImage, ClusterImage};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Text};
use crate::server::shape::{BYTE, Shape, since, until};

const MANY_SINCE: i16 = 4;
const KEYS_MAX: usize = 10_000;

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 3, fields: &[until(3, Text), since(1, BYTE), since(4, List(&Text))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<FindCoordinatorRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (broker, many) = (broker.clone(), call.version >= MANY_SINCE);
    call.later::<FindCoordinatorRequest, _>(async move {
        let kept_in = match request.key_type {
            0 => Ok(topic::OFFSETS),
            1 => Ok(topic::TRANSACTIONS),
            _ => Err(ResponseError::InvalidRequest),
        };
        if let Ok(topic) = kept_in {
            topic::ensure(&broker, topic).await;
        }
        let image = broker.image();
        let answer = |key: StrBytes| answer(&image, kept_in, key);
        if many {
            let answers = request.coordinator_keys.into_iter().take(KEYS_MAX).map(answer);
            return FindCoordinatorResponse::default().with_coordinators(answers.collect());
        }
        let one = answer(request.key);
        FindCoordinatorResponse::default()
            .with_error_code(one.error_code)
            .with_error_message(one.error_message)
            .with_node_id(one.node_id)
            .with_host(one.host)
            .with_port(one.port)
    })
}

fn answer(image: &ClusterImage, kept_in: Result<&str, ResponseError>, key: StrBytes) -> Coordinator {
    match kept_in.and_then(|topic| coordinator(image, topic, &key)) {
        Ok(known) => Coordinator::default()
            .with_key(key)
            .with_node_id(wire::broker(Some(known.id)))
            .with_host(wire::text(&known.host))
            .with_port(i32::from(known.port))
            .with_error_message(Some(StrBytes::default())),
        Err(error) => Coordinator::default()
            .with_key(key)
            .with_node_id(wire::broker(None))
            .with_port(-1)
            .with_error_code(error.code())
            .with_error_message(Some(wire::text(error.to_string()))),
    }
}

fn coordinator<'a>(image: &'a ClusterImage, topic: &str, key: &str) -> Result<&'a BrokerImage, ResponseError> {
    let leader = topic::index_of(image, topic, key)
        .and_then(|index| image.partition(topic, index)?.leader)
        .and_then(|leader| image.brokers.get(&leader));
    leader.filter(|leader| !leader.fenced).ok_or(ResponseError::CoordinatorNotAvailable)
}
