//! InitProducerId (22): an identity for an idempotent producer.
//!
//! Without a transactional id every request gets a new id with epoch 0, whatever identity the producer had. With one,
//! a transaction coordinator is needed, which there is not yet.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::broker::Broker;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::Text;
use crate::server::shape::{INT, LONG, SHORT, Shape, always, since};

/// The body of a request.
pub const SHAPE: Shape =
    Shape { flexible_since: 2, fields: &[always(Text), always(INT), since(3, LONG), since(3, SHORT)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<InitProducerIdRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    if request.transactional_id.is_some() {
        return call.ready::<InitProducerIdRequest>(&refusal(ResponseError::CoordinatorNotAvailable));
    }
    let broker = broker.clone();
    call.later::<InitProducerIdRequest, _>(async move {
        match broker.producer_ids.next(&broker.controller).await {
            Ok(id) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0),
            Err(_) => refusal(ResponseError::CoordinatorLoadInProgress),
        }
    })
}

fn refusal(error: ResponseError) -> InitProducerIdResponse {
    let answer = InitProducerIdResponse::default().with_error_code(error.code());
    answer.with_producer_id(ProducerId(-1)).with_producer_epoch(-1)
}
