//! A client of a whole cluster: knows some addresses, finds out the rest, asks a partition's leader, and asks again until a
//! deadline.
//!
//! **Invariant:** only questions, and changes that may be repeated, are asked again; [`Cluster::produce_once`] sends one
//! request to one broker and returns whatever that one answered.

use super::admin::{ClusterView, NewTopic, TopicView};
use super::connection::Connection;
use super::data::{Append, Appended, Fetched, Window};
use super::error::WireError;
use super::offsets::OffsetAt;
use crate::clock::{self, Deadline};
use history::{LeaderEpoch, NodeId, Offset};
use kafka_protocol::ResponseError;
use std::collections::{BTreeMap, HashMap};

/// One attempt at one broker, at most.
const ATTEMPT_MS_MAX: u64 = 2_000;
const CONNECT_MS_MAX: u64 = 500;
const BETWEEN_ATTEMPTS_MS: u64 = 50;

/// A client of a cluster.
#[derive(Debug)]
pub struct Cluster {
    bootstrap: Vec<String>,
    client_id: String,
    connections: HashMap<String, Connection>,
    brokers: BTreeMap<NodeId, String>,
    leaders: HashMap<String, HashMap<i32, NodeId>>,
}

impl Cluster {
    /// A client that knows these `host:port` addresses. Nothing is connected yet.
    pub fn new(bootstrap: &[String], client_id: &str) -> Cluster {
        Cluster {
            bootstrap: bootstrap.to_vec(),
            client_id: client_id.to_owned(),
            connections: HashMap::new(),
            brokers: BTreeMap::new(),
            leaders: HashMap::new(),
        }
    }

    /// The cluster as the first broker that answers sees it, with these topics or with all.
    pub fn metadata(&mut self, topics: Option<&[&str]>, deadline: Deadline) -> Result<ClusterView, WireError> {
        let view = self.anybody(deadline, |c, d| c.metadata(topics, d))?;
        self.brokers = view.brokers.clone();
        for topic in &view.topics {
            let leaders = topic.partitions.iter().filter_map(|p| Some((p.partition, p.leader?))).collect();
            self.leaders.insert(topic.name.clone(), leaders);
        }
        Ok(view)
    }

    /// Asks any broker, the ones at hand first, each in turn until one answers or the deadline passes.
    pub fn anybody<T>(
        &mut self,
        deadline: Deadline,
        mut ask: impl FnMut(&mut Connection, Deadline) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        loop {
            let mut last = None;
            for address in self.addresses() {
                match self.at(&address, deadline, &mut ask) {
                    Err(error) if error.may_pass() => last = Some(error),
                    other => return other,
                }
            }
            if !clock::between_attempts(BETWEEN_ATTEMPTS_MS, deadline) {
                let nobody = || WireError::Timeout { address: self.bootstrap.join(","), what: "anything" };
                return Err(last.unwrap_or_else(nobody));
            }
        }
    }

    /// Asks the first broker that there is a connection to, once: for changes that must not be repeated blindly.
    pub fn anybody_once<T>(
        &mut self,
        deadline: Deadline,
        ask: impl FnMut(&mut Connection, Deadline) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let address = self.anybody(deadline, |connection, _| Ok(connection.address().to_owned()))?;
        self.at(&address, deadline, ask)
    }

    /// Asks the broker `node`, once.
    pub fn broker<T>(
        &mut self,
        node: NodeId,
        deadline: Deadline,
        ask: impl FnMut(&mut Connection, Deadline) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        if !self.brokers.contains_key(&node) {
            self.metadata(Some(&[]), deadline)?;
        }
        let address = self.brokers.get(&node).cloned();
        let unknown =
            || WireError::Protocol { address: self.bootstrap.join(","), what: format!("no broker {}", node.0) };
        self.at(&address.ok_or_else(unknown)?, deadline, ask)
    }

