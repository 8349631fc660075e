//! A bare librdkafka producer, to measure a cluster and nothing of ours: how many records a second are acknowledged, and
//! how long one takes to be.
//!
//! acks=all and idempotent, as the durable preset. Deliberately without a journal: what is measured here is not judged.

use crate::clock::Deadline;
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PATIENCE_MS: u64 = 60_000;
const POLL: Duration = Duration::from_micros(50);
const POLL_EVERY: u64 = 500;

/// Where to and how large.
#[derive(Clone, Debug)]
pub struct Target {
    /// `bootstrap.servers`
    pub bootstrap: String,
    /// The topic.
    pub topic: String,
    /// Bytes of a record's value.
    pub record_bytes: usize,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The client said no.
    #[error(transparent)]
    Client(#[from] KafkaError),
    /// Records were not delivered, or not in time.
    #[error("{delivered} of {sent} records were acknowledged, {failed} failed")]
    Undelivered {
        /// Handed over.
        sent: u64,
        /// Acknowledged.
        delivered: u64,
        /// Reported as failed.
        failed: u64,
    },
}

#[derive(Default)]
struct Reports {
    delivered: AtomicU64,
    failed: AtomicU64,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let count = if result.is_ok() { &self.delivered } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Time from the first record handed over to the last one acknowledged.
///
/// # Errors
/// [`MeasureError`].
pub fn throughput(target: &Target, records: u64) -> Result<Duration, MeasureError> {
    let producer = producer(target, "5")?;
    let payload = vec![b'x'; target.record_bytes];
    let began = Instant::now();
    for number in 1..=records {
        hand_over(&producer, target, &payload)?;
        if number % POLL_EVERY == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    await_all(&producer, records)?;
    Ok(began.elapsed())
}

/// Times from handing one record over to its acknowledgement, one record at a time, sorted.
///
/// # Errors
/// [`MeasureError`].
pub fn round_trips(target: &Target, count: u64) -> Result<Vec<Duration>, MeasureError> {
    let producer = producer(target, "0")?;
    let payload = vec![b'x'; target.record_bytes];
    let mut times = Vec::new();
    for number in 1..=count {
        let began = Instant::now();
        hand_over(&producer, target, &payload)?;
        await_all(&producer, number)?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

fn producer(target: &Target, linger_ms: &str) -> Result<BaseProducer<Reports>, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", &target.bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", linger_ms)
        .set("queue.buffering.max.messages", "200000")
        .create_with_context(Reports::default())
}

fn hand_over(producer: &BaseProducer<Reports>, target: &Target, payload: &[u8]) -> Result<(), KafkaError> {
    let mut record = BaseRecord::<(), [u8]>::to(&target.topic).payload(payload);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(POLL);
            }
            Err((error, _)) => return Err(error),
        }
    }
}

fn await_all(producer: &BaseProducer<Reports>, sent: u64) -> Result<(), MeasureError> {
    let (reports, deadline) = (producer.context(), Deadline::in_ms(PATIENCE_MS));
    loop {
        let delivered = reports.delivered.load(Ordering::Relaxed);
        let failed = reports.failed.load(Ordering::Relaxed);
        if delivered == sent {
            return Ok(());
        }
        if delivered + failed >= sent || deadline.passed() {
            return Err(MeasureError::Undelivered { sent, delivered, failed });
        }
        producer.poll(POLL);
    }
}
