//! AddOffsetsToTxn (25): a transaction is to touch the offsets of a group, that is, its partition of `__consumer_offsets`.

use std::sync::Arc;

use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::wire;
use crate::broker::Broker;
use crate::coordinator::topic;
use crate::coordinator::transaction::Producer;
use crate::log::ProducerId;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::Text;
use crate::server::shape::{LONG, SHORT, Shape, always};

/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;

/// The body of a request.
pub const SHAPE: Shape =
    Shape { flexible_since: 3, fields: &[always(Text), always(LONG), always(SHORT), always(Text)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<AddOffsetsToTxnRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (broker, version) = (broker.clone(), call.version);
    call.later::<AddOffsetsToTxnRequest, _>(async move {
        topic::ensure(&broker, topic::OFFSETS).await;
        let (id, producer) = (request.transactional_id.to_string(), ProducerId(request.producer_id.0));
        let producer = Producer { id, producer, epoch: request.producer_epoch };
        let added = broker.transactions.add_offsets(&broker, producer, &request.group_id).await;
        let code = added.map_or_else(|error| wire::fenced(error, version >= FENCED_SINCE).code(), |()| 0);
        AddOffsetsToTxnResponse::default().with_error_code(code)
    })
}
