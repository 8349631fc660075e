//! Transactional producers on librdkafka: what a transaction is to the application, and what the application does when one
//! goes wrong.
//!
//! **Invariants:** a transaction's beginning, its appends, the positions it stores and its end are journalled in that order
//! under one process; an end is journalled before it is asked for, and what the library says is the only thing that is taken
//! for a yes. A commit that was refused is unknown until the library has aborted it. After a fatal error the application begins
//! again with a new client under the same id.

mod heard;
mod transactor;
mod transform;

pub use transactor::run as run_transactor;
pub use transform::run as run_transform;

use super::producer::{code_of, name_of};
use super::status::Counts;
use super::{ClientError, Context};
use crate::clock::{self, Deadline};
use crate::errors::{self, Persistence, Stage};
use crate::journal::{Answer, Journal, Subject};
use crate::spec::LogPlace;
use heard::Heard;
use history::{Kind, LogId, Offset, Outcome, ProcessId, Value};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const STEP: Duration = Duration::from_secs(5);
const REPORT_POLL: Duration = Duration::from_millis(20);
const AGAIN_MS: u64 = 100;

/// What became of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// It is done.
    Done,
    /// The transaction was aborted.
    Aborted,
    /// The client is of no more use.
    Fatal,
}

/// One transactional client, for as long as it is of use.
struct Session {
    library: Arc<BaseProducer<Heard>>,
    journal: Arc<Journal>,
    counts: Arc<Counts>,
    process: ProcessId,
    run: u64,
    transactional: bool,
    ended: Arc<AtomicBool>,
    poller: Option<JoinHandle<()>>,
}

impl Session {
    /// Sets a client up; with a transactional id also its transactions, again and again until that is done or the process is
    /// asked to stop (`None`).
    fn start(
        context: &Context,
        process: ProcessId,
        properties: &BTreeMap<String, String>,
        counts: &Arc<Counts>,
    ) -> Result<Option<Session>, ClientError> {
        let mut config: ClientConfig = properties.clone().into_iter().collect();
        config.set("bootstrap.servers", context.spec.bootstrap.join(","));
        let transactional = properties.contains_key("transactional.id");
        loop {
            let heard = Heard { journal: context.journal.clone(), counts: counts.clone(), process };
            let library: Arc<BaseProducer<Heard>> = Arc::new(config.create_with_context(heard)?);
            let ended = Arc::new(AtomicBool::new(false));
            let poller = Some(listen(library.clone(), ended.clone())?);
            let (journal, counts, run) = (context.journal.clone(), counts.clone(), context.spec.run);
            let session = Session { library, journal, counts, process, run, transactional, ended, poller };
            if !transactional || session.initialise(context) {
                return Ok(Some(session));
            }
            if context.stop.wait(Deadline::in_ms(AGAIN_MS)) {
                return Ok(None);
            }
        }
    }

    fn initialise(&self, context: &Context) -> bool {
        while !context.stop.asked() {
            match self.library.init_transactions(STEP) {
                Ok(()) => return true,
                Err(error) => {
                    self.counts.error(&name_of(&error));
                    if !is_retriable(&error) {
                        return false;
                    }
                }
            }
        }
        false
    }

    fn subject(&self, kind: Kind, detail: u64) -> Subject {
        Subject { process: self.process, kind, log: LogId(0), detail }
    }

    /// Begins transaction number `number`.
    fn begin(&self, number: u64) -> Result<Step, ClientError> {
        if !self.transactional {
            return Ok(Step::Done);
        }
        let subject = self.subject(Kind::TxnBegin, number);
        self.journal.invoke(subject, clock::now())?;
        let begun = self.library.begin_transaction();
        let outcome = if begun.is_ok() { Outcome::Ok } else { Outcome::Fail };
        self.journal.complete(subject, Answer { outcome, error: 0, offset: Offset::UNKNOWN })?;
        match begun {
            Ok(()) => Ok(Step::Done),
            Err(error) => Ok(self.fatal(&error)),
        }
    }

    /// Hands a record over.
    fn send(&self, place: &LogPlace, value: Value, bytes: usize, payload: &mut Vec<u8>) -> Result<(), ClientError> {
        let subject = Subject { process: self.process, kind: Kind::Append, log: place.id, detail: value.0 };
        history::payload::encode(self.run, place.id, value, bytes, payload);
        self.journal.invoke(subject, clock::now())?;
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        let opaque = Box::new((place.id, value));
        let record = BaseRecord::<'_, (), [u8], _>::with_opaque_to(&place.topic, opaque);
        if let Err((error, _)) = self.library.send(record.partition(place.partition).payload(payload.as_slice())) {
            let outcome = errors::outcome(Stage::Refused, code_of(&error), Persistence::Not);
            self.counts.error(&name_of(&error));
            self.counts.outcome(outcome);
            self.journal.complete(subject, Answer::error(outcome, code_of(&error)))?;
        }
        Ok(())
    }

