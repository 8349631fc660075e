//! A producer: librdkafka, one thread that hands over by plan, one that hears delivery reports, and the application around
//! them ([`crate::spec::ProducerApp`]).
//!
//! **Invariants:** each record is invoked in the journal exactly once in a life, before its first produce call, however often
//! the application sends it again; unless the application drops records, a full queue makes the plan late, never shorter; a
//! record's sequence is its place in the order of hand-over.

mod hearing;
mod outbox;
mod reports;
mod ticket;

pub(super) use reports::{code_of, name_of};

use super::generator::{Draft, Generator, Plan};
use super::outstanding::Outstanding;
use super::status::{Counts, Tally};
use super::{ClientError, Context, die};
use crate::clock::{self, Deadline};
use crate::errors::{self, Persistence, Stage};
use crate::journal::{Answer, Journal, Subject};
use crate::spec::{AtExit, ClientSpec, Ending, Load, LogPlace, OnFull, ProducerSpec};
use history::{Kind, LogId, Nanos, Value};
use outbox::Outbox;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::types::RDKafkaErrorCode;
use reports::Reports;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use ticket::Writers;

/// Behind its plan by more than this a record is late, ns.
const LATE_NS: u64 = 1_000_000;
const FULL_QUEUE_WAIT_MS: u64 = 10;
const IDLE_MS: u64 = 1_000;
const WARM_UP_MS_MAX: u64 = 5_000;
/// Records of a closed loop handed over in a row under one clock reading, …
const SHARERS: u64 = 16;
/// … where so many more are under way at once that none of them waits for another.
const SHARED_FROM: u64 = 64 * SHARERS;

/// Runs a producer until its load is done or the process is asked to stop.
pub fn run(context: &Context, spec: &ProducerSpec) -> Result<Tally, ClientError> {
    let (producer, left) = Producer::start(context, spec)?;
    let ended = AtomicBool::new(false);
    let intended = thread::scope(|scope| {
        scope.spawn(|| hearing::hear(&producer.library, &ended));
        let _at_the_end = Raise(&ended);
        producer.generate(context, left)
    })?;
    let Producer { library, counts, outstanding, .. } = producer;
    match spec.app.at_exit {
        // Ending the library reports what it gives up, as unknown.
        AtExit::Flush => drop(library),
        // An application that just ends hears of nothing more.
        AtExit::Leave => std::mem::forget(library),
    }
    Ok(counts.tally(spec.process, intended, outstanding.count()))
}

/// Raises a flag when it goes out of scope, by whatever way.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

struct Producer<'a> {
    library: BaseProducer<Reports>,
    counts: Arc<Counts>,
    outstanding: Arc<Outstanding>,
    journal: Arc<Journal>,
    client: Arc<ClientSpec>,
    spec: &'a ProducerSpec,
    writers: Writers,
    again: Receiver<usize>,
    patient: Arc<AtomicBool>,
    outbox: Option<Arc<Outbox>>,
}

/// Whether a load goes on after a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

/// When a record is wanted, and a time not after its hand-over.
#[derive(Clone, Copy)]
struct Due {
    due: Nanos,
    now: Nanos,
}

impl Due {
    /// A record that no plan wants at a certain time.
    fn at_once() -> Due {
        let now = clock::now();
        Due { due: now, now }
    }
}

/// One clock reading for several records handed over in a row. It stands before each of them, as an invocation's time must;
/// whatever may have waited in between wants a new one.
struct Shared {
    sharers: u64,
    left: u64,
    at: Due,
    waits: u64,
}

impl Shared {
    fn new(sharers: u64) -> Shared {
        Shared { sharers, left: 0, at: Due::at_once(), waits: 0 }
    }

    /// The next record gets a new one.
    fn renew(&mut self) {
        self.left = 0;
    }

