//! A producer: librdkafka, one thread that hands over by plan, one that hears delivery reports.
//!
//! **Invariants:** each record is invoked in the journal exactly once, before its first produce call; a full queue makes the
//! plan late, never shorter; a record's sequence is its place in the order of hand-over.

use super::generator::{Draft, Generator, Plan};
use super::outstanding::Outstanding;
use super::status::{Counts, Tally};
use super::{ClientError, Context};
use crate::clock::{self, Deadline};
use crate::errors::{self, Persistence, Stage};
use crate::journal::{Answer, Journal, Subject};
use crate::spec::{ClientSpec, Load, LogPlace, ProducerSpec};
use history::{Kind, LogId, Nanos, Offset, ProcessId, Value, WriterId};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Behind its plan by more than this a record is late, ns.
const LATE_NS: u64 = 1_000_000;
const FULL_QUEUE_WAIT_MS: u64 = 10;
const IDLE_MS: u64 = 1_000;
const WARM_UP_MS_MAX: u64 = 5_000;
const REPORT_POLL: Duration = Duration::from_millis(50);
const SEQUENCE_BITS: u32 = 40;

/// Runs a producer until its load is done or the process is asked to stop.
pub fn run(context: &Context, spec: &ProducerSpec) -> Result<Tally, ClientError> {
    let producer = Producer::start(context, spec)?;
    let ended = AtomicBool::new(false);
    let intended = thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Acquire) {
                producer.library.poll(REPORT_POLL);
            }
        });
        let _at_the_end = Raise(&ended);
        producer.generate(context, spec)
    })?;
    let Producer { library, counts, outstanding, .. } = producer;
    // Ending the library reports what it gives up, as unknown.
    drop(library);
    Ok(counts.tally(spec.process, intended, outstanding.count()))
}

/// Raises a flag when it goes out of scope, by whatever way.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

struct Producer {
    library: BaseProducer<Reports>,
    counts: Arc<Counts>,
    outstanding: Arc<Outstanding>,
    journal: Arc<Journal>,
    spec: Arc<ClientSpec>,
    process: ProcessId,
    record_bytes: usize,
}

impl Producer {
    fn start(context: &Context, spec: &ProducerSpec) -> Result<Producer, ClientError> {
        let (counts, outstanding) = (Arc::new(Counts::default()), Arc::new(Outstanding::default()));
        let reports = Reports {
            journal: context.journal.clone(),
            counts: counts.clone(),
            outstanding: outstanding.clone(),
            process: spec.process,
            writer: spec.writer,
        };
        let mut config: ClientConfig = spec.properties.clone().into_iter().collect();
        config.set("bootstrap.servers", context.spec.bootstrap.join(","));
        Ok(Producer {
            library: config.create_with_context(reports)?,
            counts,
            outstanding,
            journal: context.journal.clone(),
            spec: context.spec.clone(),
            process: spec.process,
            record_bytes: spec.record_bytes,
        })
    }

    /// Hands records over until the end, waits for their reports, and returns how many the plan wanted.
    fn generate(&self, context: &Context, spec: &ProducerSpec) -> Result<u64, ClientError> {
        let drafts = Generator::new(spec, &self.spec.logs, self.spec.seed);
        let (intended, reports_ms_max) = match spec.load {
            Load::OpenLoop { per_second } => (self.open_loop(context, drafts, per_second)?, self.spec.flush_ms_max),
            Load::ClosedLoop { outstanding_max } => {
                (self.closed_loop(context, drafts, outstanding_max)?, self.spec.flush_ms_max)
            }
            Load::Wave { records, wait_ms_max } => (self.wave(context, drafts, records)?, wait_ms_max),
        };
        self.await_reports(context, reports_ms_max);
        Ok(intended)
    }