    /// Stores a group's positions in the open transaction.
    fn store(
        &self,
        positions: &TopicPartitionList,
        subjects: &[(Subject, i64)],
        member: &ConsumerGroupMetadata,
    ) -> Result<Step, ClientError> {
        for (subject, next) in subjects {
            self.journal.invoke(*subject, history::Nanos(*next as u64))?;
        }
        let stored = self.library.send_offsets_to_transaction(positions, member, STEP);
        for (subject, _) in subjects {
            let answer = match &stored {
                Ok(()) => Answer::ok(Offset::UNKNOWN),
                Err(error) => Answer::error(Outcome::Unknown, code_of(error)),
            };
            self.journal.complete(*subject, answer)?;
        }
        match stored {
            Ok(()) => Ok(Step::Done),
            Err(error) if is_fatal(&error) => Ok(self.fatal(&error)),
            Err(error) => {
                self.counts.error(&name_of(&error));
                Ok(Step::Aborted)
            }
        }
    }

    /// Commits transaction number `number`; one that cannot be is aborted.
    fn commit(&self, context: &Context, number: u64) -> Result<Step, ClientError> {
        if !self.transactional {
            return self.flush();
        }
        let subject = self.subject(Kind::TxnCommit, number);
        self.journal.invoke(subject, clock::now())?;
        let patience = Deadline::in_ms(context.spec.flush_ms_max);
        let ended = loop {
            match self.library.commit_transaction(STEP) {
                Err(error) if is_retriable(&error) && !patience.passed() => self.counts.error(&name_of(&error)),
                other => break other,
            }
        };
        match ended {
            Ok(()) => {
                self.journal.complete(subject, Answer::ok(Offset::UNKNOWN))?;
                self.counts.outcome(Outcome::Ok);
                Ok(Step::Done)
            }
            Err(error) => {
                self.counts.error(&name_of(&error));
                self.counts.outcome(Outcome::Unknown);
                self.journal.complete(subject, Answer::error(Outcome::Unknown, code_of(&error)))?;
                match is_fatal(&error) || self.library.abort_transaction(STEP).is_err() {
                    true => Ok(Step::Fatal),
                    false => Ok(Step::Aborted),
                }
            }
        }
    }

    /// Aborts transaction number `number`.
    fn abort(&self, number: u64) -> Result<Step, ClientError> {
        if !self.transactional {
            return Ok(Step::Aborted);
        }
        let subject = self.subject(Kind::TxnAbort, number);
        self.journal.invoke(subject, clock::now())?;
        let mut aborted = self.library.abort_transaction(STEP);
        if aborted.as_ref().is_err_and(is_retriable) {
            aborted = self.library.abort_transaction(STEP);
        }
        let answer = match &aborted {
            Ok(()) => Answer::ok(Offset::UNKNOWN),
            Err(error) => Answer::error(Outcome::Unknown, code_of(error)),
        };
        self.journal.complete(subject, answer)?;
        match aborted {
            Ok(()) => Ok(Step::Aborted),
            Err(error) => Ok(self.fatal(&error)),
        }
    }

    fn flush(&self) -> Result<Step, ClientError> {
        match self.library.flush(STEP) {
            Ok(()) => Ok(Step::Done),
            Err(error) => {
                self.counts.error(&name_of(&error));
                Ok(Step::Aborted)
            }
        }
    }

    fn fatal(&self, error: &KafkaError) -> Step {
        self.counts.error(&name_of(error));
        Step::Fatal
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(poller) = self.poller.take() {
            // A poller that panicked has heard what it could.
            let _ = poller.join();
        }
    }
}

fn listen(library: Arc<BaseProducer<Heard>>, ended: Arc<AtomicBool>) -> Result<JoinHandle<()>, ClientError> {
    let body = move || {
        while !ended.load(Ordering::Acquire) {
            library.poll(REPORT_POLL);
        }
    };
    let failed = |source| ClientError::Io { what: "start a thread".into(), source };
    std::thread::Builder::new().name("reports".into()).spawn(body).map_err(failed)
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(e) if e.is_retriable())
}

fn is_fatal(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(e) if e.is_fatal())
}