    /// For the next record, after so many waits for a full queue in all.
    fn next(&mut self, waits: u64) -> Due {
        if self.left == 0 || self.waits != waits {
            *self = Shared { left: self.sharers, at: Due::at_once(), waits, ..*self };
        }
        self.left -= 1;
        self.at
    }
}

impl<'a> Producer<'a> {
    /// The producer, and what an earlier life left in its outbox.
    fn start(context: &Context, spec: &'a ProducerSpec) -> Result<(Producer<'a>, Vec<Draft>), ClientError> {
        let (counts, outstanding) = (Arc::new(Counts::default()), Arc::new(Outstanding::default()));
        let opened = spec.app.outbox.as_deref().map(|path| Outbox::open(path, &context.spec.logs)).transpose()?;
        let (outbox, left) = opened.map_or((None, Vec::new()), |(outbox, left)| (Some(Arc::new(outbox)), left));
        let writers = Writers::new(spec.writer, left.iter().map(|draft| draft.value.writer()));
        let (sender, again) = channel();
        let patient = Arc::new(AtomicBool::new(true));
        let reports = Reports {
            journal: context.journal.clone(),
            counts: counts.clone(),
            outstanding: outstanding.clone(),
            process: spec.process,
            writers: writers.clone(),
            on_error: spec.app.on_error,
            again: Mutex::new(sender),
            patient: patient.clone(),
            outbox: outbox.clone(),
        };
        let mut config: ClientConfig = spec.properties.clone().into_iter().collect();
        config.set("bootstrap.servers", context.spec.bootstrap.join(","));
        let library = config.create_with_context(reports)?;
        let (journal, client) = (context.journal.clone(), context.spec.clone());
        Ok((Producer { library, counts, outstanding, journal, client, spec, writers, again, patient, outbox }, left))
    }

    /// Hands records over until the end, waits for their reports, and returns how many the plan wanted.
    fn generate(&self, context: &Context, left: Vec<Draft>) -> Result<u64, ClientError> {
        let began = clock::now();
        let mut payload = Vec::new();
        let spooled = left.len() as u64;
        for draft in left {
            self.hand_over(context, draft, Due::at_once(), &mut payload)?;
        }
        let drafts = Generator::new(self.spec, &self.client.logs, self.client.seed);
        let flush_ms_max = self.client.flush_ms_max;
        let (intended, reports_ms_max) = match self.spec.load {
            Load::OpenLoop { per_second } => (self.open_loop(context, drafts, per_second)?, flush_ms_max),
            Load::ClosedLoop { outstanding_max } => (self.closed_loop(context, drafts, outstanding_max)?, flush_ms_max),
            Load::Wave { records, wait_ms_max } => (self.wave(context, drafts, records)?, wait_ms_max),
        };
        if self.spec.app.at_exit == AtExit::Flush {
            self.await_reports(context, reports_ms_max)?;
        }
        self.counts.worked_ns.store(clock::now().since(began), Ordering::Relaxed);
        Ok(spooled + intended)
    }

    /// Waits for the reports that are still due, but no longer than the process may take once it is asked to end. What the
    /// application would send again after that stays in doubt.
    fn await_reports(&self, context: &Context, reports_ms_max: u64) -> Result<(), ClientError> {
        let (patient, mut hasty) = (Deadline::in_ms(reports_ms_max), None);
        loop {
            self.send_again(context)?;
            if context.stop.asked() {
                hasty.get_or_insert(patient.but_at_most_ms(self.client.flush_ms_max));
            }
            let until = hasty.unwrap_or(patient);
            if self.outstanding.wait_below(1, until.but_at_most_ms(FULL_QUEUE_WAIT_MS)) || until.passed() {
                break;
            }
        }
        self.patient.store(false, Ordering::Release);
        while let Ok(ticket) = self.again.try_recv() {
            let subject = self.subject(self.writers.record(ticket));
            self.complete_with(subject, RDKafkaErrorCode::MessageTimedOut as i32 as i16, Stage::Reported)?;
        }
        Ok(())
    }

