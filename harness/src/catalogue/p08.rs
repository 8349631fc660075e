//! P08 `retry-duplicates`: the write succeeded, its answer came too late, and the client sends it again.
//!
//! ```text
//! a follower SIGSTOP, still in sync ── the leader appends and waits for it ── the client's request times out, again and again
//!     ── each attempt is appended ── SIGCONT: all of them are committed
//! ```
//! Without idempotence the broker cannot tell an attempt from a new record: duplicates, and what is read goes back at every retry
//! (the judge calls a second place a duplicate and not a reordering). With it the leader knows what it has. Needs a pause shorter
//! than what takes a follower out of the in-sync set.

use super::{Effect, Entry, Expected, Side, one_episode, workload};
use crate::scenario::{Load, Scenario};
use crate::settings::Owner;
use crate::systems::Capability;
use nemesis::{Aim, Harm};
use workloads::queue::Queue;
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P08",
    slug: "retry-duplicates",
    what: "a retry whose first attempt was appended stands in the log twice; with idempotence the broker knows it",
    needs: &[Capability::Replication, Capability::Processes],
    sides,
};

/// Longer than several request timeouts, shorter than any of [`PATIENT`].
const HOLD_MS: u64 = 2500;

/// Nobody leaves the in-sync set or the cluster meanwhile.
pub const PATIENT: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "12000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("replica.lag.time.max.ms", "12000"),
    ("replica.fetch.wait.max.ms", "100"),
];

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, idempotence: &str, expected| Side {
        name,
        setting: format!("idempotent={idempotence}"),
        scenario: scenario(&format!("P08-{name}"), seed).with(Owner::Producer, "enable.idempotence", idempotence),
        expected,
    };
    vec![
        side("losing", "false", Expected::shows(&[Effect::Duplicated]).and_none_of(&[Effect::Lost])),
        side("safe", "true", Expected::none_of(&[Effect::Duplicated, Effect::Reordered, Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let queue = Queue { producers: 1, consumers: 1, ..Queue::default() };
    let scenario = workload(name, seed, Workload::Queue(queue));
    let scenario = Scenario { load: Load { rate_per_s: 200, ..scenario.load }, ..scenario };
    let scenario = PATIENT.iter().fold(scenario, |scenario, (name, value)| scenario.with(Owner::Broker, name, value));
    one_episode(scenario, Harm::Pause, Aim::Follower, HOLD_MS).with(Owner::Producer, "request.timeout.ms", "300")
}
