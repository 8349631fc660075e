//! ListGroups (16): the groups that are coordinated here, by state and type if asked.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use super::wire;
use crate::broker::Broker;
use crate::groups::Listed;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Text};
use crate::server::shape::{Shape, since};

/// The only type there is here; KIP-848 brings others.
const TYPE: &str = "classic";

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 3, fields: &[since(4, List(&Text)), since(5, List(&Text))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<ListGroupsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let response = match list(broker) {
        Ok(groups) => ListGroupsResponse::default().with_groups(
            groups
                .into_iter()
                .filter(|group| named(&request.states_filter, group.state) && named(&request.types_filter, TYPE))
                .map(listed)
                .collect(),
        ),
        Err(error) => ListGroupsResponse::default().with_error_code(error.code()),
    };
    call.ready::<ListGroupsRequest>(&response)
}

fn list(broker: &Broker) -> Result<Vec<Listed>, ResponseError> {
    let mut all = Vec::new();
    for shard in broker.groups.coordinator().shards() {
        let listed = broker.groups.act_in(&shard, None, |groups, _, _| Ok(groups.list().collect::<Vec<_>>()))?;
        all.append(&mut listed.at_once());
    }
    Ok(all)
}

fn named(filter: &[StrBytes], name: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
}

fn listed(group: Listed) -> ListedGroup {
    ListedGroup::default()
        .with_group_id(wire::text(group.name).into())
        .with_protocol_type(wire::text(group.protocol_type))
        .with_group_state(wire::text(group.state))
        .with_group_type(wire::text(TYPE))
}
