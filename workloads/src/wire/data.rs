//! Producing one batch, once, and fetching one window.

use super::connection::Connection;
use super::error::WireError;
use super::records::{self, Batch, BatchBody, Producer};
use crate::clock::Deadline;
use history::{Offset, Record, Value};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{FetchRequest, ProduceRequest, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeSet;

/// Which records a fetch or an end offset covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(i8)]
pub enum Isolation {
    /// Up to the high watermark.
    #[default]
    ReadUncommitted = 0,
    /// Up to the last stable offset.
    ReadCommitted = 1,
}

/// A window of a log to be fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Its first offset.
    pub from: Offset,
    /// Bytes of batches asked for; a first batch that is larger comes whole all the same (KIP-74).
    pub bytes_max: i32,
    /// How long the broker may wait for a first record.
    pub wait_ms: i32,
    /// Which records it covers.
    pub isolation: Isolation,
}

/// A window as a broker answered it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// Where it began.
    pub from: Offset,
    /// Its batches; the first may begin before `from`.
    pub batches: Vec<Batch>,
    /// One past the last offset the batches cover; `from` where there are none.
    pub next: Offset,
    /// As told with it.
    pub high_watermark: Offset,
    /// As told with it; −1 where the broker does not say.
    pub last_stable: Offset,
    /// As told with it; −1 where the broker does not say.
    pub log_start: Offset,
    /// Aborted transactions within it: producer id and first offset.
    pub aborted: Vec<(i64, Offset)>,
}

impl Fetched {
    /// The window's records, as `run` reads them: each record by its payload, each offset of a control batch as a marker,
    /// each that a corrupt batch may have held as corrupt.
    pub fn read(&self, run: u64) -> Vec<Record> {
        let mut out = Vec::new();
        for batch in &self.batches {
            match &batch.body {
                BatchBody::Records(records) => out.extend(records.iter().map(|(offset, value)| {
                    let payload = history::payload::decode(run, value.as_deref().unwrap_or(&[]));
                    Record { offset: *offset, value: payload.value() }
                })),
                BatchBody::Control => out.extend(span(batch, Value::MARKER)),
                BatchBody::Corrupt(_) => out.extend(span(batch, Value::CORRUPT)),
            }
        }
        out.retain(|r| r.offset >= self.from);
        out
    }
}

impl Fetched {
    /// Whether it has batches of which compaction left nothing: none of its `records`, and yet no end.
    pub fn is_hollow(&self, records: &[Record]) -> bool {
        records.is_empty() && self.next > self.from
    }

    /// Whether nothing readable is missing from it for a reader of committed records: it has no transaction's record in it and
    /// ends where readable records end.
    pub fn is_whole(&self) -> bool {
        let plain = |batch: &Batch| !batch.transactional && batch.body != BatchBody::Control;
        self.batches.iter().all(plain) && (self.last_stable.0 < 0 || self.last_stable == self.high_watermark)
    }

    /// The same without markers and without the records of aborted transactions: what a reader of committed records is given.
    pub fn committed(&self, run: u64) -> Vec<Record> {
        let mut starts: Vec<(Offset, i64)> = self.aborted.iter().map(|(producer, first)| (*first, *producer)).collect();
        starts.sort_unstable();
        let mut starts = starts.into_iter().peekable();
        let mut aborting = BTreeSet::new();
        let mut kept = Vec::new();
        for batch in &self.batches {
            while let Some((_, producer)) = starts.next_if(|(first, _)| *first <= batch.last) {
                aborting.insert(producer);
            }
            let producer = batch.producer.map(|producer| producer.id);
            match (&batch.body, producer) {
                (BatchBody::Control, Some(producer)) => _ = aborting.remove(&producer),
                (_, Some(producer)) if batch.transactional && aborting.contains(&producer) => {}
                _ => kept.push(batch.clone()),
            }
        }
        Fetched { batches: kept, ..self.clone() }.read(run)
    }
}

fn span(batch: &Batch, value: Value) -> impl Iterator<Item = Record> + use<> {
    (batch.base.0..=batch.last.0).map(move |o| Record { offset: Offset(o), value })
}

/// What became of a batch that a broker took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of its first record; −1 where the broker does not say.
    pub base: Offset,
}

/// A batch to be appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Append<'a> {
    /// Its records.
    pub values: &'a [&'a [u8]],
    /// The key of every one of them.
    pub key: Option<&'a [u8]>,
    /// CreateTime, ms since 1970.
    pub timestamp_ms: i64,
    /// Makes it idempotent.
    pub producer: Option<Producer>,
    /// The transactional id under which its producer has a transaction open.
    pub transaction: Option<&'a str>,
    /// 0, 1 or −1 for all.
    pub acks: i16,
    /// How long the leader may wait for its replicas.
    pub replicas_ms_max: i32,
}