    /// Asks a partition's leader, whoever that is by then, until it answers or the deadline passes.
    pub fn leader<T>(
        &mut self,
        topic: &str,
        partition: i32,
        deadline: Deadline,
        mut ask: impl FnMut(&mut Connection, Deadline) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        loop {
            let attempt = match self.leader_of(topic, partition, deadline) {
                Ok(address) => self.at(&address, deadline, &mut ask),
                Err(error) => Err(error),
            };
            match attempt {
                Err(error) if error.may_pass() => {
                    self.forget_leader(topic, partition);
                    if !clock::between_attempts(BETWEEN_ATTEMPTS_MS, deadline) {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }

    /// An offset of a log, from its leader.
    pub fn list_offset(
        &mut self,
        topic: &str,
        partition: i32,
        at: OffsetAt,
        deadline: Deadline,
    ) -> Result<Offset, WireError> {
        self.leader(topic, partition, deadline, |c, d| c.list_offset(topic, partition, at, d)).map(|(offset, _)| offset)
    }

    /// Where a reign ends in a log, from its leader.
    pub fn epoch_end(
        &mut self,
        topic: &str,
        partition: i32,
        epoch: LeaderEpoch,
        deadline: Deadline,
    ) -> Result<(LeaderEpoch, Offset), WireError> {
        self.leader(topic, partition, deadline, |c, d| c.epoch_end(topic, partition, epoch, d))
    }

    /// A window of a log, from its leader.
    pub fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        window: Window,
        deadline: Deadline,
    ) -> Result<Fetched, WireError> {
        self.leader(topic, partition, deadline, |c, d| c.fetch(topic, partition, window, d))
    }

    /// Appends a batch by one request to the leader as known now. The error is that attempt's, and the only one.
    pub fn produce_once(
        &mut self,
        topic: &str,
        partition: i32,
        append: Append<'_>,
        deadline: Deadline,
    ) -> Result<Appended, WireError> {
        let address = self.leader_of(topic, partition, deadline)?;
        let answer = self.at(&address, deadline, |c, d| c.produce(topic, partition, append, d));
        answer.inspect_err(|_| self.forget_leader(topic, partition))
    }

    /// Makes a topic, asking again while that may help; that it exists already is a success only after an attempt whose
    /// answer was lost.
    pub fn create_topic(&mut self, topic: &NewTopic, deadline: Deadline) -> Result<(), WireError> {
        let mut answer_lost = false;
        self.anybody(deadline, |c, d| match c.create_topic(topic, d) {
            Err(e) if answer_lost && e.broker() == Some(ResponseError::TopicAlreadyExists) => Ok(()),
            other => {
                other.inspect_err(|e| answer_lost |= matches!(e, WireError::Io { .. } | WireError::Timeout { .. }))
            }
        })
    }

    /// Unmakes a topic, asking again while that may help; that it does not exist is a success only after a lost answer.
    pub fn delete_topic(&mut self, name: &str, deadline: Deadline) -> Result<(), WireError> {
        let mut answer_lost = false;
        let result = self.anybody(deadline, |c, d| match c.delete_topic(name, d) {
            Err(e) if answer_lost && e.broker() == Some(ResponseError::UnknownTopicOrPartition) => Ok(()),
            other => {
                other.inspect_err(|e| answer_lost |= matches!(e, WireError::Io { .. } | WireError::Timeout { .. }))
            }
        });
        self.leaders.remove(name);
        result
    }

    /// Waits until the topic has `partitions` partitions, each with a leader and at least `in_sync_min` replicas in sync,
    /// and returns it so.
    pub fn wait_ready(
        &mut self,
        topic: &str,
        partitions: usize,
        in_sync_min: usize,
        deadline: Deadline,
    ) -> Result<TopicView, WireError> {
        loop {
            let view = self.metadata(Some(&[topic]), deadline)?.topics.into_iter().find(|t| t.name == topic);
            let ready = |t: &TopicView| {
                let up = |p: &super::admin::PartitionView| p.leader.is_some() && p.in_sync.len() >= in_sync_min;
                t.error == 0 && t.partitions.len() >= partitions && t.partitions.iter().all(up)
            };
            match view {
                Some(view) if ready(&view) => return Ok(view),
                _ if clock::between_attempts(BETWEEN_ATTEMPTS_MS, deadline) => (),
                view => return Err(not_ready(topic, view, in_sync_min)),
            }
        }
    }

    fn leader_of(&mut self, topic: &str, partition: i32, deadline: Deadline) -> Result<String, WireError> {
        if self.leader_known(topic, partition).is_none() {
            self.metadata(Some(&[topic]), deadline)?;
        }
        self.leader_known(topic, partition).ok_or_else(|| WireError::NoLeader { topic: topic.to_owned(), partition })
    }

    fn leader_known(&self, topic: &str, partition: i32) -> Option<String> {
        self.brokers.get(self.leaders.get(topic)?.get(&partition)?).cloned()
    }

    fn forget_leader(&mut self, topic: &str, partition: i32) {
        if let Some(leaders) = self.leaders.get_mut(topic) {
            leaders.remove(&partition);
        }
    }

    fn addresses(&self) -> Vec<String> {
        let known = self.connections.keys().chain(self.brokers.values()).chain(&self.bootstrap);
        let mut addresses: Vec<String> = Vec::new();
        for address in known {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        addresses
    }

    /// One attempt at one address. A connection that failed is dropped.
    pub(super) fn at<T>(
        &mut self,
        address: &str,
        deadline: Deadline,
        mut ask: impl FnMut(&mut Connection, Deadline) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let mut connection = match self.connections.remove(address) {
            Some(connection) => connection,
            None => Connection::open(address, &self.client_id, deadline.but_at_most_ms(CONNECT_MS_MAX))?,
        };
        let answer = ask(&mut connection, deadline.but_at_most_ms(ATTEMPT_MS_MAX));
        if matches!(answer, Ok(_) | Err(WireError::Broker { .. } | WireError::Unsupported { .. })) {
            self.connections.insert(address.to_owned(), connection);
        }
        answer
    }
}

fn not_ready(topic: &str, view: Option<TopicView>, in_sync_min: usize) -> WireError {
    let missing = |p: &&super::admin::PartitionView| p.leader.is_none() || p.in_sync.len() < in_sync_min;
    let partition = view.iter().flat_map(|v| &v.partitions).find(missing).map_or(0, |p| p.partition);
    WireError::NoLeader { topic: topic.to_owned(), partition }
}
