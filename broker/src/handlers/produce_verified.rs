//! The part of a produce request that belongs to a transaction (KIP-890 part 1): appended at once if the transaction is
//! open in the partition, otherwise after its coordinator has been asked.
//!
//! Questions are asked in the request's turn, when every earlier answer of the connection is out; and while one producer's
//! batch waits, its later ones wait too. So appends keep the order in which they were sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::BytesMut;
use kafka_protocol::ResponseError;

use super::produce::{Acks, Outcome, Part, taken};
use crate::broker::Broker;
use crate::coordinator::transaction::{AddPartitions, Pending, Producer, Question};
use crate::ids::TopicPartition;
use crate::log::ProducerId;
use crate::log::batch::Header;
use crate::partition::verified::{Ticket, identity};
use crate::partition::{Partition, PartitionError};

/// How often a question is asked again because something was decided in the partition meanwhile.
const TRIES_MAX: usize = 20;

/// Batches that wait for the word of their transaction's coordinator.
pub struct Unverified {
    partition: Arc<Partition>,
    batches: BytesMut,
    producer: (ProducerId, i16),
    _pending: Pending,
}

/// The producer whose transaction must be known before these batches are appended; none if nothing needs to be.
pub fn in_question(broker: &Broker, batches: &[u8]) -> Option<(ProducerId, i16)> {
    let header = Header::parse(batches).ok()?;
    identity(&header).filter(|_| broker.config.values().flag("transaction.partition.verification.enable"))
}

/// Appends batches of a transaction, or lets them wait.
pub fn append(
    broker: &Arc<Broker>,
    partition: Arc<Partition>,
    producer: (ProducerId, i16),
    mut batches: BytesMut,
    acks: Acks,
) -> Outcome {
    if !broker.pendings.any(partition.id(), producer.0) {
        match partition.append_in_transaction(&mut batches, acks == Acks::All, None) {
            Err(PartitionError::Unverified) => {}
            appended => return taken(broker, &partition, appended, acks),
        }
    }
    let pending = broker.pendings.begin(partition.id(), producer.0);
    Outcome::Unverified(Box::new(Unverified { partition, batches, producer, _pending: pending }))
}

/// Asks for the batches that wait, and appends or refuses them.
pub async fn settle(broker: &Arc<Broker>, parts: &mut [Part], id: Option<&str>, acks: Acks) {
    for _ in 0..TRIES_MAX {
        let tickets: Vec<Option<Ticket>> = parts.iter_mut().map(|part| part.try_append(broker, None, acks)).collect();
        let questions = questions(parts);
        if questions.is_empty() {
            return;
        }
        let mut answers = BTreeMap::new();
        for ((producer, epoch), partitions) in questions {
            let Some(id) = id else { continue };
            let producer = Producer { id: id.to_owned(), producer, epoch };
            answers.extend(Question(AddPartitions { producer, partitions }).ask(broker).await);
        }
        for (part, ticket) in parts.iter_mut().zip(tickets) {
            part.hear(broker, &answers, ticket, acks);
        }
    }
    parts.iter_mut().for_each(|part| part.refuse_unverified(ResponseError::NotEnoughReplicas));
}

type Answers = BTreeMap<TopicPartition, Result<(), ResponseError>>;

fn questions(parts: &[Part]) -> BTreeMap<(ProducerId, i16), BTreeSet<TopicPartition>> {
    let mut questions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for part in parts {
        if let Outcome::Unverified(waiting) = &part.outcome {
            questions.entry(waiting.producer).or_default().insert(waiting.partition.id().clone());
        }
    }
    questions
}

impl Part {
    /// Appends if it may; a ticket to ask with if it may not yet.
    fn try_append(&mut self, broker: &Arc<Broker>, ticket: Option<Ticket>, acks: Acks) -> Option<Ticket> {
        let Outcome::Unverified(waiting) = &mut self.outcome else { return None };
        let next = waiting.partition.ticket();
        let appended = waiting.partition.append_in_transaction(&mut waiting.batches, acks == Acks::All, ticket);
        if matches!(appended, Err(PartitionError::Unverified)) {
            return next.ok();
        }
        self.outcome = taken(broker, &waiting.partition.clone(), appended, acks);
        None
    }

    fn hear(&mut self, broker: &Arc<Broker>, answers: &Answers, ticket: Option<Ticket>, acks: Acks) {
        let Outcome::Unverified(waiting) = &self.outcome else { return };
        match answers.get(waiting.partition.id()) {
            Some(Ok(())) => drop(self.try_append(broker, ticket, acks)),
            Some(Err(error)) => self.refuse_unverified(*error),
            None => self.refuse_unverified(ResponseError::InvalidTxnState),
        }
    }

    fn refuse_unverified(&mut self, error: ResponseError) {
        if matches!(self.outcome, Outcome::Unverified(_)) {
            self.outcome = Outcome::Refused(error, "the transaction's coordinator does not vouch for it".to_owned());
        }
    }
}
