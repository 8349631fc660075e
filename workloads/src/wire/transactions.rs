//! Raw transactions: a producer id under a transactional id, partitions taken into a transaction, its end.
//!
//! **Invariant:** an end is asked for once. A copy of it that arrives late could end the *next* transaction of the same epoch
//! (KAFKA-17754), so whoever does not hear what became of an end must ask for a new epoch ([`Cluster::init_transactions`]).

use super::cluster::Cluster;
use super::connection::Connection;
use super::data::topic_name;
use super::error::WireError;
use super::producer_id::CoordinatorOf;
use crate::clock::{self, Deadline};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, ProducerId, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

const BETWEEN_ATTEMPTS_MS: u64 = 20;

/// A producer under a transactional id, as its coordinator knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transactional {
    /// The transactional id.
    pub id: String,
    /// The producer id behind it.
    pub producer: i64,
    /// Its epoch: every earlier one is fenced.
    pub epoch: i16,
}

impl Transactional {
    fn name(&self) -> TransactionalId {
        TransactionalId(StrBytes::from_string(self.id.clone()))
    }
}

impl Connection {
    fn init_transactions(&mut self, id: &str, timeout_ms: i32, deadline: Deadline) -> Result<(i64, i16), WireError> {
        let name = TransactionalId(StrBytes::from_string(id.to_owned()));
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(name))
            .with_transaction_timeout_ms(timeout_ms)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = self.call(&request, deadline)?;
        WireError::check("InitProducerId", answer.error_code)?;
        Ok((answer.producer_id.0, answer.producer_epoch))
    }

    fn add_partitions(&mut self, of: &Transactional, topics: &Topics<'_>, deadline: Deadline) -> Result<(), WireError> {
        let topic = |(name, partitions): (&&str, &Vec<i32>)| {
            AddPartitionsToTxnTopic::default().with_name(topic_name(name)).with_partitions(partitions.clone())
        };
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(of.name())
            .with_v3_and_below_producer_id(ProducerId(of.producer))
            .with_v3_and_below_producer_epoch(of.epoch)
            .with_v3_and_below_topics(topics.iter().map(topic).collect());
        let answer = self.call(&request, deadline)?;
        let mut told = answer.results_by_topic_v3_and_below.iter().flat_map(|topic| &topic.results_by_partition);
        told.try_for_each(|p| WireError::check("AddPartitionsToTxn", p.partition_error_code))
    }

    fn end_transaction(&mut self, of: &Transactional, commits: bool, deadline: Deadline) -> Result<(), WireError> {
        let request = EndTxnRequest::default()
            .with_transactional_id(of.name())
            .with_producer_id(ProducerId(of.producer))
            .with_producer_epoch(of.epoch)
            .with_committed(commits);
        let answer = self.call(&request, deadline)?;
        WireError::check("EndTxn", answer.error_code)
    }
}

type Topics<'a> = BTreeMap<&'a str, Vec<i32>>;

impl Cluster {
    /// A new epoch under a transactional id: what an earlier one left open is aborted, and it can do nothing more. Asked again
    /// while that may help.
    pub fn init_transactions(
        &mut self,
        id: &str,
        timeout_ms: i32,
        deadline: Deadline,
    ) -> Result<Transactional, WireError> {
        let told = self.coordinator(id, deadline, |c, d| c.init_transactions(id, timeout_ms, d));
        told.map(|(producer, epoch)| Transactional { id: id.to_owned(), producer, epoch })
    }

    /// Takes partitions into the open transaction; the first ones open it. Asked again while that may help: taking a partition
    /// in twice changes nothing.
    pub fn add_partitions<'a>(
        &mut self,
        of: &Transactional,
        partitions: impl IntoIterator<Item = (&'a str, i32)>,
        deadline: Deadline,
    ) -> Result<(), WireError> {
        let mut topics = Topics::new();
        for (topic, partition) in partitions {
            topics.entry(topic).or_default().push(partition);
        }
        self.coordinator(&of.id, deadline, |c, d| c.add_partitions(of, &topics, d))
    }

    /// Ends the open transaction, by one request.
    pub fn end_transaction_once(
        &mut self,
        of: &Transactional,
        commits: bool,
        deadline: Deadline,
    ) -> Result<(), WireError> {
        let address = self.find(&of.id, deadline)?;
        self.at(&address, deadline, |c, d| c.end_transaction(of, commits, d))
    }

    fn find(&mut self, id: &str, deadline: Deadline) -> Result<String, WireError> {
        self.anybody(deadline, |c, d| c.find_coordinator(CoordinatorOf::Transaction, id, d)).map(|(_, address)| address)
    }

    fn coordinator<T>(
        &mut self,
        id: &str,
        deadline: Deadline,
        mut ask: impl FnMut(&mut Connection, Deadline) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        loop {
            let attempt = match self.find(id, deadline) {
                Ok(address) => self.at(&address, deadline, &mut ask),
                Err(error) => Err(error),
            };
            match attempt {
                Err(error) if error.may_pass() && clock::between_attempts(BETWEEN_ATTEMPTS_MS, deadline) => {}
                other => return other,
            }
        }
    }
}
