//! ListTransactions (66): the transactional ids this broker coordinates (KIP-664).

use std::sync::Arc;

use kafka_protocol::messages::list_transactions_response::TransactionState;
use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

use super::wire;
use crate::broker::Broker;
use crate::coordinator::transaction::State;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Text};
use crate::server::shape::{LONG, Shape, always};

/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 0, fields: &[always(List(&Text)), always(List(&LONG))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<ListTransactionsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<ListTransactionsRequest, _>(async move {
        let (known, unknown): (Vec<_>, Vec<_>) =
            request.state_filters.into_iter().partition(|name| State::named(name).is_some());
        let states: Vec<State> = known.iter().filter_map(|name| State::named(name)).collect();
        let answer = ListTransactionsResponse::default().with_unknown_state_filters(unknown.clone());
        if states.is_empty() && !unknown.is_empty() {
            return answer;
        }
        let producers: Vec<i64> = request.producer_id_filters.iter().map(|id| id.0).collect();
        match broker.transactions.list(&states, &producers).await {
            Ok(listed) => answer.with_transaction_states(listed.into_iter().map(state).collect()),
            Err(error) => answer.with_error_code(error.code()),
        }
    })
}

fn state(listed: crate::coordinator::transaction::Listed) -> TransactionState {
    TransactionState::default()
        .with_transactional_id(wire::text(listed.id).into())
        .with_producer_id(listed.producer.0.into())
        .with_transaction_state(wire::text(listed.state.name()))
}
