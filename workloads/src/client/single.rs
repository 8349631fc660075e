//! Applications on our own wire client: one request at a time, nothing repeated.
//!
//! A producer sends each record in a request of its own and hears of it once; a consumer fetches true windows, so that what it
//! did not find was not there. **Invariant:** an error is that of the only attempt, so that the table of errors may say `fail`
//! where librdkafka's reports cannot. Deliberately absent: groups, transactions, idempotence (nothing is sent twice), batches.

use super::generator::{Generator, Plan};
use super::status::{Counts, Tally};
use super::{ClientError, Context};
use crate::clock::{self, Deadline};
use crate::errors::{self, Persistence, Stage};
use crate::journal::{Answer, Subject};
use crate::spec::{ConsumerSpec, Load, LogPlace, ProducerSpec};
use crate::wire::{Append, Cluster, Isolation, Window};
use history::{Kind, LogId, Nanos, Offset, Outcome};
use std::sync::atomic::Ordering;

const LATE_NS: u64 = 1_000_000;
const NS_PER_MS: u64 = 1_000_000;
const ATTEMPT_MS: u64 = 2_500;
const REPLICAS_MS_MAX: i32 = 2_000;
const WINDOW_MS_MAX: u64 = 500;
const WINDOW_WAIT_MS: i32 = 20;
const WINDOW_BYTES: i32 = 256 << 10;

/// Appends record after record until the load is done or the process is asked to stop.
pub fn produce(context: &Context, spec: &ProducerSpec) -> Result<Tally, ClientError> {
    let (counts, mut cluster) = (Counts::default(), Cluster::new(&context.spec.bootstrap, &context.spec.name));
    let (began, per_second, records) = match spec.load {
        Load::OpenLoop { per_second } => (clock::now(), Some(per_second), u64::MAX),
        Load::ClosedLoop { .. } => (clock::now(), None, u64::MAX),
        Load::Wave { records, .. } => (clock::now(), None, records),
    };
    let plan = per_second.map(|per_second| Plan::new(began, per_second));
    let acks = match spec.properties.get("acks").map_or("all", String::as_str) {
        "all" | "-1" => -1,
        acks => acks.parse().unwrap_or(-1),
    };
    let mut payload = Vec::new();
    for (n, draft) in (0..records).zip(Generator::new(spec, &context.spec.logs, context.spec.seed)) {
        let due = plan.map_or_else(clock::now, |plan| plan.due(n));
        if context.stop.wait(Deadline(due)) {
            break;
        }
        let place = &context.spec.logs[draft.log];
        history::payload::encode(context.spec.run, place.id, draft.value, spec.record_bytes, &mut payload);
        let subject = Subject { process: spec.process, kind: Kind::Append, log: place.id, detail: draft.value.0 };
        let invoked = context.journal.invoke(subject, due)?;
        counts.sent.fetch_add(1, Ordering::Relaxed);
        counts.late.fetch_add(u64::from(invoked.since(due) > LATE_NS), Ordering::Relaxed);
        let answer = append(&mut cluster, place, &payload, acks, &counts);
        counts.outcome(answer.outcome);
        context.journal.complete(subject, answer)?;
    }
    counts.worked_ns.store(clock::now().since(began), Ordering::Relaxed);
    let intended = plan.map_or(counts.sent.load(Ordering::Relaxed), |plan| plan.intended(clock::now()));
    Ok(counts.tally(spec.process, intended, 0))
}

/// One request, and what its answer tells.
fn append(cluster: &mut Cluster, place: &LogPlace, payload: &[u8], acks: i16, counts: &Counts) -> Answer {
    let timestamp_ms = (clock::wall() / NS_PER_MS) as i64;
    let append = Append { values: &[payload], timestamp_ms, producer: None, acks, replicas_ms_max: REPLICAS_MS_MAX };
    match cluster.produce_once(&place.topic, place.partition, append, Deadline::in_ms(ATTEMPT_MS)) {
        Ok(appended) => Answer::ok(appended.base),
        Err(error) => {
            counts.error(&error.name());
            let answered = error.broker().is_some();
            let outcome = errors::outcome(Stage::Answered, error.code(), Persistence::Not);
            Answer::error(if answered { outcome } else { Outcome::Unknown }, error.code())
        }
    }
}

/// Fetches window after window of each log in turn, from its beginning, until the process is asked to stop.
pub fn consume(context: &Context, spec: &ConsumerSpec, logs: &[LogId]) -> Result<Tally, ClientError> {
    let (counts, mut cluster) = (Counts::default(), Cluster::new(&context.spec.bootstrap, &context.spec.name));
    let places: Vec<&LogPlace> = context.spec.logs.iter().filter(|place| logs.contains(&place.id)).collect();
    let mut next = vec![Offset(0); places.len()];
    while !context.stop.asked() {
        for (place, from) in places.iter().zip(&mut next).take_while(|_| !context.stop.asked()) {
            let window = Window {
                from: *from,
                bytes_max: WINDOW_BYTES,
                wait_ms: WINDOW_WAIT_MS,
                isolation: Isolation::default(),
            };
            let detail = from.0 as u64;
            let subject = Subject { process: spec.process, kind: Kind::Fetch, log: place.id, detail };
            let (invoked, deadline): (Nanos, _) = (clock::now(), Deadline::in_ms(WINDOW_MS_MAX));
            counts.sent.fetch_add(1, Ordering::Relaxed);
            match cluster.fetch(&place.topic, place.partition, window, deadline) {
                Ok(fetched) => {
                    let records = fetched.read(context.spec.run);
                    context.journal.read(subject, invoked, &records)?;
                    counts.outcome(Outcome::Ok);
                    counts.records.fetch_add(records.len() as u64, Ordering::Relaxed);
                    *from = fetched.next;
                }
                Err(error) => {
                    counts.error(&error.name());
                    counts.outcome(Outcome::Unknown);
                    context.journal.read_failed(subject, invoked, error.code())?;
                }
            }
        }
    }
    let asked = counts.sent.load(Ordering::Relaxed);
    Ok(counts.tally(spec.process, asked, 0))
}
