//! DescribeTransactions (65): where transactional ids stand, from their coordinator (KIP-664).

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse, TransactionalId};

use super::wire;
use crate::broker::Broker;
use crate::coordinator::transaction::Transaction;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Text};
use crate::server::shape::{Shape, always};

/// Most ids in one request.
const IDS_MAX: usize = 10_000;

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 0, fields: &[always(List(&Text))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DescribeTransactionsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<DescribeTransactionsRequest, _>(async move {
        let mut states = Vec::new();
        for id in request.transactional_ids.into_iter().take(IDS_MAX) {
            let known = broker.transactions.describe(&id).await;
            let known = known.and_then(|known| known.ok_or(ResponseError::TransactionalIdNotFound));
            states.push(described(id, known));
        }
        DescribeTransactionsResponse::default().with_transaction_states(states)
    })
}

fn described(id: TransactionalId, known: Result<Transaction, ResponseError>) -> TransactionState {
    let answer = TransactionState::default().with_transactional_id(id);
    let known = match known {
        Ok(known) => known,
        Err(error) => return answer.with_error_code(error.code()),
    };
    let topics = known
        .topics()
        .into_iter()
        .map(|(topic, indexes)| TopicData::default().with_topic(wire::name(topic)).with_partitions(indexes));
    let topics = topics.collect();
    answer
        .with_transaction_state(wire::text(known.state.name()))
        .with_transaction_timeout_ms(known.timeout_ms)
        .with_transaction_start_time_ms(known.started_ms.unwrap_or(-1))
        .with_producer_id(known.producer.0.into())
        .with_producer_epoch(known.epoch)
        .with_topics(topics)
}
