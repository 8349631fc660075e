//! What requests ask of the transaction coordinator. Thin: each is one decision of the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use tokio::sync::Notify;

use super::machine::{Identity, Listed, Machine, Moment};
use super::state::{State, Transaction};
use crate::broker::Broker;
use crate::bugs::Bugs;
use crate::clock;
use crate::coordinator::{Coordinator, Decision, topic};
use crate::ids::TopicPartition;
use crate::log::ProducerId;
use crate::log::marker::Outcome;

/// Longest transactional id: what a text of the log can hold, and far more than anybody needs.
const ID_BYTES_MAX: usize = 10_000;

/// A producer under a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The transactional id.
    pub id: String,
    /// The producer id it says it has.
    pub producer: ProducerId,
    /// The epoch it says it has.
    pub epoch: i16,
}

/// An introduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitProducer {
    /// The transactional id.
    pub id: String,
    /// `transaction.timeout.ms`
    pub timeout_ms: i32,
    /// The identity it wants to go on with.
    pub bearer: Option<(ProducerId, i16)>,
}

/// Partitions for a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddPartitions {
    /// Whose.
    pub producer: Producer,
    /// Which.
    pub partitions: BTreeSet<TopicPartition>,
}

/// The transaction coordinator of a broker.
pub struct Transactions {
    /// Its shards.
    pub coordinator: Arc<Coordinator<Machine>>,
    /// Told when a transaction has been decided.
    pub(super) decided: Notify,
    bugs: Bugs,
}

impl Transactions {
    /// A coordinator that decides; [`super::finish_all`] is to run beside it.
    pub fn new(coordinator: Coordinator<Machine>, bugs: Bugs) -> Transactions {
        Transactions { coordinator: Arc::new(coordinator), decided: Notify::new(), bugs }
    }

    fn moment(&self) -> Moment {
        Moment { now_ms: clock::wall_ms(), bugs: self.bugs }
    }

    /// An identity for a transactional producer. Whoever had it before is fenced, and its transaction aborted.
    ///
    /// # Errors
    /// Those of `introduce` and of [`Coordinator::decide`]; INVALID_TRANSACTION_TIMEOUT, INVALID_REQUEST.
    pub async fn init(&self, broker: &Broker, ask: &InitProducer) -> Result<(ProducerId, i16), ResponseError> {
        check_id(&ask.id)?;
        let timeout_ms_max = broker.config.values().number("transaction.max.timeout.ms");
        if ask.timeout_ms <= 0 || i64::from(ask.timeout_ms) > timeout_ms_max {
            return Err(ResponseError::InvalidTransactionTimeout);
        }
        let decide = |fresh| self.coordinator.decide(&ask.id, move |machine| machine.init(ask, fresh, self.moment()));
        let mut identity = decide(None).await?;
        if identity == Identity::NeedsId {
            let fresh = broker.producer_ids.next(&broker.controller).await;
            let fresh = fresh.map_err(|_| ResponseError::CoordinatorLoadInProgress)?;
            identity = decide(Some(ProducerId(fresh))).await?;
        }
        match identity {
            Identity::Given(producer, epoch) => Ok((producer, epoch)),
            Identity::Later | Identity::NeedsId => {
                self.decided.notify_one();
                Err(ResponseError::ConcurrentTransactions)
            }
        }
    }

    /// A transaction is to touch partitions.
    ///
    /// # Errors
    /// INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, CONCURRENT_TRANSACTIONS, and those of [`Coordinator::decide`].
    pub async fn add(&self, ask: &AddPartitions) -> Result<(), ResponseError> {
        check_id(&ask.producer.id)?;
        self.coordinator.decide(&ask.producer.id, |machine| machine.add(ask, self.moment())).await
    }

    /// Which of these partitions an open transaction has touched.
    ///
    /// # Errors
    /// As [`Transactions::add`].
    pub async fn verify(&self, ask: &AddPartitions) -> Result<BTreeMap<TopicPartition, bool>, ResponseError> {
        check_id(&ask.producer.id)?;
        self.coordinator.decide(&ask.producer.id, |machine| machine.verify(ask, self.moment())).await
    }

    /// A transaction is to touch the offsets of a group.
    ///
    /// # Errors
    /// As [`Transactions::add`].
    pub async fn add_offsets(&self, broker: &Broker, producer: Producer, group: &str) -> Result<(), ResponseError> {
        let index = topic::index_of(&broker.context.image.borrow(), topic::OFFSETS, group);
        let index = index.ok_or(ResponseError::CoordinatorNotAvailable)?;
        let partition = TopicPartition { topic: topic::OFFSETS.to_owned(), index };
        self.add(&AddPartitions { producer, partitions: BTreeSet::from([partition]) }).await
    }

    /// A transaction is to end; once this is answered it will, whatever happens.
    ///
    /// # Errors
    /// As [`Transactions::add`], and INVALID_TXN_STATE.
    pub async fn end(&self, who: &Producer, outcome: Outcome) -> Result<(), ResponseError> {
        check_id(&who.id)?;
        let ended = self.coordinator.decide(&who.id, |machine| machine.end(who, outcome, self.moment())).await;
        self.decided.notify_one();
        ended
    }

    /// What is known of an id; none if nothing.
    ///
    /// # Errors
    /// Those of [`Coordinator::decide`].
    pub async fn describe(&self, id: &str) -> Result<Option<Transaction>, ResponseError> {
        self.coordinator.decide(id, |machine| Ok(Decision::read(machine.get(id).cloned()))).await
    }

    /// Every transactional id coordinated here that passes the filters; none let everything pass.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS while a part is not known yet.
    pub async fn list(&self, states: &[State], producers: &[i64]) -> Result<Vec<Listed>, ResponseError> {
        let mut listed = Vec::new();
        for shard in self.coordinator.shards() {
            let all = self.coordinator.decide_in(&shard, |machine| Ok(Decision::read(machine.list())));
            listed.extend(all.await?);
        }
        let passes = |one: &Listed| {
            let state = states.is_empty() || states.contains(&one.state);
            state && (producers.is_empty() || producers.contains(&one.producer.0))
        };
        listed.retain(passes);
        Ok(listed)
    }
}

fn check_id(id: &str) -> Result<(), ResponseError> {
    if id.is_empty() || id.len() > ID_BYTES_MAX { Err(ResponseError::InvalidRequest) } else { Ok(()) }
}
