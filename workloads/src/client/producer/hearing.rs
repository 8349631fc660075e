//! Takes delivery reports from librdkafka, an event at a time: an event's reports were parsed before it was there, so that
//! they can be journalled together, under one lock and one clock reading.
//!
//! The binding's own loop hands over each report alone and does not tell where an event ends. Deliberately absent: log and
//! statistics events, which nobody here reads.

#![allow(unsafe_code)] // librdkafka's events, each call with its SAFETY sentence

use super::reports::{Reply, Report, Reports, persistence};
use history::Offset;
use rdkafka::bindings::*;
use rdkafka::client::ClientContext;
use rdkafka::error::{IsError, KafkaError};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::types::RDKafkaErrorCode;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

const POLL_MS: i32 = 50;
/// Reports journalled together: few enough that who hands records over meanwhile hardly waits for the journal.
const TOGETHER_MAX: usize = 64;

/// Hears reports until `ended`.
pub(super) fn hear(library: &BaseProducer<Reports>, ended: &AtomicBool) {
    let queue = Queue::of(library);
    let mut replies = Vec::with_capacity(TOGETHER_MAX);
    while !ended.load(Ordering::Acquire) {
        let Some(mut event) = queue.poll() else { continue };
        match event.kind() {
            RD_KAFKA_EVENT_DR => deliver(&mut event, library.context(), &mut replies),
            RD_KAFKA_EVENT_ERROR => {
                let (error, reason) = event.error();
                library.context().error(error, &reason);
            }
            _ => {}
        }
    }
}

fn deliver(event: &mut Event, reports: &Reports, replies: &mut Vec<Reply>) {
    while let Some(report) = event.report() {
        replies.extend(reports.reply(report));
        if replies.len() == TOGETHER_MAX {
            reports.conclude(replies);
            replies.clear();
        }
    }
    if !replies.is_empty() {
        reports.conclude(replies);
        replies.clear();
    }
}

/// The queue a producer's events come to; not longer than the producer.
struct Queue<'a>(*mut rd_kafka_queue_t, std::marker::PhantomData<&'a BaseProducer<Reports>>);

impl<'a> Queue<'a> {
    fn of(library: &'a BaseProducer<Reports>) -> Queue<'a> {
        // SAFETY: the handle is that of a living producer; the reference taken is given back once, by `drop`.
        Queue(unsafe { rd_kafka_queue_get_main(library.client().native_ptr()) }, std::marker::PhantomData)
    }

    /// The next event, waiting for it a while.
    fn poll(&self) -> Option<Event> {
        // SAFETY: the queue is referenced until `drop`.
        let event = unsafe { rd_kafka_queue_poll(self.0, POLL_MS) };
        (!event.is_null()).then_some(Event(event))
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        // SAFETY: the reference that `of` took, given back once; the producer it belongs to lives.
        unsafe { rd_kafka_queue_destroy(self.0) }
    }
}

/// An event, owned.
struct Event(*mut rd_kafka_event_t);

impl Event {
    fn kind(&self) -> i32 {
        // SAFETY: the event is owned.
        unsafe { rd_kafka_event_type(self.0) }
    }

    /// The next report of a delivery event.
    fn report(&mut self) -> Option<Report> {
        // SAFETY: the event is owned; a message it tells is null or lives as long as the event.
        let message = unsafe { rd_kafka_event_message_next(self.0) };
        // SAFETY: as above; nothing writes to it.
        let heard = unsafe { message.as_ref() }?;
        let delivered = match heard.err.is_error() {
            false => Ok(Offset(heard.offset)),
            true => {
                let error = KafkaError::MessageProduction(RDKafkaErrorCode::from(heard.err));
                // SAFETY: the message belongs to the event, which has not been given back.
                Err((error, unsafe { persistence(message) }))
            }
        };
        Some(Report { ticket: heard._private as usize, delivered })
    }

    /// What an error event says.
    fn error(&self) -> (KafkaError, String) {
        // SAFETY: the event is owned, and its text lives as long as it.
        let (code, text) = unsafe { (rd_kafka_event_error(self.0), rd_kafka_event_error_string(self.0)) };
        // SAFETY: null or a string ended by 0, which librdkafka never changes.
        let text = (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().to_owned());
        (KafkaError::Global(code.into()), text.unwrap_or_default())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is owned and given back once.
        unsafe { rd_kafka_event_destroy(self.0) }
    }
}
