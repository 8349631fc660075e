//! Markers: the control batches that end a transaction in each partition it touched (WriteTxnMarkers).
//!
//! A marker is appended as acks=all by the leader of its partition, after a check of producer and coordinator epoch. In
//! `__consumer_offsets` it goes through the group coordinator's shard, whose pending offsets it decides. Writing one
//! twice is harmless: nothing is open any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{TopicName, WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::broker::Broker;
use crate::clock;
use crate::coordinator::{InTransaction, topic};
use crate::ids::{LeaderEpoch, NodeId, Offset, TopicPartition};
use crate::log::marker::{Marker, Outcome};
use crate::log::{Origin, ProducerId};
use crate::partition::watchers::Interest;
use crate::partition::{Commit, Partition};

const VERSION: i16 = 1;
/// Longest wait for a marker's replication.
const COMMIT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for another broker's answer.
const ANSWER_MAX: Duration = Duration::from_secs(7);

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Whose.
    pub producer: ProducerId,
    /// Of the producer.
    pub epoch: i16,
    /// How.
    pub outcome: Outcome,
    /// Of the coordinator that decided it.
    pub coordinator_epoch: i32,
}

/// What an attempt to write markers came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// These need no marker any more.
    pub done: BTreeSet<TopicPartition>,
    /// A newer coordinator has written to one of them.
    pub deposed: bool,
}

type Answers = Vec<(TopicPartition, Result<(), ResponseError>)>;

/// Tries once to write a marker to each partition, at whoever leads it.
pub async fn write(broker: &Arc<Broker>, ending: &Ending, partitions: &BTreeSet<TopicPartition>) -> Written {
    let mut written = Written::default();
    let mut asked = JoinSet::new();
    for (leader, partitions) in by_leader(broker, partitions, &mut written) {
        let (broker, ending) = (broker.clone(), *ending);
        asked.spawn(async move {
            if leader == broker.config.node {
                append(&broker, &ending, partitions).await
            } else {
                ask(&broker, leader, &ending, &partitions).await
            }
        });
    }
    while let Some(answers) = asked.join_next().await {
        for (partition, answer) in answers.unwrap_or_default() {
            written.take(broker, partition, answer);
        }
    }
    written
}

fn by_leader(
    broker: &Broker,
    partitions: &BTreeSet<TopicPartition>,
    written: &mut Written,
) -> BTreeMap<NodeId, Vec<TopicPartition>> {
    let image = broker.context.image.borrow();
    let mut leaders: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
    for one in partitions {
        match image.partition(&one.topic, one.index).map(|state| state.leader) {
            Some(Some(leader)) => leaders.entry(leader).or_default().push(one.clone()),
            Some(None) => {}
            None => drop(written.done.insert(one.clone())),
        }
    }
    leaders
}

impl Written {
    fn take(&mut self, broker: &Broker, partition: TopicPartition, answer: Result<(), ResponseError>) {
        match answer {
            Ok(()) => drop(self.done.insert(partition)),
            Err(ResponseError::TransactionCoordinatorFenced) => self.deposed = true,
            Err(ResponseError::InvalidProducerEpoch) => {
                broker.events.note(format!("{partition}: a newer epoch of the producer has ended the transaction"));
                self.done.insert(partition);
            }
            Err(_) => {}
        }
    }
}

/// Appends a marker to each of these partitions, led here or not, and waits until all are replicated.
pub async fn append(broker: &Arc<Broker>, ending: &Ending, partitions: Vec<TopicPartition>) -> Answers {
    let appended: Vec<_> = partitions.iter().map(|partition| append_one(broker, ending, partition)).collect();
    let mut answers = Vec::with_capacity(partitions.len());
    for (id, appended) in partitions.into_iter().zip(appended) {
        let answer = match appended {
            Ok((partition, epoch, end)) => replicated(broker, &partition, epoch, end).await,
            Err(error) => Err(error),
        };
        answers.push((id, answer));
    }
    answers
}

type Appended = Result<(Arc<Partition>, LeaderEpoch, Offset), ResponseError>;

fn append_one(broker: &Arc<Broker>, ending: &Ending, id: &TopicPartition) -> Appended {
    let marker = Marker { outcome: ending.outcome, coordinator_epoch: ending.coordinator_epoch };
    if id.topic == topic::OFFSETS {
        let shard = broker.groups.coordinator().shard(id.index)?;
        let of = InTransaction { producer: ending.producer, epoch: ending.epoch };
        return Ok((shard.partition().clone(), shard.reign(), shard.mark(of, &marker)?));
    }
    let partition = broker.partition(&id.topic, id.index)?;
    let mut batch = marker.batch(ending.producer, ending.epoch, clock::wall_ms());
    match partition.append(&mut batch, true, Origin::Coordinator) {
        Ok(accepted) => {
            if accepted.sync_due {
                broker.sync(&partition);
            }
            Ok((partition, accepted.epoch, accepted.next_offset))
        }
        Err(error) => Err(broker.refusal(&error)),
    }
}

async fn replicated(
    broker: &Broker,
    partition: &Arc<Partition>,
    epoch: LeaderEpoch,
    end: Offset,
) -> Result<(), ResponseError> {
    let changed = Arc::new(Notify::new());
    let _watch = partition.watchers().watch(Interest::Committed(end), &changed);
    let wait = async {
        loop {
            match partition.commit(epoch, end) {
                Commit::Pending => changed.notified().await,
                Commit::Done => return Ok(()),
                Commit::Failed(error) => return Err(broker.refusal(&error)),
            }
        }
    };
    timeout(COMMIT_MAX, wait).await.unwrap_or(Err(ResponseError::RequestTimedOut))
}

async fn ask(broker: &Broker, leader: NodeId, ending: &Ending, partitions: &[TopicPartition]) -> Answers {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    partitions.iter().for_each(|one| topics.entry(&one.topic).or_default().push(one.index));
    let topics = topics.into_iter().map(|(topic, indexes)| {
        let name = TopicName(StrBytes::from_string(topic.to_owned()));
        WritableTxnMarkerTopic::default().with_name(name).with_partition_indexes(indexes)
    });
    let marker = WritableTxnMarker::default()
        .with_producer_id(ending.producer.0.into())
        .with_producer_epoch(ending.epoch)
        .with_transaction_result(ending.outcome == Outcome::Commit)
        .with_coordinator_epoch(ending.coordinator_epoch)
        .with_topics(topics.collect());
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    match broker.peers.ask(leader, &request, VERSION, ANSWER_MAX).await {
        Ok(response) => understand(response),
        Err(_) => Vec::new(),
    }
}

fn understand(response: WriteTxnMarkersResponse) -> Answers {
    let topics = response.markers.into_iter().flat_map(|marker| marker.topics);
    let answers = topics.flat_map(|topic| {
        let name = topic.name.to_string();
        topic.partitions.into_iter().map(move |part| {
            let id = TopicPartition { topic: name.clone(), index: part.partition_index };
            (id, ResponseError::try_from_code(part.error_code).map_or(Ok(()), Err))
        })
    });
    answers.collect()
}