    /// Waits for the reports that are still due, but no longer than the process may take once it is asked to end.
    fn await_reports(&self, context: &Context, reports_ms_max: u64) {
        let (patient, mut hasty) = (Deadline::in_ms(reports_ms_max), None);
        loop {
            if context.stop.asked() {
                hasty.get_or_insert(patient.but_at_most_ms(self.spec.flush_ms_max));
            }
            let until = hasty.unwrap_or(patient);
            if self.outstanding.wait_below(1, until.but_at_most_ms(FULL_QUEUE_WAIT_MS)) || until.passed() {
                return;
            }
        }
    }

    fn open_loop(&self, context: &Context, mut drafts: Generator, per_second: f64) -> Result<u64, ClientError> {
        let mut payload = Vec::new();
        let first = self.warm_up(context, &mut drafts, &mut payload)?;
        let plan = Plan::new(clock::now(), per_second);
        for (n, draft) in drafts.enumerate() {
            let due = plan.due(n as u64);
            if context.stop.wait(Deadline(due)) || self.ended(context) {
                break;
            }
            self.hand_over(context, draft, due, &mut payload)?;
        }
        Ok(first + plan.intended(clock::now()))
    }

    /// A record for each log, and their reports: connections, metadata and producer id are there when the plan begins, so
    /// that its latencies are the cluster's and not the client's start. Returns how many records that took.
    fn warm_up(&self, context: &Context, drafts: &mut Generator, payload: &mut Vec<u8>) -> Result<u64, ClientError> {
        let records = self.spec.logs.len();
        for draft in drafts.take(records) {
            self.hand_over(context, draft, clock::now(), payload)?;
        }
        let deadline = Deadline::in_ms(WARM_UP_MS_MAX);
        let warm = || self.outstanding.wait_below(1, deadline.but_at_most_ms(FULL_QUEUE_WAIT_MS));
        while !warm() && !deadline.passed() && !context.stop.asked() {}
        Ok(records as u64)
    }

    fn closed_loop(&self, context: &Context, drafts: Generator, outstanding_max: u64) -> Result<u64, ClientError> {
        let mut payload = Vec::new();
        for draft in drafts {
            let room = || self.outstanding.wait_below(outstanding_max, Deadline::in_ms(FULL_QUEUE_WAIT_MS));
            while !room() && !context.stop.asked() {}
            if context.stop.asked() || self.ended(context) {
                break;
            }
            self.hand_over(context, draft, clock::now(), &mut payload)?;
        }
        Ok(self.counts.sent.load(Ordering::Relaxed))
    }

    fn wave(&self, context: &Context, drafts: Generator, records: u64) -> Result<u64, ClientError> {
        let mut payload = Vec::new();
        for draft in drafts.take(usize::try_from(records).unwrap_or(usize::MAX)) {
            if context.stop.asked() || self.counts.ended() {
                break;
            }
            self.hand_over(context, draft, clock::now(), &mut payload)?;
        }
        Ok(records)
    }

    /// True once librdkafka will take nothing more, but not before the process is asked to end: a load that never ends by
    /// itself does not end by an error either.
    fn ended(&self, context: &Context) -> bool {
        while self.counts.ended() && !context.stop.wait(Deadline::in_ms(IDLE_MS)) {}
        self.counts.ended()
    }

    /// Journals the invocation, then gives the record to librdkafka, waiting while its queue is full.
    fn hand_over(&self, context: &Context, draft: Draft, due: Nanos, payload: &mut Vec<u8>) -> Result<(), ClientError> {
        let place = &self.spec.logs[draft.log];
        let subject = Subject { process: self.process, kind: Kind::Append, log: place.id, detail: draft.value.0 };
        history::payload::encode(self.spec.run, place.id, draft.value, self.record_bytes, payload);
        let invoked = self.journal.invoke(subject, due)?;
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        if invoked.since(due) > LATE_NS {
            self.counts.late.fetch_add(1, Ordering::Relaxed);
        }
        self.outstanding.add();
        if let Err(code) = self.enqueue(context, place, draft, payload) {
            self.outstanding.done();
            let outcome = errors::outcome(Stage::Refused, code, Persistence::Not);
            self.counts.outcome(outcome);
            self.journal.complete(subject, Answer::error(outcome, code))?;
        }
        Ok(())
    }

