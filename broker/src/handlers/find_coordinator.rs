//! FindCoordinator (10): nobody coordinates yet; clients are told to come again.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use super::wire;
use crate::broker::Broker;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Text};
use crate::server::shape::{BYTE, Shape, since, until};

const MANY_SINCE: i16 = 4;

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 3, fields: &[until(3, Text), since(1, BYTE), since(4, List(&Text))] };

/// Answers a call.
pub fn handle(_: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<FindCoordinatorRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (error, nobody) = (ResponseError::CoordinatorNotAvailable.code(), wire::broker(None));
    let message = Some(wire::text("groups and transactions are not coordinated here"));
    let response = if call.version >= MANY_SINCE {
        let answers = request.coordinator_keys.into_iter().map(|key| {
            let answer = Coordinator::default().with_key(key).with_node_id(nobody).with_port(-1);
            answer.with_error_code(error).with_error_message(message.clone())
        });
        FindCoordinatorResponse::default().with_coordinators(answers.collect())
    } else {
        let answer = FindCoordinatorResponse::default().with_node_id(nobody).with_port(-1);
        answer.with_error_code(error).with_error_message(message)
    };
    call.ready::<FindCoordinatorRequest>(&response)
}
