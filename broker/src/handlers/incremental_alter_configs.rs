//! IncrementalAlterConfigs (44): set, delete, append to and subtract from single configs (KIP-339).

use std::sync::Arc;

use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use kafka_protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};

use super::configs::{self, Asked};
use super::wire;
use crate::broker::Broker;
use crate::metadata::ControllerError;
use crate::metadata::rpc::{ConfigEdit, ConfigOp};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{BYTE, Field, Shape, always};

const CONFIG: &[Field] = &[always(Text), always(BYTE), always(Text)];
const RESOURCE: &[Field] = &[always(BYTE), always(Text), always(Structs(CONFIG))];
/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 1, fields: &[always(Structs(RESOURCE)), always(BYTE)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<IncrementalAlterConfigsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<IncrementalAlterConfigsRequest, _>(async move {
        let asked: Vec<Asked> = request.resources.into_iter().map(understand).collect();
        let answers = configs::alter(&broker, &asked, request.validate_only).await;
        let responses = asked.into_iter().zip(answers).map(|(asked, answer)| {
            let (code, message) = wire::controller_error(&answer);
            let response = AlterConfigsResourceResponse::default().with_error_code(code).with_error_message(message);
            response.with_resource_type(asked.kind).with_resource_name(asked.name)
        });
        IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
    })
}

fn understand(resource: AlterConfigsResource) -> Asked {
    let steps: Result<Vec<_>, ControllerError> = resource.configs.into_iter().map(step).collect();
    Asked { kind: resource.resource_type, name: resource.resource_name, edit: steps.map(ConfigEdit::Incremental) }
}

fn step(config: AlterableConfig) -> Result<(String, ConfigOp), ControllerError> {
    let name = config.name.to_string();
    let value = || {
        let value = config.value.as_ref().map(ToString::to_string);
        value.ok_or_else(|| configs::invalid(format!("{name} has no value")))
    };
    let op = match config.config_operation {
        0 => ConfigOp::Set(value()?),
        1 => ConfigOp::Delete,
        2 => ConfigOp::Append(value()?),
        3 => ConfigOp::Subtract(value()?),
        other => return Err(configs::invalid(format!("{other} is no config operation"))),
    };
    Ok((name, op))
}
