//! CreatePartitions (37): handed to the controller.

use std::sync::Arc;

use kafka_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use kafka_protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};

use super::wire;
use crate::broker::Broker;
use crate::ids::NodeId;
use crate::metadata::rpc::{CreatePartitions, MorePartitions};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{BYTE, INT, Shape, always};

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 2,
    fields: &[
        always(Structs(&[always(Text), always(INT), always(Structs(&[always(List(&INT))]))])),
        always(INT),
        always(BYTE),
    ],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<CreatePartitionsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<CreatePartitionsRequest, _>(async move {
        let topics: Vec<_> = request.topics.iter().map(understand).collect();
        let (count, validate_only) = (topics.len(), request.validate_only);
        let asked = broker.controller.create_partitions(CreatePartitions { topics, validate_only }).await;
        if asked.is_ok() && !validate_only {
            broker.catch_up(wire::millis(request.timeout_ms)).await;
        }
        let answers = asked.unwrap_or_else(|error| vec![Err(error); count]);
        let results = request.topics.into_iter().zip(answers).map(|(topic, answer)| {
            let (code, message) = wire::controller_error(&answer);
            let result = CreatePartitionsTopicResult::default().with_name(topic.name);
            result.with_error_code(code).with_error_message(message)
        });
        CreatePartitionsResponse::default().with_results(results.collect())
    })
}

fn understand(asked: &CreatePartitionsTopic) -> MorePartitions {
    let assignments = asked.assignments.as_ref().map(|assignments| {
        assignments.iter().map(|one| one.broker_ids.iter().map(|broker| NodeId(broker.0)).collect()).collect()
    });
    MorePartitions { topic: asked.name.to_string(), count: asked.count, assignments }
}