    fn open_loop(&self, context: &Context, mut drafts: Generator, per_second: f64) -> Result<u64, ClientError> {
        let mut payload = Vec::new();
        let first = self.warm_up(context, &mut drafts, &mut payload)?;
        let plan = Plan::new(clock::now(), per_second);
        for (n, draft) in drafts.enumerate() {
            let due = plan.due(n as u64);
            if context.stop.wait(Deadline(due)) || self.ended(context)? {
                break;
            }
            self.send_again(context)?;
            if self.hand_over(context, draft, Due { due, now: clock::now() }, &mut payload)? == Then::End {
                return Ok(first + n as u64 + 1);
            }
        }
        Ok(first + plan.intended(clock::now()))
    }

    /// A record for each log, and their reports: connections, metadata and producer id are there when the plan begins, so
    /// that its latencies are the cluster's and not the client's start. Returns how many records that took.
    fn warm_up(&self, context: &Context, drafts: &mut Generator, payload: &mut Vec<u8>) -> Result<u64, ClientError> {
        let records = self.client.logs.len();
        for draft in drafts.take(records) {
            self.hand_over(context, draft, Due::at_once(), payload)?;
        }
        let deadline = Deadline::in_ms(WARM_UP_MS_MAX);
        let warm = || self.outstanding.wait_below(1, deadline.but_at_most_ms(FULL_QUEUE_WAIT_MS));
        while !warm() && !deadline.passed() && !context.stop.asked() {}
        Ok(records as u64)
    }

    fn closed_loop(&self, context: &Context, drafts: Generator, outstanding_max: u64) -> Result<u64, ClientError> {
        let mut payload = Vec::new();
        let mut when = Shared::new(if outstanding_max < SHARED_FROM { 1 } else { SHARERS });
        for draft in drafts {
            if self.outstanding.count() >= outstanding_max {
                when.renew();
            }
            let room = || self.outstanding.wait_below(outstanding_max, Deadline::in_ms(FULL_QUEUE_WAIT_MS));
            while !room() && !context.stop.asked() {
                self.send_again(context)?;
            }
            if context.stop.asked() || self.ended(context)? {
                break;
            }
            let due = when.next(self.counts.queue_full_waits.load(Ordering::Relaxed));
            if self.hand_over(context, draft, due, &mut payload)? == Then::End {
                break;
            }
        }
        Ok(self.counts.sent.load(Ordering::Relaxed))
    }

    fn wave(&self, context: &Context, drafts: Generator, records: u64) -> Result<u64, ClientError> {
        let mut payload = Vec::new();
        for draft in drafts.take(usize::try_from(records).unwrap_or(usize::MAX)) {
            if context.stop.asked() || self.counts.ended() {
                break;
            }
            if self.hand_over(context, draft, Due::at_once(), &mut payload)? == Then::End {
                break;
            }
        }
        Ok(records)
    }

    /// True once nothing more is sent, but not before the process is asked to end: a load that never ends by itself does not
    /// end by an error either.
    fn ended(&self, context: &Context) -> Result<bool, ClientError> {
        while self.counts.ended() && !context.stop.wait(Deadline::in_ms(IDLE_MS)) {}
        Ok(self.counts.ended())
    }

    /// Journals the invocation, then gives the record to librdkafka, as the application does when its queue is full.
    fn hand_over(
        &self,
        context: &Context,
        draft: Draft,
        Due { due, now }: Due,
        payload: &mut Vec<u8>,
    ) -> Result<Then, ClientError> {
        let place = &self.client.logs[draft.log];
        let subject = self.subject((place.id, draft.value));
        if let Some(outbox) = &self.outbox {
            outbox.want(place.id, draft.value)?;
        }
        self.journal.invoke_at(subject, now, due)?;
        let sent = self.counts.sent.fetch_add(1, Ordering::Relaxed) + 1;
        if now.since(due) > LATE_NS {
            self.counts.late.fetch_add(1, Ordering::Relaxed);
        }
        self.outstanding.add();
        if let Err(code) = self.enqueue(context, place, draft, payload) {
            self.complete_with(subject, code, Stage::Refused)?;
        }
        match self.spec.app.dies {
            Some(dies) if sent == dies.after && dies.by == Ending::Kill => die(),
            Some(dies) if sent == dies.after => Ok(Then::End),
            _ => Ok(Then::GoOn),
        }
    }

