//! A producer: record after record, each in a request of its own.

use super::{append, number};
use crate::client::generator::{Generator, Plan};
use crate::client::status::{Counts, Tally};
use crate::client::{ClientError, Context, die};
use crate::clock::{self, Deadline};
use crate::journal::Subject;
use crate::spec::{Ending, Load, OnError, ProducerSpec};
use crate::wire::{Append, Cluster};
use history::{Kind, Outcome, Value};
use std::sync::atomic::Ordering;

const LATE_NS: u64 = 1_000_000;
const IDLE_MS: u64 = 1_000;

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
        "all" => -1,
        _ => number(&spec.properties, "acks", -1),
    };
    let mut payload = Vec::new();
    for (n, draft) in (0..records).zip(Generator::new(spec, &context.spec.logs, context.spec.seed)) {
        let due = plan.map_or_else(clock::now, |plan| plan.due(n));
        if context.stop.wait(Deadline(due)) || counts.ended() {
            break;
        }
        let place = &context.spec.logs[draft.log];
        history::payload::encode(context.spec.run, place.id, draft.value, bytes_of(spec, draft.value), &mut payload);
        let subject = Subject { process: spec.process, kind: Kind::Append, log: place.id, detail: draft.value.0 };
        let invoked = context.journal.invoke(subject, due)?;
        let sent = counts.sent.fetch_add(1, Ordering::Relaxed) + 1;
        counts.late.fetch_add(u64::from(invoked.since(due) > LATE_NS), Ordering::Relaxed);
        let (key, values) = (draft.key.map(u64::to_be_bytes), [payload.as_slice()]);
        let one = Append { values: &values, key: key.as_ref().map(|key| &key[..]), acks, ..Append::default() };
        let answer = append(&mut cluster, place, one, &counts);
        counts.outcome(answer.outcome);
        context.journal.complete(subject, answer)?;
        if answer.outcome != Outcome::Ok && spec.app.on_error == OnError::Stop {
            counts.end("the application stops at the first error".into());
        }
        match spec.app.dies {
            Some(dies) if sent == dies.after && dies.by == Ending::Kill => die(),
            Some(dies) if sent == dies.after => break,
            _ => {}
        }
    }
    // A load that never ends by itself does not end by an error either.
    while counts.ended() && !context.stop.wait(Deadline::in_ms(IDLE_MS)) {}
    counts.worked_ns.store(clock::now().since(began), Ordering::Relaxed);
    let intended = plan.map_or(counts.sent.load(Ordering::Relaxed), |plan| plan.intended(clock::now()));
    Ok(counts.tally(spec.process, intended, 0))
}

fn bytes_of(spec: &ProducerSpec, value: Value) -> usize {
    match spec.app.large {
        Some(large) if value.sequence() % large.every == large.every - 1 => large.bytes,
        _ => spec.record_bytes,
    }
}
