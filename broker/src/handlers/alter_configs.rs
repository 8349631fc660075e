//! AlterConfigs (33): the configs named and no others. Older than IncrementalAlterConfigs and still what many tools use.

use std::sync::Arc;

use kafka_protocol::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use kafka_protocol::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};

use super::configs::{self, Asked};
use super::wire;
use crate::broker::Broker;
use crate::metadata::rpc::ConfigEdit;
use crate::metadata::{Configs, ControllerError};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{BYTE, Field, Shape, always};

const RESOURCE: &[Field] = &[always(BYTE), always(Text), always(Structs(&[always(Text), always(Text)]))];
/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 2, fields: &[always(Structs(RESOURCE)), always(BYTE)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<AlterConfigsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<AlterConfigsRequest, _>(async move {
        let asked: Vec<Asked> = request.resources.into_iter().map(understand).collect();
        let answers = configs::alter(&broker, &asked, request.validate_only).await;
        let responses = asked.into_iter().zip(answers).map(|(asked, answer)| {
            let (code, message) = wire::controller_error(&answer);
            let response = AlterConfigsResourceResponse::default().with_error_code(code).with_error_message(message);
            response.with_resource_type(asked.kind).with_resource_name(asked.name)
        });
        AlterConfigsResponse::default().with_responses(responses.collect())
    })
}

fn understand(resource: AlterConfigsResource) -> Asked {
    let config = |(name, value): (String, Option<String>)| {
        let value = value.ok_or_else(|| configs::invalid(format!("{name} has no value")))?;
        Ok((name, value))
    };
    let configs = resource.configs.into_iter().map(|one| (one.name.to_string(), one.value.map(|v| v.to_string())));
    let edit: Result<Configs, ControllerError> = configs.map(config).collect();
    Asked { kind: resource.resource_type, name: resource.resource_name, edit: edit.map(ConfigEdit::Replace) }
}