    fn subject(&self, (log, value): (LogId, Value)) -> Subject {
        Subject { process: self.spec.process, kind: Kind::Append, log, detail: value.0 }
    }

    /// Ends an append by an error that is not a delivery report's last word.
    fn complete_with(&self, subject: Subject, code: i16, stage: Stage) -> Result<(), ClientError> {
        self.outstanding.done();
        let outcome = errors::outcome(stage, code, Persistence::Not);
        self.counts.outcome(outcome);
        Ok(self.journal.complete(subject, Answer::error(outcome, code))?)
    }

    /// Sends again what the application wants sent again.
    fn send_again(&self, context: &Context) -> Result<(), ClientError> {
        let mut payload = Vec::new();
        while let Ok(ticket) = self.again.try_recv() {
            let (log, value) = self.writers.record(ticket);
            let Some(at) = self.client.logs.iter().position(|place| place.id == log) else { continue };
            let draft = Draft { log: at, key: None, value };
            if let Err(code) = self.enqueue(context, &self.client.logs[at], draft, &mut payload) {
                // An earlier attempt may have been appended: a refusal of this one tells nothing.
                self.complete_with(self.subject((log, value)), code, Stage::Reported)?;
            }
        }
        Ok(())
    }

    fn enqueue(&self, context: &Context, place: &LogPlace, draft: Draft, payload: &mut Vec<u8>) -> Result<(), i16> {
        let unknown = RDKafkaErrorCode::InvalidArgument as i32 as i16;
        let ticket = self.writers.ticket(place.id, draft.value).ok_or(unknown)?;
        history::payload::encode(self.client.run, place.id, draft.value, self.bytes_of(draft.value), payload);
        let key = draft.key.map(u64::to_be_bytes);
        let mut hasty: Option<Deadline> = None;
        loop {
            let mut record =
                BaseRecord::with_opaque_to(&place.topic, ticket).partition(place.partition).payload(payload.as_slice());
            if let Some(key) = &key {
                record = record.key(key.as_slice());
            }
            if self.spec.app.headers > 0 {
                record = record.headers(headers(self.spec.app.headers, draft.value));
            }
            let Err((error, _)) = self.library.send(record) else { return Ok(()) };
            let code = code_of(&error);
            if context.stop.asked() {
                hasty.get_or_insert(Deadline::in_ms(self.client.flush_ms_max / 4));
            }
            let waits = self.spec.app.on_full == OnFull::Wait && !hasty.is_some_and(Deadline::passed);
            if code != RDKafkaErrorCode::QueueFull as i32 as i16 || !waits {
                self.counts.error(&name_of(&error));
                return Err(code);
            }
            self.counts.queue_full_waits.fetch_add(1, Ordering::Relaxed);
            self.outstanding.wait_below(self.outstanding.count(), Deadline::in_ms(FULL_QUEUE_WAIT_MS));
        }
    }

    fn bytes_of(&self, value: Value) -> usize {
        match self.spec.app.large {
            Some(large) if value.sequence() % large.every == large.every - 1 => large.bytes,
            _ => self.spec.record_bytes,
        }
    }
}

/// So many headers, each with the record's value.
fn headers(count: u32, value: Value) -> OwnedHeaders {
    let value = value.0.to_be_bytes();
    (0..count).fold(OwnedHeaders::new(), |headers, n| {
        headers.insert(Header { key: &format!("stormglass-{n}"), value: Some(&value[..]) })
    })
}
