//! AddPartitionsToTxn (24): a transaction is to touch partitions. Version 4, for brokers only, takes several transactions
//! and may merely ask whether they do already (KIP-890).
//!
//! If one partition is unknown, none is added, and the others are told "not attempted".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use super::wire;
use crate::broker::Broker;
use crate::coordinator::transaction::{AddPartitions, Producer};
use crate::ids::TopicPartition;
use crate::log::ProducerId;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{BYTE, Field, INT, LONG, SHORT, Shape, always, since, until};

/// The first version for brokers.
const MANY_SINCE: i16 = 4;
/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;
/// Most transactions in one request.
const TRANSACTIONS_MAX: usize = 1000;

const TOPIC: &[Field] = &[always(Text), always(List(&INT))];
const TRANSACTION: &[Field] = &[always(Text), always(LONG), always(SHORT), always(BYTE), always(Structs(TOPIC))];
/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 3,
    fields: &[
        since(4, Structs(TRANSACTION)),
        until(3, Text),
        until(3, LONG),
        until(3, SHORT),
        until(3, Structs(TOPIC)),
    ],
};

type Answers = BTreeMap<TopicPartition, Option<ResponseError>>;

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<AddPartitionsToTxnRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (broker, version) = (broker.clone(), call.version);
    call.later::<AddPartitionsToTxnRequest, _>(async move {
        if version >= MANY_SINCE {
            return many(&broker, request.transactions).await;
        }
        let who = (request.v3_and_below_transactional_id.as_str(), request.v3_and_below_producer_id.0);
        let ask = understand(who, request.v3_and_below_producer_epoch, &request.v3_and_below_topics);
        let answers = add(&broker, &ask).await;
        let answers = answers
            .into_iter()
            .map(|(one, error)| (one, error.map(|error| wire::fenced(error, version >= FENCED_SINCE))));
        let results = results(answers.collect());
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results)
    })
}

async fn many(broker: &Broker, transactions: Vec<AddPartitionsToTxnTransaction>) -> AddPartitionsToTxnResponse {
    let mut all = Vec::new();
    for one in transactions.into_iter().take(TRANSACTIONS_MAX) {
        let ask = understand((&one.transactional_id, one.producer_id.0), one.producer_epoch, &one.topics);
        let answers = if one.verify_only { verify(broker, &ask).await } else { add(broker, &ask).await };
        let result = AddPartitionsToTxnResult::default().with_transactional_id(one.transactional_id);
        all.push(result.with_topic_results(results(answers)));
    }
    AddPartitionsToTxnResponse::default().with_results_by_transaction(all)
}

fn understand((id, producer): (&str, i64), epoch: i16, topics: &[AddPartitionsToTxnTopic]) -> AddPartitions {
    let partitions = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|index| TopicPartition { topic: topic.name.to_string(), index: *index })
    });
    let producer = Producer { id: id.to_owned(), producer: ProducerId(producer), epoch };
    AddPartitions { producer, partitions: partitions.collect() }
}

async fn add(broker: &Broker, ask: &AddPartitions) -> Answers {
    let image = broker.image();
    let unknown: BTreeSet<&TopicPartition> =
        ask.partitions.iter().filter(|one| image.partition(&one.topic, one.index).is_none()).collect();
    if !unknown.is_empty() {
        let error = |one| match unknown.contains(one) {
            true => ResponseError::UnknownTopicOrPartition,
            false => ResponseError::OperationNotAttempted,
        };
        return ask.partitions.iter().map(|one| (one.clone(), Some(error(one)))).collect();
    }
    let error = broker.transactions.add(ask).await.err();
    ask.partitions.iter().map(|one| (one.clone(), error)).collect()
}

async fn verify(broker: &Broker, ask: &AddPartitions) -> Answers {
    match broker.transactions.verify(ask).await {
        Ok(touched) => {
            let error = |touched: bool| (!touched).then_some(ResponseError::InvalidTxnState);
            touched.into_iter().map(|(one, touched)| (one, error(touched))).collect()
        }
        Err(error) => ask.partitions.iter().map(|one| (one.clone(), Some(error))).collect(),
    }
}

fn results(answers: Answers) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut topics: BTreeMap<String, Vec<AddPartitionsToTxnPartitionResult>> = BTreeMap::new();
    for (one, error) in answers {
        let result = AddPartitionsToTxnPartitionResult::default().with_partition_index(one.index);
        let result = result.with_partition_error_code(error.map_or(0, |error| error.code()));
        topics.entry(one.topic).or_default().push(result);
    }
    let topics = topics.into_iter().map(|(topic, results)| {
        AddPartitionsToTxnTopicResult::default().with_name(wire::name(topic)).with_results_by_partition(results)
    });
    topics.collect()
}
