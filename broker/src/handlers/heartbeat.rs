//! Heartbeat (12): a member says that it is there and hears whether it is to join again.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::groups::{code, member_group};
use crate::broker::Broker;
use crate::groups::Leaver;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::Text;
use crate::server::shape::{INT, Shape, always, since};

/// The body of a request.
pub const SHAPE: Shape =
    Shape { flexible_since: 4, fields: &[always(Text), always(INT), always(Text), since(3, Text)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<HeartbeatRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let outcome = match member_group(&request.group_id).and_then(|group| beat(broker, group, &request)) {
        // The sessions of a group that is being loaded have not begun.
        Err(ResponseError::CoordinatorLoadInProgress) => Ok(()),
        outcome => outcome,
    };
    call.ready::<HeartbeatRequest>(&HeartbeatResponse::default().with_error_code(code(&outcome)))
}

fn beat(broker: &Broker, group: &str, request: &HeartbeatRequest) -> Result<(), ResponseError> {
    let who = Leaver {
        member: request.member_id.to_string(),
        instance: request.group_instance_id.as_ref().map(ToString::to_string),
    };
    let generation = request.generation_id;
    broker.groups.act(group, |groups, now, _| groups.heartbeat(group, &who, generation, now)).map(drop)
}