    fn enqueue(&self, context: &Context, place: &LogPlace, draft: Draft, payload: &[u8]) -> Result<(), i16> {
        let key = draft.key.map(u64::to_be_bytes);
        loop {
            let opaque = ticket(place.id, draft.value);
            let mut record =
                BaseRecord::with_opaque_to(&place.topic, opaque).partition(place.partition).payload(payload);
            if let Some(key) = &key {
                record = record.key(key.as_slice());
            }
            let Err((error, _)) = self.library.send(record) else { return Ok(()) };
            let code = code_of(&error);
            if code != RDKafkaErrorCode::QueueFull as i16 || context.stop.asked() {
                self.counts.error(&name_of(&error));
                return Err(code);
            }
            self.counts.queue_full_waits.fetch_add(1, Ordering::Relaxed);
            self.outstanding.wait_below(self.outstanding.count(), Deadline::in_ms(FULL_QUEUE_WAIT_MS));
        }
    }
}

/// What a delivery report gives back: log (24 bits) and sequence (40 bits).
fn ticket(log: LogId, value: Value) -> usize {
    (u64::from(log.0) << SEQUENCE_BITS | value.sequence()) as usize
}

fn log_and_sequence(ticket: usize) -> (LogId, u64) {
    let ticket = ticket as u64;
    (LogId((ticket >> SEQUENCE_BITS) as u32), ticket & Value::SEQUENCE_MAX)
}

/// Hears delivery reports and journals them.
struct Reports {
    journal: Arc<Journal>,
    counts: Arc<Counts>,
    outstanding: Arc<Outstanding>,
    process: ProcessId,
    writer: WriterId,
}

impl Reports {
    fn answer(&self, report: &DeliveryResult<'_>) -> Answer {
        match report {
            Ok(message) => Answer::ok(Offset(message.offset().max(-1))),
            Err((error, message)) => {
                let code = code_of(error);
                self.counts.error(&name_of(error));
                Answer::error(errors::outcome(Stage::Reported, code, persistence(message)), code)
            }
        }
    }
}

impl ClientContext for Reports {
    fn error(&self, error: KafkaError, reason: &str) {
        self.counts.error(&name_of(&error));
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.counts.end(format!("fatal error of librdkafka: {reason}"));
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, ticket: usize) {
        let (log, sequence) = log_and_sequence(ticket);
        let value = Value::new(self.writer, sequence);
        let subject = Subject { process: self.process, kind: Kind::Append, log, detail: value.0 };
        let answer = self.answer(report);
        if self.journal.complete(subject, answer).is_err() {
            // The append stays open, which is true; the next invocation meets the same journal and ends the process.
            self.counts.error("journal");
        }
        self.counts.outcome(answer.outcome);
        self.outstanding.done();
    }
}

#[allow(unsafe_code)]
fn persistence(message: &rdkafka::message::BorrowedMessage<'_>) -> Persistence {
    use rdkafka::bindings::{rd_kafka_message_status, rd_kafka_msg_status_t};
    // SAFETY: the pointer is that of a message which the delivery report being handled owns.
    match unsafe { rd_kafka_message_status(message.ptr()) } {
        rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Persistence::Not,
        _ => Persistence::Possibly,
    }
}

/// The code of an error of librdkafka as the journal keeps it; −1 where it has none.
pub(super) fn code_of(error: &KafkaError) -> i16 {
    error.rdkafka_error_code().and_then(|c| i16::try_from(c as i32).ok()).unwrap_or(-1)
}

/// The name under which an error is counted.
pub(super) fn name_of(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| format!("{code:?}"))
}

const _: () = assert!(size_of::<usize>() == 8 && Value::SEQUENCE_MAX == (1 << SEQUENCE_BITS) - 1);
