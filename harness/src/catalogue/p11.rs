//! P11 `ambiguous-outcome`: a timeout says nothing about the log. The record may be there now, or appear later.
//!
//! ```text
//! a follower SIGSTOP, still in sync ── the leader appends and waits for it ── the delivery window ends: reported failed
//!     ── SIGCONT: committed. An application that believes the report is wrong, and one that sends again has it twice
//! ```
//! The second is so even with an idempotent producer, for the new attempt has a new sequence number. A window longer than the
//! pause leaves nothing in doubt.

use super::p08::PATIENT;
use super::{Effect, Entry, Expected, Side, one_episode, workload};
use crate::scenario::{Load, Scenario};
use crate::settings::Owner;
use crate::systems::Capability;
use nemesis::{Aim, Harm};
use workloads::queue::Queue;
use workloads::spec::{OnError, ProducerApp};
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P11",
    slug: "ambiguous-outcome",
    what: "what was reported failed may be in the log, and what is sent again because of it may be there twice",
    needs: &[Capability::Replication, Capability::Processes],
    sides,
};

const HOLD_MS: u64 = 2500;

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, window: &str, on_error, idempotence: &str, expected: Expected| Side {
        name,
        setting: format!("window={window}"),
        scenario: scenario(&format!("P11-{name}"), seed, on_error)
            .with(Owner::Producer, "message.timeout.ms", window)
            .with(Owner::Producer, "enable.idempotence", idempotence),
        expected: expected.and_none_of(&[Effect::Lost]),
    };
    vec![
        side("phantom", "900", OnError::GoOn, "true", Expected::shows(&[Effect::Phantom])),
        side("resent", "900", OnError::Resend, "false", Expected::shows(&[Effect::Duplicated])),
        side("safe", "30000", OnError::GoOn, "true", Expected::none_of(&[Effect::Phantom, Effect::Duplicated])),
    ]
}

fn scenario(name: &str, seed: u64, on_error: OnError) -> Scenario {
    let app = ProducerApp { on_error, ..ProducerApp::default() };
    let queue = Queue { producers: 1, consumers: 1, app, ..Queue::default() };
    let scenario = workload(name, seed, Workload::Queue(queue));
    let scenario = Scenario { load: Load { rate_per_s: 200, ..scenario.load }, ..scenario };
    let scenario = PATIENT.iter().fold(scenario, |scenario, (name, value)| scenario.with(Owner::Broker, name, value));
    one_episode(scenario, Harm::Pause, Aim::Follower, HOLD_MS)
}
