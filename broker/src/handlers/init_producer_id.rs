//! InitProducerId (22): an identity for an idempotent or transactional producer.
//!
//! Without a transactional id every request gets a new id with epoch 0, whatever identity the producer had. With one, the
//! transaction coordinator gives the next epoch and fences whoever had the last one; from version 3 a producer may say
//! which identity it goes on with (KIP-360).

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::wire;
use crate::broker::Broker;
use crate::coordinator::transaction::InitProducer;
use crate::log::ProducerId;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::Text;
use crate::server::shape::{INT, LONG, SHORT, Shape, always, since};

/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 4;

/// The body of a request.
pub const SHAPE: Shape =
    Shape { flexible_since: 2, fields: &[always(Text), always(INT), since(3, LONG), since(3, SHORT)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<InitProducerIdRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (broker, version) = (broker.clone(), call.version);
    call.later::<InitProducerIdRequest, _>(async move {
        match identity(&broker, &request).await {
            Ok((producer, epoch)) => {
                InitProducerIdResponse::default().with_producer_id(producer.0.into()).with_producer_epoch(epoch)
            }
            Err(error) => InitProducerIdResponse::default()
                .with_error_code(wire::fenced(error, version >= FENCED_SINCE).code())
                .with_producer_id((-1).into())
                .with_producer_epoch(-1),
        }
    })
}

async fn identity(broker: &Broker, request: &InitProducerIdRequest) -> Result<(ProducerId, i16), ResponseError> {
    let Some(id) = &request.transactional_id else {
        let next = broker.producer_ids.next(&broker.controller).await;
        return next.map(|id| (ProducerId(id), 0)).map_err(|_| ResponseError::CoordinatorLoadInProgress);
    };
    let bearer = match (request.producer_id.0, request.producer_epoch) {
        (-1, -1) => None,
        (producer, epoch) if producer >= 0 && epoch >= 0 => Some((ProducerId(producer), epoch)),
        _ => return Err(ResponseError::InvalidRequest),
    };
    let ask = InitProducer { id: id.to_string(), timeout_ms: request.transaction_timeout_ms, bearer };
    broker.transactions.init(broker, &ask).await
}
