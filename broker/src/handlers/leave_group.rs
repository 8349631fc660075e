//! LeaveGroup (13): members go, one or from version 3 many.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::groups::{code, member_group};
use super::wire;
use crate::broker::Broker;
use crate::groups::Leaver;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{Shape, always, since, until};

const MANY_SINCE: i16 = 3;

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 4,
    fields: &[always(Text), until(2, Text), since(3, Structs(&[always(Text), always(Text), since(5, Text)]))],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<LeaveGroupRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let many = call.version >= MANY_SINCE;
    let leavers: Vec<Leaver> = if many {
        let members = request.members.iter();
        members
            .map(|member| Leaver {
                member: member.member_id.to_string(),
                instance: member.group_instance_id.as_ref().map(ToString::to_string),
            })
            .collect()
    } else {
        vec![Leaver { member: request.member_id.to_string(), instance: None }]
    };
    let outcomes = member_group(&request.group_id).and_then(|group| leave(broker, group, &leavers));
    call.ready::<LeaveGroupRequest>(&response(leavers, outcomes, many))
}

type Outcomes = Vec<Result<(), ResponseError>>;

fn leave(broker: &Broker, group: &str, leavers: &[Leaver]) -> Result<Outcomes, ResponseError> {
    let done = broker.groups.act(group, |groups, now, out| {
        Ok(leavers.iter().map(|leaver| groups.leave(group, leaver, now, out)).collect())
    })?;
    Ok(done.at_once())
}

fn response(leavers: Vec<Leaver>, outcomes: Result<Outcomes, ResponseError>, many: bool) -> LeaveGroupResponse {
    let outcomes = match outcomes {
        Ok(outcomes) => outcomes,
        Err(error) => return LeaveGroupResponse::default().with_error_code(error.code()),
    };
    if !many {
        return LeaveGroupResponse::default().with_error_code(outcomes.first().map_or(0, code));
    }
    let members = leavers.into_iter().zip(outcomes).map(|(leaver, outcome)| {
        MemberResponse::default()
            .with_member_id(wire::text(leaver.member))
            .with_group_instance_id(leaver.instance.map(wire::text))
            .with_error_code(code(&outcome))
    });
    LeaveGroupResponse::default().with_members(members.collect())
}
