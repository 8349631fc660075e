//! P05 `delivery-window-too-short`: retries end with `delivery.timeout.ms`, and an outage that lasts longer takes a block of
//! records with it.
//!
//! ```text
//! the leader is killed; until another one is elected nothing is acknowledged, longer than the window
//! ```
//! The timeout is ambiguous: of the records given up some may be there all the same (P11). A window longer than the outage
//! loses none.

use super::{Effect, Entry, Expected, Side, one_episode, workload};
use crate::scenario::Scenario;
use crate::settings::Owner;
use crate::systems::Capability;
use nemesis::{Aim, Harm};
use workloads::queue::Queue;
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P05",
    slug: "delivery-window-too-short",
    what: "a delivery timeout shorter than a failover gives records up; a longer one delivers them late",
    needs: &[Capability::Replication, Capability::Processes],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, window: &str, expected| Side {
        name,
        setting: format!("delivery.timeout.ms={window}"),
        scenario: scenario(&format!("P05-{name}"), seed).with(Owner::Producer, "message.timeout.ms", window),
        expected,
    };
    vec![
        side("losing", "700", Expected::shows(&[Effect::GivenUp]).and_none_of(&[Effect::Lost])),
        side("safe", "30000", Expected::none_of(&[Effect::GivenUp, Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let queue = Queue { producers: 1, consumers: 1, ..Queue::default() };
    let scenario = workload(name, seed, Workload::Queue(queue));
    one_episode(scenario, Harm::Kill, Aim::Leader, 2500).with(Owner::Broker, "broker.session.timeout.ms", "2500").with(
        Owner::Producer,
        "request.timeout.ms",
        "500",
    )
}
