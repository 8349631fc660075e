//! A consumer: librdkafka, polled in small batches.
//!
//! Each batch becomes one journalled poll per log, from before its first poll to after its last record was decoded.
//! **Invariant:** records of a log stand in the order in which librdkafka handed them over, whatever their offsets.

use super::producer::name_of;
use super::status::{Counts, Tally};
use super::{ClientError, Context};
use crate::clock;
use crate::journal::Subject;
use crate::spec::{ConsumerSpec, LogPlace};
use history::{Kind, LogId, Nanos, Offset, ProcessId, Record};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const BATCH_RECORDS_MAX: usize = 500;
const FIRST_POLL: Duration = Duration::from_millis(100);

/// Runs a consumer until the process is asked to stop.
pub fn run(context: &Context, spec: &ConsumerSpec, logs: &[LogId]) -> Result<Tally, ClientError> {
    let mut reader = Reader::start(context, spec.process, &spec.properties, logs)?;
    while !context.stop.asked() {
        reader.poll(FIRST_POLL)?;
    }
    let sent = reader.counts.sent.load(Ordering::Relaxed);
    Ok(reader.counts.tally(spec.process, sent, 0))
}

/// A client that reads logs from their beginning, and what it has read so far.
pub(super) struct Reader<'a> {
    context: &'a Context,
    process: ProcessId,
    library: BaseConsumer<Events>,
    counts: Arc<Counts>,
    batch: Batch,
}

impl<'a> Reader<'a> {
    /// Sets the client up.
    pub(super) fn start(
        context: &'a Context,
        process: ProcessId,
        properties: &BTreeMap<String, String>,
        logs: &[LogId],
    ) -> Result<Reader<'a>, ClientError> {
        let mut config: ClientConfig = properties.clone().into_iter().collect();
        config.set("bootstrap.servers", context.spec.bootstrap.join(","));
        if config.get("group.id").is_none() {
            config.set("group.id", format!("stormglass-{}", context.spec.name));
        }
        let counts = Arc::new(Counts::default());
        let library: BaseConsumer<Events> = config.create_with_context(Events { counts: counts.clone() })?;
        library.assign(&from_the_beginning(&context.spec.logs, logs)?)?;
        let batch = Batch::new(&context.spec.logs, context.spec.run);
        Ok(Reader { context, process, library, counts, batch })
    }

    /// Waits so long for a record at most, takes what else is there already, and journals it.
    pub(super) fn poll(&mut self, wait: Duration) -> Result<(), ClientError> {
        let invoked = clock::now();
        self.batch.fill(&self.library, wait, &self.counts);
        self.batch.flush(self.context, self.process, invoked, &self.counts)
    }
}

fn from_the_beginning(places: &[LogPlace], wanted: &[LogId]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for place in places.iter().filter(|p| wanted.contains(&p.id)) {
        list.add_partition_offset(&place.topic, place.partition, rdkafka::Offset::Beginning)?;
    }
    Ok(list)
}

/// Counts what librdkafka complains of.
struct Events {
    counts: Arc<Counts>,
}

impl ClientContext for Events {
    fn error(&self, error: KafkaError, _reason: &str) {
        self.counts.error(&name_of(&error));
    }
}

impl ConsumerContext for Events {}

/// Records polled and not yet journalled.
struct Batch {
    run: u64,
    topics: HashMap<String, HashMap<i32, usize>>,
    logs: Vec<(LogId, Vec<Record>)>,
}

impl Batch {
    fn new(places: &[LogPlace], run: u64) -> Batch {
        let mut topics: HashMap<String, HashMap<i32, usize>> = HashMap::new();
        for (n, place) in places.iter().enumerate() {
            topics.entry(place.topic.clone()).or_default().insert(place.partition, n);
        }
        Batch { run, topics, logs: places.iter().map(|p| (p.id, Vec::new())).collect() }
    }

    /// Waits for a record and takes what else is there already.
    fn fill(&mut self, library: &BaseConsumer<Events>, mut wait: Duration, counts: &Counts) {
        for _ in 0..BATCH_RECORDS_MAX {
            match library.poll(wait) {
                None => break,
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => counts.error(&name_of(&error)),
            }
            wait = Duration::ZERO;
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let Some(&n) = self.topics.get(message.topic()).and_then(|t| t.get(&message.partition())) else { return };
        let value = history::payload::decode(self.run, message.payload().unwrap_or(&[])).value();
        self.logs[n].1.push(Record { offset: Offset(message.offset()), value });
    }

    fn flush(
        &mut self,
        context: &Context,
        process: ProcessId,
        invoked: Nanos,
        counts: &Counts,
    ) -> Result<(), ClientError> {
        for (log, records) in &mut self.logs {
            let Some(first) = records.first() else { continue };
            let subject = Subject { process, kind: Kind::Poll, log: *log, detail: first.offset.0 as u64 };
            context.journal.read(subject, invoked, records)?;
            counts.sent.fetch_add(1, Ordering::Relaxed);
            counts.records.fetch_add(records.len() as u64, Ordering::Relaxed);
            counts.outcome(history::Outcome::Ok);
            records.clear();
        }
        Ok(())
    }
}