impl Connection {
    /// Appends a batch to a partition, by one request. With `acks` 0 there is no answer and no offset.
    pub fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        append: Append<'_>,
        deadline: Deadline,
    ) -> Result<Appended, WireError> {
        let batch = records::encode(append);
        let partition_data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
        let topic_data =
            TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![partition_data]);
        let id = append.transaction.map(|id| TransactionalId(StrBytes::from_string(id.to_owned())));
        let request = ProduceRequest::default()
            .with_transactional_id(id)
            .with_acks(append.acks)
            .with_timeout_ms(append.replicas_ms_max)
            .with_topic_data(vec![topic_data]);
        if append.acks == 0 {
            self.send(&request, deadline)?;
            return Ok(Appended { base: Offset::UNKNOWN });
        }
        let answer = self.call(&request, deadline)?;
        let told = answer.responses.iter().flat_map(|t| &t.partition_responses).find(|p| p.index == partition);
        let told = told.ok_or_else(|| self.protocol(format!("no answer about {topic}-{partition}")))?;
        WireError::check_with("Produce", told.error_code, told.error_message.as_deref())?;
        Ok(Appended { base: Offset(told.base_offset) })
    }

    /// Fetches one window of a partition.
    pub fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        window: Window,
        deadline: Deadline,
    ) -> Result<Fetched, WireError> {
        let mut answer = self.call(&fetch_request(topic, partition, window), deadline)?;
        WireError::check("Fetch", answer.error_code)?;
        let told = answer.responses.iter_mut().flat_map(|t| &mut t.partitions).find(|p| p.partition_index == partition);
        let told = told.ok_or_else(|| self.protocol(format!("no answer about {topic}-{partition}")))?;
        WireError::check("Fetch", told.error_code)?;
        fetched(window, told).map_err(|what| self.protocol(format!("fetch of {topic}-{partition}: {what}")))
    }
}

fn fetch_request(topic: &str, partition: i32, window: Window) -> FetchRequest {
    let part = FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(window.from.0)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(window.bytes_max);
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(window.wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(window.bytes_max)
        .with_isolation_level(window.isolation as i8)
        .with_session_epoch(-1)
        .with_topics(vec![FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![part])])
}

fn fetched(window: Window, told: &mut PartitionData) -> Result<Fetched, String> {
    let (batches, left_over) = records::batches(told.records.take().unwrap_or_default());
    if batches.is_empty() && left_over > 0 {
        // An empty window proves something; one whose first batch was cut short must not pass for it.
        return Err(format!("its first batch is cut short after {left_over} bytes"));
    }
    let next = batches.last().map_or(window.from.0, |b| b.last.0 + 1).max(window.from.0);
    let aborted = told.aborted_transactions.take().unwrap_or_default();
    Ok(Fetched {
        from: window.from,
        batches,
        next: Offset(next),
        high_watermark: Offset(told.high_watermark),
        last_stable: Offset(told.last_stable_offset),
        log_start: Offset(told.log_start_offset),
        aborted: aborted.iter().map(|a| (a.producer_id.0, Offset(a.first_offset))).collect(),
    })
}

pub(super) fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window from 5 whose one batch ends at 9 and has records at these offsets.
    fn window(offsets: &[i64]) -> Fetched {
        let records = offsets.iter().map(|offset| (Offset(*offset), None)).collect();
        let batch = Batch {
            base: Offset(0),
            last: Offset(9),
            epoch: history::LeaderEpoch(1),
            producer: None,
            transactional: false,
            body: BatchBody::Records(records),
        };
        let [end, start] = [Offset(20), Offset(0)];
        Fetched {
            from: Offset(5),
            batches: vec![batch],
            next: Offset(10),
            high_watermark: end,
            last_stable: end,
            log_start: start,
            aborted: Vec::new(),
        }
    }

    #[test]
    fn a_window_that_compaction_left_nothing_in_proves_no_end() {
        let is_hollow = |fetched: &Fetched| fetched.is_hollow(&fetched.read(1));
        assert!(is_hollow(&window(&[])));
        assert!(is_hollow(&window(&[1, 4])), "records before the window are none of it");
        assert!(!is_hollow(&window(&[4, 5])));
        let nothing = Fetched { batches: Vec::new(), next: Offset(5), ..window(&[]) };
        assert!(!is_hollow(&nothing), "the log ends there");
    }
}
