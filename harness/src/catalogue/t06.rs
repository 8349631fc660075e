//! T06 `producer-id-expiry`: a broker forgets producers that are silent for long, and with them what it knows repetitions by.
//!
//! ```text
//! producer ── batch ──▶ appended        ◀──✂ its answer is lost
//!              … longer than producer.id.expiration.ms …
//!          ── the same batch ──▶ nobody remembers it: appended again
//! ```
//! Idempotence holds only as long as the broker's memory is longer than the producer's patience.

use super::{Effect, Entry, Expected, Side, tampered, workload};
use crate::scenario::{Load, Scenario};
use crate::settings::Owner;
use crate::systems::Capability;
use nemesis::{Api, Harm};
use std::time::Duration;
use workloads::queue::Queue;
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "T06",
    slug: "producer-id-expiry",
    what: "an idempotent record is appended twice if the broker forgets its producer before it is sent again",
    needs: &[Capability::Processes],
    sides,
};

/// Longer than a forgetful broker remembers, and than it takes until it looks.
const BACKOFF_MS: &str = "3000";

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, expiration: &str, expected| Side {
        name,
        setting: format!("remembers {expiration} ms"),
        scenario: scenario(&format!("T06-{name}"), seed).with(Owner::Broker, "producer.id.expiration.ms", expiration),
        expected,
    };
    vec![
        side("doubling", "1000", Expected::shows(&[Effect::Duplicated]).and_none_of(&[Effect::Lost])),
        side("safe", "86400000", Expected::none_of(&[Effect::Duplicated, Effect::Lost])),
    ]
}

/// One request at a time: what waits behind the one in doubt is not sent, and the producer is silent.
fn scenario(name: &str, seed: u64) -> Scenario {
    let queue = Queue { producers: 1, consumers: 1, ..Queue::default() };
    let scenario = workload(name, seed, Workload::Queue(queue));
    let load = Load { time: Duration::from_secs(10), rate_per_s: 200, ..scenario.load };
    tampered(Scenario { load, ..scenario }, Harm::DropResponse, Api::Produce, 1)
        .with(Owner::Broker, "producer.id.expiration.check.interval.ms", "200")
        .with(Owner::Producer, "max.in.flight.requests.per.connection", "1")
        .with(Owner::Producer, "request.timeout.ms", "500")
        .with(Owner::Producer, "retry.backoff.ms", BACKOFF_MS)
        .with(Owner::Producer, "retry.backoff.max.ms", BACKOFF_MS)
}
