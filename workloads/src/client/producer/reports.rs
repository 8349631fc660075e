//! Hears delivery reports: journals them, and does with errors what the application does.

use super::super::outstanding::Outstanding;
use super::super::status::Counts;
use super::outbox::Outbox;
use super::ticket::Writers;
use crate::errors::{self, Persistence, Stage};
use crate::journal::{Answer, Journal, Subject};
use crate::spec::OnError;
use history::{Kind, LogId, Offset, Outcome, ProcessId, Value};
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

/// What the thread that hears reports has at hand.
pub(super) struct Reports {
    pub(super) journal: Arc<Journal>,
    pub(super) counts: Arc<Counts>,
    pub(super) outstanding: Arc<Outstanding>,
    pub(super) process: ProcessId,
    pub(super) writers: Writers,
    pub(super) on_error: OnError,
    /// Tickets of records that the application sends again.
    pub(super) again: Mutex<Sender<usize>>,
    /// Set once nothing is sent again any more.
    pub(super) patient: Arc<AtomicBool>,
    pub(super) outbox: Option<Arc<Outbox>>,
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

    /// Hands a record back to be sent again, if the application does that and it may help.
    fn sends_again(&self, ticket: usize, outcome: Outcome) -> bool {
        let may_help = outcome == Outcome::Unknown && self.patient.load(Ordering::Acquire) && !self.counts.ended();
        self.on_error == OnError::Resend
            && may_help
            && self.again.lock().unwrap_or_else(PoisonError::into_inner).send(ticket).is_ok()
    }

    fn complete(&self, (log, value): (LogId, Value), answer: Answer) {
        let subject = Subject { process: self.process, kind: Kind::Append, log, detail: value.0 };
        if self.journal.complete(subject, answer).is_err() {
            // The append stays open, which is true; the next invocation meets the same journal and ends the process.
            self.counts.error("journal");
        }
        self.counts.outcome(answer.outcome);
        self.outstanding.done();
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
        let record = self.writers.record(ticket);
        let answer = self.answer(report);
        if answer.outcome != Outcome::Ok && self.sends_again(ticket, answer.outcome) {
            return;
        }
        if let (Outcome::Ok, Some(outbox)) = (answer.outcome, &self.outbox) {
            outbox.acknowledged(record.1);
        }
        self.complete(record, answer);
        if answer.outcome != Outcome::Ok && self.on_error == OnError::Stop {
            self.counts.end("the application stops at the first error".into());
        }
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
pub(in super::super) fn code_of(error: &KafkaError) -> i16 {
    error.rdkafka_error_code().and_then(|c| i16::try_from(c as i32).ok()).unwrap_or(-1)
}

/// The name under which an error is counted.
pub(in super::super) fn name_of(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| format!("{code:?}"))
}
