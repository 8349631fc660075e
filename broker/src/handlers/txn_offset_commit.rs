//! TxnOffsetCommit (28): positions of a group that count when a transaction is committed (KIP-98, KIP-447).
//!
//! The group's coordinator takes them only from a transaction that is open in its partition, or of which the
//! transaction's coordinator says so (KIP-890): positions that came after the end would be pending for ever.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::groups::{PositionCheck, any_group};
use crate::broker::Broker;
use crate::bugs::Bug;
use crate::clock;
use crate::coordinator::InTransaction;
use crate::coordinator::transaction::{AddPartitions, Producer, Question};
use crate::groups::desk::Done;
use crate::groups::{Committer, Leaver, OffsetValue, Record};
use crate::ids::TopicPartition;
use crate::log::ProducerId;
use crate::partition::verified::Ticket;
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{Field, INT, LONG, SHORT, Shape, always, since};

/// Before this version a client does not come again for COORDINATOR_LOAD_IN_PROGRESS.
const LOADING_SINCE: i16 = 2;
/// How often a question is asked again because a transaction ended in the partition meanwhile.
const TRIES_MAX: usize = 20;

const PARTITION: &[Field] = &[always(INT), always(LONG), since(2, INT), always(Text)];
/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 3,
    fields: &[
        always(Text),
        always(Text),
        always(LONG),
        always(SHORT),
        since(3, INT),
        since(3, Text),
        since(3, Text),
        always(Structs(&[always(Text), always(Structs(PARTITION))])),
    ],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<TxnOffsetCommitRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (broker, version) = (broker.clone(), call.version);
    call.later::<TxnOffsetCommitRequest, _>(async move {
        let refusals = refusals(&broker, &request);
        let stored = store(&broker, &request, &refusals).await;
        let stored = stored.map_err(|error| match error {
            ResponseError::CoordinatorLoadInProgress if version < LOADING_SINCE => {
                ResponseError::CoordinatorNotAvailable
            }
            other => other,
        });
        response(&request, &refusals, stored)
    })
}

/// Why each partition is refused by itself, in the order of the request.
fn refusals(broker: &Broker, request: &TxnOffsetCommitRequest) -> Vec<Option<ResponseError>> {
    let check = PositionCheck::of(broker);
    let parts = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |part| (topic, part)));
    let why =
        parts.map(|(topic, part)| check.refusal(&topic.name, part.partition_index, part.committed_metadata.as_ref()));
    why.collect()
}

async fn store(
    broker: &Broker,
    request: &TxnOffsetCommitRequest,
    refusals: &[Option<ResponseError>],
) -> Result<(), ResponseError> {
    let group = any_group(&request.group_id)?;
    let coordinator = broker.groups.coordinator();
    let shard = coordinator.shard(coordinator.index_of(group)?)?;
    let partition = shard.partition().clone();
    for _ in 0..TRIES_MAX {
        let ticket = partition.ticket().map_err(|_| ResponseError::NotCoordinator)?;
        let (producer, epoch) = (ProducerId(request.producer_id.0), request.producer_epoch);
        if !partition.has_open_transaction(producer, epoch) {
            verify(broker, request, partition.id().clone()).await?;
        }
        match act(broker, request, refusals, ticket) {
            Err(ResponseError::ConcurrentTransactions) => {}
            done => return broker.groups.safe(done?).await,
        }
    }
    Err(ResponseError::CoordinatorNotAvailable)
}

async fn verify(broker: &Broker, request: &TxnOffsetCommitRequest, one: TopicPartition) -> Result<(), ResponseError> {
    if !broker.config.values().flag("transaction.partition.verification.enable") {
        return Ok(());
    }
    let producer = Producer {
        id: request.transactional_id.to_string(),
        producer: ProducerId(request.producer_id.0),
        epoch: request.producer_epoch,
    };
    let question = Question(AddPartitions { producer, partitions: BTreeSet::from([one.clone()]) });
    let answer = question.ask(broker).await.remove(&one).unwrap_or(Err(ResponseError::CoordinatorNotAvailable));
    answer.map_err(|error| match error {
        ResponseError::NotEnoughReplicas => ResponseError::CoordinatorNotAvailable,
        other => other,
    })
}

/// Puts the positions on record; CONCURRENT_TRANSACTIONS if a transaction ended here since the ticket was taken.
fn act(
    broker: &Broker,
    request: &TxnOffsetCommitRequest,
    refusals: &[Option<ResponseError>],
    ticket: Ticket,
) -> Result<Done<()>, ResponseError> {
    let (group, by) = (any_group(&request.group_id)?, committer(request));
    let coordinator = broker.groups.coordinator();
    let shard = coordinator.shard(coordinator.index_of(group)?)?;
    let partition = shard.partition().clone();
    let of = InTransaction { producer: ProducerId(request.producer_id.0), epoch: request.producer_epoch };
    let within = (!broker.config.bugs.has(Bug::OffsetsOutsideTransaction)).then_some(of);
    broker.groups.act_in(&shard, within, |groups, now, out| {
        if partition.ticket().ok() != Some(ticket) {
            return Err(ResponseError::ConcurrentTransactions);
        }
        groups.may_commit(group, &by, true, now)?;
        out.records = records(request, refusals, group);
        Ok(())
    })
}

fn committer(request: &TxnOffsetCommitRequest) -> Committer {
    let who = Leaver {
        member: request.member_id.to_string(),
        instance: request.group_instance_id.as_ref().map(ToString::to_string),
    };
    Committer { who, generation: request.generation_id }
}

fn records(request: &TxnOffsetCommitRequest, refusals: &[Option<ResponseError>], group: &str) -> Vec<Record> {
    let now_ms = clock::wall_ms();
    let parts = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |part| (topic, part)));
    let taken = parts.zip(refusals).filter(|(_, refusal)| refusal.is_none());
    let records = taken.map(|((topic, part), _)| {
        let partition = TopicPartition { topic: topic.name.to_string(), index: part.partition_index };
        Record::Offset(group.to_owned(), partition, value(part, now_ms))
    });
    records.collect()
}

fn value(part: &TxnOffsetCommitRequestPartition, now_ms: i64) -> OffsetValue {
    OffsetValue {
        offset: part.committed_offset,
        leader_epoch: part.committed_leader_epoch.max(-1),
        metadata: part.committed_metadata.as_ref().map(ToString::to_string).unwrap_or_default(),
        committed_ms: now_ms,
        expires_ms: None,
    }
}

fn response(
    request: &TxnOffsetCommitRequest,
    refusals: &[Option<ResponseError>],
    stored: Result<(), ResponseError>,
) -> TxnOffsetCommitResponse {
    let mut refusals = refusals.iter();
    let topics = request.topics.iter().map(|topic| {
        let parts = topic.partitions.iter().map(|part| {
            let error = stored.err().or(refusals.next().copied().flatten());
            let answer = TxnOffsetCommitResponsePartition::default().with_partition_index(part.partition_index);
            answer.with_error_code(error.map_or(0, |error| error.code()))
        });
        let parts = parts.collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(parts)
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}
