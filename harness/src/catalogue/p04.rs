//! P04 `record-too-large`: a record beyond the topic's limit is refused for good, and an application that ignores errors never
//! hears of it.
//!
//! No fault is needed: every fiftieth record has 20 000 bytes and the topic takes 10 000. Exactly those are missing, one
//! definite error each. With limits that agree nothing is. A request a record is slow, and so is an idempotent producer's new
//! epoch after each refusal: the rate is one that a busy machine keeps up with, for what it did not would be given up too.

use super::{Effect, Entry, Expected, Side, workload};
use crate::scenario::{Load, Scenario};
use crate::settings::Owner;
use workloads::queue::Queue;
use workloads::spec::{Large, ProducerApp};
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P04",
    slug: "record-too-large",
    what: "records beyond max.message.bytes are refused for good; limits that agree let them pass",
    needs: &[],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, limit: &str, expected| Side {
        name,
        setting: format!("max.message.bytes={limit}"),
        scenario: scenario(&format!("P04-{name}"), seed).with(Owner::Topic, "max.message.bytes", limit),
        expected,
    };
    vec![
        side("losing", "10000", Expected::shows(&[Effect::GivenUp]).and_none_of(&[Effect::Lost, Effect::Phantom])),
        side("safe", "30000", Expected::none_of(&[Effect::GivenUp, Effect::Lost])),
    ]
}

const RATE_PER_S: u64 = 200;

fn scenario(name: &str, seed: u64) -> Scenario {
    let app = ProducerApp { large: Some(Large { every: 50, bytes: 20_000 }), ..ProducerApp::default() };
    let queue = Queue { producers: 1, consumers: 1, app, ..Queue::default() };
    let scenario = workload(name, seed, Workload::Queue(queue));
    let scenario = Scenario { load: Load { rate_per_s: RATE_PER_S, ..scenario.load }, ..scenario };
    // A batch is refused as a whole: one record a batch, so that the large ones take no others along.
    scenario.with(Owner::Producer, "batch.num.messages", "1")
}
