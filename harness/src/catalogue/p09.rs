//! P09 `retry-reorder`: with several requests under way, one that fails is sent again after those behind it have succeeded.
//!
//! ```text
//! producer ── batch 1 ──✂          (lost on the way)
//!          ── batch 2 ──▶ appended, acknowledged
//!          ── batch 1 ──▶ appended, acknowledged        2 stands before 1
//! ```
//! An idempotent producer numbers its batches: 2 is refused until 1 is there.

use super::{Effect, Entry, Expected, Side, tampered, workload};
use crate::scenario::Scenario;
use crate::settings::Owner;
use crate::systems::Capability;
use nemesis::{Api, Harm};
use workloads::queue::Queue;
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P09",
    slug: "retry-reorder",
    what: "without idempotence a request that is sent again comes after those behind it; with it, order is kept",
    needs: &[Capability::Processes],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, idempotence: &str, expected| Side {
        name,
        setting: format!("idempotence {idempotence}"),
        scenario: scenario(&format!("P09-{name}"), seed).with(Owner::Producer, "enable.idempotence", idempotence),
        expected,
    };
    vec![
        side("reordering", "false", Expected::shows(&[Effect::Reordered]).and_none_of(&[Effect::Lost])),
        side("safe", "true", Expected::none_of(&[Effect::Reordered, Effect::Duplicated, Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let queue = Queue { producers: 1, consumers: 1, ..Queue::default() };
    let scenario = workload(name, seed, Workload::Queue(queue));
    tampered(scenario, Harm::DropRequest, Api::Produce, 4).with(Owner::Producer, "request.timeout.ms", "500").with(
        Owner::Producer,
        "max.in.flight.requests.per.connection",
        "5",
    )
}
