//! DescribeGroups (15): state and members of groups that are coordinated here; one that does not exist is Dead.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};

use super::groups::any_group;
use super::wire;
use crate::broker::Broker;
use crate::groups::{Described, DescribedMember};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Text};
use crate::server::shape::{BYTE, Shape, always, since};

const NO_OPERATIONS: i32 = i32::MIN;

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 5, fields: &[always(List(&Text)), since(3, BYTE)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DescribeGroupsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let groups = request.groups.into_iter().map(|group| {
        let described = describe(broker, &group);
        answer(group, described)
    });
    call.ready::<DescribeGroupsRequest>(&DescribeGroupsResponse::default().with_groups(groups.collect()))
}

fn describe(broker: &Broker, group: &GroupId) -> Result<Option<Described>, ResponseError> {
    let group = any_group(group)?;
    Ok(broker.groups.act(group, |groups, _, _| Ok(groups.describe(group)))?.at_once())
}

fn answer(group: GroupId, described: Result<Option<Described>, ResponseError>) -> DescribedGroup {
    let answer = DescribedGroup::default().with_group_id(group).with_authorized_operations(NO_OPERATIONS);
    match described {
        Err(error) => answer.with_error_code(error.code()),
        Ok(None) => answer.with_group_state(wire::text("Dead")),
        Ok(Some(described)) => answer
            .with_group_state(wire::text(described.state))
            .with_protocol_type(wire::text(described.protocol_type))
            .with_protocol_data(wire::text(described.protocol))
            .with_members(described.members.into_iter().map(member).collect()),
    }
}

fn member(member: DescribedMember) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(wire::text(member.id))
        .with_group_instance_id(member.instance.map(wire::text))
        .with_client_id(wire::text(member.client))
        .with_client_host(wire::text(member.host))
        .with_member_metadata(member.metadata)
        .with_member_assignment(member.assignment)
}
