//! P02 `fire-and-forget`: errors arrive in delivery reports only; who ignores them believes what is not so.
//!
//! ```text
//! min.insync.replicas=3 ── a follower is killed for longer than the delivery window: every write is refused, and then given up
//!     ── it returns ── writes succeed again
//! ```
//! The application handed over N records and the log has fewer. One that looks at its reports sends those again.

use super::{Effect, Entry, Expected, Side, one_episode, workload};
use crate::scenario::Scenario;
use crate::settings::Owner;
use crate::systems::Capability;
use nemesis::{Aim, Harm};
use workloads::queue::Queue;
use workloads::spec::{OnError, ProducerApp};
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P02",
    slug: "fire-and-forget",
    what: "a producer that ignores delivery errors believes records are there that are not; one that sends them again is right",
    needs: &[Capability::Replication, Capability::Processes],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, setting: &str, on_error, expected| Side {
        name,
        setting: setting.into(),
        scenario: scenario(&format!("P02-{name}"), seed, on_error),
        expected,
    };
    vec![
        side(
            "losing",
            "errors ignored",
            OnError::GoOn,
            Expected::shows(&[Effect::GivenUp]).and_none_of(&[Effect::Lost]),
        ),
        side("safe", "sent again", OnError::Resend, Expected::none_of(&[Effect::GivenUp, Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64, on_error: OnError) -> Scenario {
    let app = ProducerApp { on_error, ..ProducerApp::default() };
    let queue = Queue { producers: 1, consumers: 1, app, ..Queue::default() };
    let scenario = workload(name, seed, Workload::Queue(queue));
    one_episode(scenario, Harm::Kill, Aim::Follower, 2500)
        .with(Owner::Topic, "min.insync.replicas", "3")
        .with(Owner::Broker, "replica.lag.time.max.ms", "1000")
        .with(Owner::Producer, "enable.idempotence", "false")
        .with(Owner::Producer, "message.timeout.ms", "700")
        .with(Owner::Producer, "request.timeout.ms", "500")
}
