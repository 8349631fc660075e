//! P10 `gap-after-failure`: a record fails for good and those behind it do not: the log has a hole, or the record comes later.
//!
//! ```text
//! producer ── n ──✂ given up        n+1, n+2 … ──▶ appended
//!          ── n, sent again by the application ──▶ appended behind them
//! ```
//! A producer that is idempotent and gives up later than the failure lasts leaves no hole and keeps the order.

use super::{Effect, Entry, Expected, Side, tampered, workload};
use crate::scenario::Scenario;
use crate::settings::Owner;
use crate::systems::Capability;
use nemesis::{Api, Harm};
use workloads::queue::Queue;
use workloads::spec::{OnError, ProducerApp};
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P10",
    slug: "gap-after-failure",
    what: "a record given up leaves a hole, sent again by the application it comes too late; retries with idempotence do neither",
    needs: &[Capability::Processes],
    sides,
};

const RETRIES: u32 = i32::MAX as u32;

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, setting: &str, (on_error, retries, idempotence), expected| {
        let scenario = scenario(&format!("P10-{name}"), seed, on_error)
            .with(Owner::Producer, "retries", &format!("{retries}"))
            .with(Owner::Producer, "enable.idempotence", idempotence);
        Side { name, setting: setting.into(), scenario, expected }
    };
    vec![
        side("hole", "given up", (OnError::GoOn, 0, "false"), Expected::shows(&[Effect::GivenUp])),
        side(
            "late",
            "sent again",
            (OnError::Resend, 0, "false"),
            Expected::shows(&[Effect::Reordered]).and_none_of(&[Effect::GivenUp, Effect::Lost]),
        ),
        side(
            "safe",
            "idempotent",
            (OnError::GoOn, RETRIES, "true"),
            Expected::none_of(&[Effect::GivenUp, Effect::Reordered, Effect::Lost]),
        ),
    ]
}

fn scenario(name: &str, seed: u64, on_error: OnError) -> Scenario {
    let app = ProducerApp { on_error, ..ProducerApp::default() };
    let queue = Queue { producers: 1, consumers: 1, app, ..Queue::default() };
    let scenario = workload(name, seed, Workload::Queue(queue));
    tampered(scenario, Harm::DropRequest, Api::Produce, 1).with(Owner::Producer, "request.timeout.ms", "500").with(
        Owner::Producer,
        "max.in.flight.requests.per.connection",
        "5",
    )
}
