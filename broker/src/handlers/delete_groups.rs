//! DeleteGroups (42): groups without members, with all their positions.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse, GroupId};

use super::groups::{any_group, code};
use crate::broker::Broker;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Text};
use crate::server::shape::{Shape, always};

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 2, fields: &[always(List(&Text))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DeleteGroupsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<DeleteGroupsRequest, _>(async move {
        let mut results = Vec::with_capacity(request.groups_names.len());
        for group in request.groups_names {
            let outcome = delete(&broker, &group).await;
            results.push(DeletableGroupResult::default().with_group_id(group).with_error_code(code(&outcome)));
        }
        DeleteGroupsResponse::default().with_results(results)
    })
}

async fn delete(broker: &Broker, group: &GroupId) -> Result<(), ResponseError> {
    let group = any_group(group)?;
    let done = broker.groups.act(group, |groups, _, out| groups.delete(group, out))?;
    broker.groups.safe(done).await
}
