//! P03 `buffer-full-drop`: the load is faster than the broker, the client's queue is full, and the application catches the
//! error and goes on without the record.
//!
//! ```text
//! queue.buffering.max.messages=500 ── the leader stands still: nothing leaves the queue ── it is full within a second
//! ```
//! Gaps in the sequence for which there is no delivery report at all. An application that waits for room is late instead.

use super::{Effect, Entry, Expected, Side, one_episode, workload};
use crate::scenario::Scenario;
use crate::settings::Owner;
use crate::systems::Capability;
use nemesis::{Aim, Harm};
use workloads::queue::Queue;
use workloads::spec::{OnFull, ProducerApp};
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P03",
    slug: "buffer-full-drop",
    what: "a full queue and an application that goes on without the record lose it; waiting for room makes it late",
    needs: &[Capability::Replication, Capability::Processes],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, setting: &str, on_full, expected| Side {
        name,
        setting: setting.into(),
        scenario: scenario(&format!("P03-{name}"), seed, on_full),
        expected,
    };
    vec![
        side("losing", "dropped", OnFull::Drop, Expected::shows(&[Effect::GivenUp]).and_none_of(&[Effect::Lost])),
        side("safe", "waits", OnFull::Wait, Expected::none_of(&[Effect::GivenUp, Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64, on_full: OnFull) -> Scenario {
    let app = ProducerApp { on_full, ..ProducerApp::default() };
    let queue = Queue { producers: 1, consumers: 1, app, ..Queue::default() };
    let scenario = workload(name, seed, Workload::Queue(queue));
    one_episode(scenario, Harm::Pause, Aim::Leader, 2000).with(Owner::Producer, "queue.buffering.max.messages", "500")
}
