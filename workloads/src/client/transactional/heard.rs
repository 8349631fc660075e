//! Hears the delivery reports of a transactional client and journals them.

use super::super::producer::{code_of, name_of};
use super::super::status::Counts;
use crate::errors::{self, Persistence, Stage};
use crate::journal::{Answer, Journal, Subject};
use history::{Kind, LogId, Offset, ProcessId, Value};
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use std::sync::Arc;

/// What it has at hand.
pub(super) struct Heard {
    pub(super) journal: Arc<Journal>,
    pub(super) counts: Arc<Counts>,
    pub(super) process: ProcessId,
}

impl ClientContext for Heard {
    fn error(&self, error: KafkaError, _reason: &str) {
        self.counts.error(&name_of(&error));
    }
}

impl ProducerContext for Heard {
    type DeliveryOpaque = Box<(LogId, Value)>;

    fn delivery(&self, report: &DeliveryResult<'_>, record: Box<(LogId, Value)>) {
        let (log, value) = *record;
        let answer = match report {
            Ok(message) => Answer::ok(Offset(message.offset().max(-1))),
            Err((error, _)) => {
                self.counts.error(&name_of(error));
                let code = code_of(error);
                Answer::error(errors::outcome(Stage::Reported, code, Persistence::Possibly), code)
            }
        };
        let subject = Subject { process: self.process, kind: Kind::Append, log, detail: value.0 };
        if self.journal.complete(subject, answer).is_err() {
            self.counts.error("journal");
        }
        self.counts.outcome(answer.outcome);
    }
}
