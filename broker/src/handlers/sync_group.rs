//! SyncGroup (14): held until the leader has shared out the work and that is replicated.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::groups::member_group;
use super::wire;
use crate::broker::Broker;
use crate::groups::{Answer, Sync, Synced};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Blob, Structs, Text};
use crate::server::shape::{INT, Shape, always, since};

const PROTOCOL_SINCE: i16 = 5;

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 4,
    fields: &[
        always(Text),
        always(INT),
        always(Text),
        since(3, Text),
        since(5, Text),
        since(5, Text),
        always(Structs(&[always(Text), always(Blob)])),
    ],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<SyncGroupRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let version = call.version;
    let group = match member_group(&request.group_id) {
        Ok(group) => group.to_owned(),
        Err(error) => return call.ready::<SyncGroupRequest>(&refused(error)),
    };
    let sync = understand(request);
    let asked = broker.groups.ask(&group, |groups, waiter, now, out| groups.sync(&group, sync, (waiter, now), out));
    call.later::<SyncGroupRequest, _>(async move {
        match asked.await {
            Ok(Answer::Sync(Ok(synced))) => accepted(synced, version),
            Ok(Answer::Sync(Err(error))) => refused(error),
            // The rebalance is lost with the coordinator that knew of it; the member is to join again here.
            Err(ResponseError::CoordinatorLoadInProgress) => refused(ResponseError::RebalanceInProgress),
            Err(error) => refused(error),
            Ok(Answer::Join(_)) => refused(ResponseError::UnknownServerError),
        }
    })
}

fn understand(request: SyncGroupRequest) -> Sync {
    let shares = request.assignments.into_iter().map(|share| (share.member_id.to_string(), share.assignment));
    let text = |text: kafka_protocol::protocol::StrBytes| text.to_string();
    Sync {
        member: request.member_id.to_string(),
        instance: request.group_instance_id.map(text),
        generation: request.generation_id,
        protocol_type: request.protocol_type.map(text),
        protocol: request.protocol_name.map(text),
        shares: shares.collect(),
    }
}

fn accepted(synced: Synced, version: i16) -> SyncGroupResponse {
    let answer = SyncGroupResponse::default().with_assignment(synced.assignment);
    if version < PROTOCOL_SINCE {
        return answer;
    }
    answer.with_protocol_type(synced.protocol_type.map(wire::text)).with_protocol_name(synced.protocol.map(wire::text))
}

fn refused(error: ResponseError) -> SyncGroupResponse {
    SyncGroupResponse::default().with_error_code(error.code())
}
