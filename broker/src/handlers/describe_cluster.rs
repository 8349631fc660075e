//! DescribeCluster (60): the living brokers. Version 1 may ask for the controllers instead, which clients cannot reach.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use super::wire;
use crate::broker::Broker;
use crate::server::call::{Call, Reply};
use crate::server::shape::{BYTE, Shape, always, since};

const BROKERS: i8 = 1;

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 0, fields: &[always(BYTE), since(1, BYTE)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DescribeClusterRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    if call.version >= 1 && request.endpoint_type != BROKERS {
        let error = ResponseError::MismatchedEndpointType.code();
        return call.ready::<DescribeClusterRequest>(&DescribeClusterResponse::default().with_error_code(error));
    }
    let image = broker.image();
    let brokers = image.alive().map(|alive| {
        DescribeClusterBroker::default()
            .with_broker_id(wire::broker(Some(alive.id)))
            .with_host(wire::text(&alive.host))
            .with_port(i32::from(alive.port))
            .with_rack(alive.rack.as_deref().map(wire::text))
    });
    let response = DescribeClusterResponse::default()
        .with_endpoint_type(BROKERS)
        .with_cluster_id(wire::text(&broker.cluster_id))
        .with_controller_id(wire::broker(Some(broker.config.node)))
        .with_brokers(brokers.collect());
    call.ready::<DescribeClusterRequest>(&response)
}
