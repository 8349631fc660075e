//! JoinGroup (11): held until the members of the next generation are known.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use uuid::Uuid;

use super::groups::member_group;
use super::wire;
use crate::broker::Broker;
use crate::groups::{Answer, Identity, Join, Joined, Manners, NotJoined, Offer, Protocol};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Blob, Structs, Text};
use crate::server::shape::{INT, Shape, always, since};

const REBALANCE_TIMEOUT_SINCE: i16 = 1;
const TAKES_ID_SINCE: i16 = 4;
const PROTOCOL_NULLABLE_SINCE: i16 = 7;
const SKIPS_ASSIGNMENT_SINCE: i16 = 9;

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 6,
    fields: &[
        always(Text),
        always(INT),
        since(1, INT),
        always(Text),
        since(5, Text),
        always(Text),
        always(Structs(&[always(Text), always(Blob)])),
        since(8, Text),
    ],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<JoinGroupRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let version = call.version;
    let group = match member_group(&request.group_id) {
        Ok(group) => group.to_owned(),
        Err(error) => return call.ready::<JoinGroupRequest>(&refused(&no(error, &request.member_id), version)),
    };
    let (join, member) = (understand(&request, &call), request.member_id.to_string());
    let asked = broker.groups.ask(&group, |groups, waiter, now, out| groups.join(&group, join, (waiter, now), out));
    call.later::<JoinGroupRequest, _>(async move {
        match asked.await {
            Ok(Answer::Join(Ok(joined))) => accepted(joined, version),
            Ok(Answer::Join(Err(why))) => refused(&why, version),
            Ok(Answer::Sync(_)) => refused(&no(ResponseError::UnknownServerError, &member), version),
            Err(error) => refused(&no(error, &member), version),
        }
    })
}

fn understand(request: &JoinGroupRequest, call: &Call) -> Join {
    let instance = request.group_instance_id.as_ref().map(ToString::to_string);
    let ms = |ms: i32| u64::try_from(ms).unwrap_or(0);
    let rebalance_ms =
        if call.version >= REBALANCE_TIMEOUT_SINCE { request.rebalance_timeout_ms } else { request.session_timeout_ms };
    let protocols = request
        .protocols
        .iter()
        .map(|protocol| Protocol { name: protocol.name.to_string(), metadata: protocol.metadata.clone() });
    Join {
        member: request.member_id.to_string(),
        who: Identity {
            id: format!("{}-{}", instance.as_deref().unwrap_or(&call.client), Uuid::new_v4()),
            instance,
            client: call.client.clone(),
            host: call.peer.map(|peer| format!("/{peer}")).unwrap_or_default(),
        },
        offer: Offer {
            rebalance_timeout_ms: ms(rebalance_ms),
            session_timeout_ms: ms(request.session_timeout_ms),
            protocols: protocols.collect(),
        },
        protocol_type: request.protocol_type.to_string(),
        manners: match call.version {
            SKIPS_ASSIGNMENT_SINCE.. => Manners::SkipsAssignment,
            TAKES_ID_SINCE.. => Manners::TakesId,
            _ => Manners::Old,
        },
    }
}

fn accepted(joined: Joined, version: i16) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|peer| {
        JoinGroupResponseMember::default()
            .with_member_id(wire::text(peer.id))
            .with_group_instance_id(peer.instance.map(wire::text))
            .with_metadata(peer.metadata)
    });
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.map(wire::text).filter(|_| version >= PROTOCOL_NULLABLE_SINCE))
        .with_protocol_name(Some(wire::text(joined.protocol.unwrap_or_default())))
        .with_leader(wire::text(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(wire::text(joined.member))
        .with_members(members.collect())
}

fn no(error: ResponseError, member: &str) -> NotJoined {
    NotJoined { error, member: member.to_owned() }
}

fn refused(why: &NotJoined, version: i16) -> JoinGroupResponse {
    let protocol = if version >= PROTOCOL_NULLABLE_SINCE { None } else { Some(wire::text("")) };
    JoinGroupResponse::default()
        .with_error_code(why.error.code())
        .with_generation_id(-1)
        .with_protocol_name(protocol)
        .with_member_id(wire::text(why.member.clone()))
}
