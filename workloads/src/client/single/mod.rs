//! Applications on our own wire client: one request at a time, nothing repeated.
//!
//! A producer sends each record in a request of its own and hears of it once; a consumer fetches true windows, so that what it
//! did not find was not there; a transactional one opens, fills and ends its transactions request by request. **Invariant:**
//! an error is that of the only attempt, so that the table of errors may say `fail` where librdkafka's reports cannot.
//! Deliberately absent: groups, idempotence outside of transactions (nothing is sent twice), batches of more than one record.

mod consumer;
mod producer;
mod transactor;

pub use consumer::consume;
pub use producer::produce;
pub use transactor::transact;

use super::status::Counts;
use crate::clock::{self, Deadline};
use crate::errors::{self, Persistence, Stage};
use crate::journal::Answer;
use crate::spec::LogPlace;
use crate::wire::{Append, Cluster};
use history::Outcome;
use std::collections::BTreeMap;

const NS_PER_MS: u64 = 1_000_000;
const ATTEMPT_MS: u64 = 2_500;
const REPLICAS_MS_MAX: i32 = 2_000;

/// A property as a number.
fn number<T: std::str::FromStr>(properties: &BTreeMap<String, String>, name: &str, otherwise: T) -> T {
    properties.get(name).and_then(|value| value.trim().parse().ok()).unwrap_or(otherwise)
}

/// One request, and what its answer tells.
fn append(cluster: &mut Cluster, place: &LogPlace, append: Append<'_>, counts: &Counts) -> Answer {
    let timestamp_ms = (clock::wall() / NS_PER_MS) as i64;
    let append = Append { timestamp_ms, replicas_ms_max: REPLICAS_MS_MAX, ..append };
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
