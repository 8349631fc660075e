//! EndTxn (26): a transaction is to be committed or aborted. Answered once that is decided for good; the markers follow.

use std::sync::Arc;

use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::wire;
use crate::broker::Broker;
use crate::coordinator::transaction::Producer;
use crate::log::ProducerId;
use crate::log::marker::Outcome;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::Text;
use crate::server::shape::{BYTE, LONG, SHORT, Shape, always};

/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;

/// The body of a request.
pub const SHAPE: Shape =
    Shape { flexible_since: 3, fields: &[always(Text), always(LONG), always(SHORT), always(BYTE)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<EndTxnRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (broker, version) = (broker.clone(), call.version);
    call.later::<EndTxnRequest, _>(async move {
        let (id, producer) = (request.transactional_id.to_string(), ProducerId(request.producer_id.0));
        let who = Producer { id, producer, epoch: request.producer_epoch };
        let outcome = if request.committed { Outcome::Commit } else { Outcome::Abort };
        let ended = broker.transactions.end(&who, outcome).await;
        let code = ended.map_or_else(|error| wire::fenced(error, version >= FENCED_SINCE).code(), |()| 0);
        EndTxnResponse::default().with_error_code(code)
    })
}
