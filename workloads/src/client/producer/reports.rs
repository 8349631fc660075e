//! Hears delivery reports: journals them, and does with errors what the application does.

#![allow(unsafe_code)] // asking librdkafka about a message, with its SAFETY sentence

use super::super::outstanding::Outstanding;
use super::super::status::Counts;
use super::outbox::Outbox;
use super::ticket::Writers;
use crate::errors::{self, Persistence, Stage};
use crate::journal::{Answer, Journal, Subject};
use crate::spec::OnError;
use history::{Kind, Offset, Outcome, ProcessId};
use rdkafka::bindings::{rd_kafka_message_status, rd_kafka_msg_status_t};
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaMessage};
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

/// What a delivery report says.
pub(super) struct Report {
    /// What went with the record.
    pub(super) ticket: usize,
    /// What became of it.
    pub(super) delivered: Result<Offset, (KafkaError, Persistence)>,
}

/// A record and what its report ends it with.
pub(super) type Reply = (Subject, Answer);

impl Reports {
    /// What a report ends a record with; `None` if it is sent again.
    pub(super) fn reply(&self, report: Report) -> Option<Reply> {
        let (log, value) = self.writers.record(report.ticket);
        let answer = match report.delivered {
            Ok(offset) => Answer::ok(Offset(offset.0.max(-1))),
            Err((error, persistence)) => {
                let code = code_of(&error);
                self.counts.error(&name_of(&error));
                Answer::error(errors::outcome(Stage::Reported, code, persistence), code)
            }
        };
        if answer.outcome != Outcome::Ok && self.sends_again(report.ticket, answer.outcome) {
            return None;
        }
        if let (Outcome::Ok, Some(outbox)) = (answer.outcome, &self.outbox) {
            outbox.acknowledged(value);
        }
        Some((Subject { process: self.process, kind: Kind::Append, log, detail: value.0 }, answer))
    }

    /// Ends records: first in the journal, then for who waits for them.
    pub(super) fn conclude(&self, replies: &[Reply]) {
        if self.journal.complete_all(replies).is_err() {
            // These appends stay open, which is true; the next invocation meets the same journal and ends the process.
            self.counts.error("journal");
        }
        replies.iter().for_each(|(_, answer)| self.counts.outcome(answer.outcome));
        self.outstanding.done_all(replies.len() as u64);
        if self.on_error == OnError::Stop && replies.iter().any(|(_, answer)| answer.outcome != Outcome::Ok) {
            self.counts.end("the application stops at the first error".into());
        }
    }

    /// Hands a record back to be sent again, if the application does that and it may help.
    fn sends_again(&self, ticket: usize, outcome: Outcome) -> bool {
        let may_help = outcome == Outcome::Unknown && self.patient.load(Ordering::Acquire) && !self.counts.ended();
        self.on_error == OnError::Resend
            && may_help
            && self.again.lock().unwrap_or_else(PoisonError::into_inner).send(ticket).is_ok()
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

    /// What is reported while the library ends; until then `hearing` hears.
    fn delivery(&self, report: &DeliveryResult<'_>, ticket: usize) {
        let delivered = match report {
            Ok(message) => Ok(Offset(message.offset())),
            // SAFETY: the pointer is that of a message which the delivery report being handled owns.
            Err((error, message)) => Err((error.clone(), unsafe { persistence(message.ptr()) })),
        };
        if let Some(reply) = self.reply(Report { ticket, delivered }) {
            self.conclude(&[reply]);
        }
    }
}

/// Whether a message may be in a log though its report is an error.
///
/// # Safety
/// `message` must be one of a delivery report that has not been given back.
pub(super) unsafe fn persistence(message: *const RDKafkaMessage) -> Persistence {
    // SAFETY: the caller's promise.
    match unsafe { rd_kafka_message_status(message) } {
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
