//! A consumer: window after window of each log in turn, from its beginning.
//!
//! **Invariant:** what is journalled as a window holds everything that was readable there. A reader of committed records is
//! given windows with holes where transactions are under way or were aborted: those are journalled as polls, which prove
//! presence only.

use super::number;
use crate::client::status::{Counts, Tally};
use crate::client::{ClientError, Context};
use crate::clock::{self, Deadline};
use crate::journal::Subject;
use crate::spec::{ConsumerSpec, LogPlace};
use crate::wire::{Cluster, Fetched, Isolation, Window};
use history::{Kind, LogId, Nanos, Offset, Outcome};
use std::sync::atomic::Ordering;

const WINDOW_MS_MAX: u64 = 500;
const WINDOW_WAIT_MS: i32 = 20;
const WINDOW_BYTES: i32 = 256 << 10;

/// Fetches until the process is asked to stop.
pub fn consume(context: &Context, spec: &ConsumerSpec, logs: &[LogId]) -> Result<Tally, ClientError> {
    let (counts, mut cluster) = (Counts::default(), Cluster::new(&context.spec.bootstrap, &context.spec.name));
    let places: Vec<&LogPlace> = context.spec.logs.iter().filter(|place| logs.contains(&place.id)).collect();
    let isolation = match spec.properties.get("isolation.level").map(String::as_str) {
        Some("read_committed") => Isolation::ReadCommitted,
        _ => Isolation::ReadUncommitted,
    };
    let usual = Window {
        from: Offset(0),
        bytes_max: number(&spec.properties, "max.partition.fetch.bytes", WINDOW_BYTES),
        wait_ms: number(&spec.properties, "fetch.max.wait.ms", WINDOW_WAIT_MS),
        isolation,
    };
    let mut next = vec![Offset(0); places.len()];
    while !context.stop.asked() {
        for (place, from) in places.iter().zip(&mut next).take_while(|_| !context.stop.asked()) {
            let window = Window { from: *from, ..usual };
            let subject =
                Subject { process: spec.process, kind: Kind::Fetch, log: place.id, detail: window.from.0 as u64 };
            let (invoked, deadline): (Nanos, _) = (clock::now(), Deadline::in_ms(WINDOW_MS_MAX));
            counts.sent.fetch_add(1, Ordering::Relaxed);
            match cluster.fetch(&place.topic, place.partition, window, deadline) {
                Ok(fetched) => {
                    let whole = isolation == Isolation::ReadUncommitted || fetched.is_whole();
                    let read = journal(context, (subject, invoked), &fetched, whole)?;
                    counts.outcome(Outcome::Ok);
                    counts.records.fetch_add(read as u64, Ordering::Relaxed);
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

/// Journals what was fetched; returns how many records that is.
fn journal(
    context: &Context,
    (subject, invoked): (Subject, Nanos),
    fetched: &Fetched,
    whole: bool,
) -> Result<usize, ClientError> {
    if whole {
        let records = fetched.read(context.spec.run);
        if !fetched.is_hollow(&records) {
            context.journal.read(subject, invoked, &records)?;
        }
        return Ok(records.len());
    }
    let mut records = fetched.committed(context.spec.run);
    records.retain(|record| record.value.is_ordinary());
    if let Some(first) = records.first() {
        let subject = Subject { kind: Kind::Poll, detail: first.offset.0 as u64, ..subject };
        context.journal.read(subject, invoked, &records)?;
    }
    Ok(records.len())
}
