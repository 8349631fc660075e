//! P04 `record-too-large`: a record beyond the topic's limit is refused for good, and an application that ignores errors never
//! hears of it.
//!
//! No fault is needed: every hundredth record has 20 000 bytes and the topic takes 10 000. Exactly those are missing, one
//! definite error each. With limits that agree nothing is.

use super::{Effect, Entry, Expected, Side, workload};
use crate::scenario::Scenario;
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

fn scenario(name: &str, seed: u64) -> Scenario {
    let app = ProducerApp { large: Some(Large { every: 100, bytes: 20_000 }), ..ProducerApp::default() };
    let queue = Queue { producers: 1, consumers: 1, app, ..Queue::default() };
    // A batch is refused as a whole: one record a batch, so that the large ones take no others along.
    workload(name, seed, Workload::Queue(queue)).with(Owner::Producer, "batch.num.messages", "1")
}
