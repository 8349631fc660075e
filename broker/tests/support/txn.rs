//! A transactional producer that speaks raw requests, one step at a time.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use super::batch::{numbered, transactional, values};
use super::wire::{Wire, name};
use super::{Cluster, until};

/// Errors that pass.
const PASSING: [ResponseError; 4] = [
    ResponseError::CoordinatorLoadInProgress,
    ResponseError::CoordinatorNotAvailable,
    ResponseError::NotCoordinator,
    ResponseError::ConcurrentTransactions,
];

#[derive(Clone, Debug)]
pub struct Txn {
    pub id: String,
    pub producer: i64,
    pub epoch: i16,
    pub sequence: i32,
}

pub fn code(error: ResponseError) -> i16 {
    error.code()
}

pub fn passes(code: i16) -> bool {
    PASSING.iter().any(|error| error.code() == code)
}

fn txn_id(id: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(id.to_owned()))
}

/// The coordinator of a transactional id, as the broker `by` knows it.
pub fn coordinator(cluster: &Cluster, by: i32, id: &str) -> i32 {
    let keys = vec![StrBytes::from_string(id.to_owned())];
    let request = FindCoordinatorRequest::default().with_key_type(1).with_coordinator_keys(keys);
    until("a coordinator", || {
        let found = cluster.wire(by).try_call(&request, 4)?.coordinators.pop()?;
        (found.error_code == 0).then_some(found.node_id.0)
    })
}

pub fn init_request(id: &str, timeout_ms: i32, bearer: Option<(i64, i16)>) -> InitProducerIdRequest {
    let (producer, epoch) = bearer.unwrap_or((-1, -1));
    InitProducerIdRequest::default()
        .with_transactional_id(Some(txn_id(id)))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id(producer.into())
        .with_producer_epoch(epoch)
}

impl Txn {
    /// A new producer under a transactional id; comes again while told to.
    pub fn init(wire: &mut Wire, id: &str, timeout_ms: i32) -> Txn {
        let answer = until("an identity", || {
            let answer = wire.call(&init_request(id, timeout_ms, None), 4);
            (!passes(answer.error_code)).then_some(answer)
        });
        assert_eq!(answer.error_code, 0);
        Txn { id: id.to_owned(), producer: answer.producer_id.0, epoch: answer.producer_epoch, sequence: 0 }
    }

