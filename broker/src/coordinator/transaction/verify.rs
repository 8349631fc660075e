//! Whether a produce belongs to an open transaction: the question put to the transaction's coordinator (KIP-890 part 1),
//! and the order of appends while the answer is awaited.
//!
//! A batch whose transaction is not open in its partition waits for the coordinator's word. What the producer sends after
//! it must not overtake it: while a [`Pending`] exists for a producer in a partition, its later batches wait too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;

use super::service::AddPartitions;
use crate::broker::Broker;
use crate::coordinator::topic;
use crate::ids::{NodeId, TopicPartition};
use crate::log::ProducerId;

/// The first version in which brokers may ask without adding.
const VERSION: i16 = 4;
const ANSWER_MAX: Duration = Duration::from_secs(5);

type Key = (TopicPartition, ProducerId);

/// The appends that wait, by partition and producer.
#[derive(Clone, Debug, Default)]
pub struct Pendings(Arc<Mutex<HashMap<Key, usize>>>);

/// One append that waits.
#[derive(Debug)]
pub struct Pending {
    of: Pendings,
    key: Key,
}

impl Pendings {
    /// Whether an append of this producer waits.
    pub fn any(&self, partition: &TopicPartition, producer: ProducerId) -> bool {
        self.lock().contains_key(&(partition.clone(), producer))
    }

    /// One more waits, until dropped.
    pub fn begin(&self, partition: &TopicPartition, producer: ProducerId) -> Pending {
        let key = (partition.clone(), producer);
        *self.lock().entry(key.clone()).or_default() += 1;
        Pending { of: self.clone(), key }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut waiting = self.of.lock();
        if let Some(count) = waiting.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.key);
            }
        }
    }
}

/// Which partitions of a produce request belong to a producer's open transaction.
pub struct Question(pub AddPartitions);

impl Question {
    /// Asks whoever coordinates it; an error a partition that is not part of it, in terms a producer understands.
    pub async fn ask(&self, broker: &Broker) -> BTreeMap<TopicPartition, Result<(), ResponseError>> {
        let image = broker.image();
        let index = topic::index_of(&image, topic::TRANSACTIONS, &self.0.producer.id);
        let coordinator = index.and_then(|index| image.partition(topic::TRANSACTIONS, index)?.leader);
        let answers = match coordinator {
            Some(node) if node == broker.config.node => broker.transactions.verify(&self.0).await.map(told),
            Some(node) => self.ask_remote(broker, node).await,
            None => Err(ResponseError::CoordinatorNotAvailable),
        };
        let answers =
            answers.unwrap_or_else(|error| self.0.partitions.iter().map(|one| (one.clone(), Err(error))).collect());
        answers.into_iter().map(|(one, answer)| (one, answer.map_err(for_producers))).collect()
    }

    async fn ask_remote(
        &self,
        broker: &Broker,
        node: NodeId,
    ) -> Result<BTreeMap<TopicPartition, Result<(), ResponseError>>, ResponseError> {
        let asked = broker.peers.ask(node, &self.request(), VERSION, ANSWER_MAX).await;
        let response = asked.map_err(|_| ResponseError::CoordinatorNotAvailable)?;
        let error = ResponseError::try_from_code(response.error_code);
        error.map_or(Ok(()), Err)?;
        let mut answers = understand(response);
        let missing: BTreeSet<_> = self.0.partitions.iter().filter(|one| !answers.contains_key(one)).cloned().collect();
        answers.extend(missing.into_iter().map(|one| (one, Err(ResponseError::CoordinatorNotAvailable))));
        Ok(answers)
    }

    fn request(&self) -> AddPartitionsToTxnRequest {
        let AddPartitions { producer, partitions } = &self.0;
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        partitions.iter().for_each(|one| topics.entry(&one.topic).or_default().push(one.index));
        let topics = topics.into_iter().map(|(topic, indexes)| {
            let name = TopicName(StrBytes::from_string(topic.to_owned()));
            AddPartitionsToTxnTopic::default().with_name(name).with_partitions(indexes)
        });
        let transaction = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(TransactionalId(StrBytes::from_string(producer.id.clone())))
            .with_producer_id(producer.producer.0.into())
            .with_producer_epoch(producer.epoch)
            .with_verify_only(true)
            .with_topics(topics.collect());
        AddPartitionsToTxnRequest::default().with_transactions(vec![transaction])
    }
}

fn told(touched: BTreeMap<TopicPartition, bool>) -> BTreeMap<TopicPartition, Result<(), ResponseError>> {
    let answer = |touched| if touched { Ok(()) } else { Err(ResponseError::InvalidTxnState) };
    touched.into_iter().map(|(one, touched)| (one, answer(touched))).collect()
}

fn understand(response: AddPartitionsToTxnResponse) -> BTreeMap<TopicPartition, Result<(), ResponseError>> {
    let topics = response.results_by_transaction.into_iter().flat_map(|one| one.topic_results);
    let answers = topics.flat_map(|topic| {
        let name = topic.name.to_string();
        topic.results_by_partition.into_iter().map(move |part| {
            let id = TopicPartition { topic: name.clone(), index: part.partition_index };
            (id, ResponseError::try_from_code(part.partition_error_code).map_or(Ok(()), Err))
        })
    });
    answers.collect()
}

/// What cannot be known now is retried by every client when it is called "not enough replicas", and by no other name.
fn for_producers(error: ResponseError) -> ResponseError {
    match error {
        ResponseError::ConcurrentTransactions
        | ResponseError::CoordinatorLoadInProgress
        | ResponseError::CoordinatorNotAvailable
        | ResponseError::NotCoordinator => ResponseError::NotEnoughReplicas,
        ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
        other => other,
    }
}