    pub fn add_once(&self, wire: &mut Wire, topic: &str, version: i16) -> i16 {
        let topic = AddPartitionsToTxnTopic::default().with_name(name(topic)).with_partitions(vec![0]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(txn_id(&self.id))
            .with_v3_and_below_producer_id(self.producer.into())
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let mut answer = wire.call(&request, version).results_by_topic_v3_and_below;
        answer.remove(0).results_by_partition.remove(0).partition_error_code
    }

    pub fn add(&self, wire: &mut Wire, topic: &str) {
        let answer =
            until("partitions to be added", || Some(self.add_once(wire, topic, 3)).filter(|answer| !passes(*answer)));
        assert_eq!(answer, 0);
    }

    pub fn request(&mut self, topic: &str, prefix: &str, count: usize) -> ProduceRequest {
        let records = transactional(&numbered(prefix, count), (self.producer, self.epoch, self.sequence));
        self.sequence += count as i32;
        self.request_of(topic, records)
    }

    pub fn request_of(&self, topic: &str, records: Bytes) -> ProduceRequest {
        Wire::produce_request(topic, 0, records, -1, 10_000).with_transactional_id(Some(txn_id(&self.id)))
    }

    pub fn produce(&mut self, wire: &mut Wire, topic: &str, prefix: &str, count: usize) -> PartitionProduceResponse {
        let request = self.request(topic, prefix, count);
        wire.call(&request, 9).responses.remove(0).partition_responses.remove(0)
    }

    pub fn end_request(&self, commit: bool) -> EndTxnRequest {
        EndTxnRequest::default()
            .with_transactional_id(txn_id(&self.id))
            .with_producer_id(self.producer.into())
            .with_producer_epoch(self.epoch)
            .with_committed(commit)
    }

    pub fn end_once(&self, wire: &mut Wire, commit: bool) -> i16 {
        wire.call(&self.end_request(commit), 3).error_code
    }

    /// Ends the transaction, and comes again while told to.
    pub fn end(&self, wire: &mut Wire, commit: bool) {
        let answer = until("an end", || Some(self.end_once(wire, commit)).filter(|answer| !passes(*answer)));
        assert_eq!(answer, 0);
    }
}

/// Reads from an offset up to the last stable offset.
pub fn fetch_committed(wire: &mut Wire, topic: &str, offset: i64) -> PartitionData {
    let part = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let request = Wire::fetch_request(topic, part, 0).with_isolation_level(1);
    wire.call(&request, 12).responses.remove(0).partitions.remove(0)
}

/// What a read-committed consumer makes of a partition: values without those of aborted transactions.
pub fn committed(wire: &mut Wire, topic: &str) -> Vec<String> {
    let (mut offset, mut seen) = (0, Vec::new());
    loop {
        let data = fetch_committed(wire, topic, offset);
        assert_eq!(data.error_code, 0);
        let records = data.records.unwrap_or_default();
        let Some(next) = filter(&records, &data.aborted_transactions.unwrap_or_default(), &mut seen) else {
            return seen;
        };
        offset = next;
    }
}

/// Kafka's consumer: a producer is aborted from an entry's first offset up to its next abort marker.
fn filter(mut records: &[u8], aborted: &[fetch_response::AbortedTransaction], seen: &mut Vec<String>) -> Option<i64> {
    let mut entries = aborted.to_vec();
    let (mut ignored, mut next) = (std::collections::BTreeSet::new(), None);
    while records.len() >= 61 {
        let size = 12 + u32::from_be_bytes(records[8..12].try_into().unwrap()) as usize;
        let batch = Bytes::copy_from_slice(&records[..size]);
        records = &records[size..];
        let field = |from: usize| i64::from_be_bytes(batch[from..from + 8].try_into().unwrap());
        let last = field(0) + i64::from(u32::from_be_bytes(batch[23..27].try_into().unwrap()));
        let (producer, control) = (field(43), batch[22] & 0x20 != 0);
        entries.retain(|entry| {
            let begun = entry.first_offset <= last;
            if begun {
                ignored.insert(entry.producer_id.0);
            }
            !begun
        });
        if control {
            let aborts = batch[61 + 5 + 3] == 0;
            if aborts {
                ignored.remove(&producer);
            }
        } else if !ignored.contains(&producer) || batch[22] & 0x10 == 0 {
            seen.extend(values(batch).into_iter().map(|(_, value)| value));
        }
        next = Some(last + 1);
    }
    next
}

impl Txn {
    /// The transaction is to touch a group's offsets; comes again while told to.
    pub fn add_offsets(&self, wire: &mut Wire, group: &str) {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(txn_id(&self.id))
            .with_producer_id(self.producer.into())
            .with_producer_epoch(self.epoch)
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())));
        let answer =
            until("offsets to be added", || Some(wire.call(&request, 3).error_code).filter(|answer| !passes(*answer)));
        assert_eq!(answer, 0);
    }

    /// Sends a position in `t` to the transaction; the error of the partition.
    pub fn send_offset(&self, wire: &mut Wire, group: &str, offset: i64) -> i16 {
        let part = txn_offset_commit_request::TxnOffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(-1);
        let topic = txn_offset_commit_request::TxnOffsetCommitRequestTopic::default().with_name(name("t"));
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(txn_id(&self.id))
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_producer_id(self.producer.into())
            .with_producer_epoch(self.epoch)
            .with_generation_id(-1)
            .with_topics(vec![topic.with_partitions(vec![part])]);
        until("an answer about the position", || {
            let answer = wire.call(&request, 3).topics.remove(0).partitions.remove(0).error_code;
            Some(answer).filter(|answer| !passes(*answer))
        })
    }
}
