//! P01 `producer-buffer-dies`: handing a record to the client only puts it into a buffer; what is in there when the process
//! ends, by SIGKILL or by leaving `main` without a flush, is gone.
//!
//! ```text
//! 1000 records handed over within the linger time ── the process ends ── it is started again and goes on
//! ```
//! Not a loss of acknowledged records: handed over, never reported, in no log. A flush before the end delivers them; a
//! SIGKILL only what was written down before it was handed over brings back.

use super::{Effect, Entry, Expected, Side, workload};
use crate::scenario::Scenario;
use crate::settings::Owner;
use workloads::queue::Queue;
use workloads::spec::{AtExit, Dies, Ending, ProducerApp};
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "P01",
    slug: "producer-buffer-dies",
    what: "records in the client's buffer die with the process; a flush, or an outbox written first, saves them",
    needs: &[],
    sides,
};

const AFTER: u64 = 1000;
const LINGER_MS: &str = "1000";

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, setting: &str, app: ProducerApp, expected| Side {
        name,
        setting: setting.into(),
        scenario: scenario(&format!("P01-{name}"), seed, app),
        expected,
    };
    let dies = |by| Some(Dies { after: AFTER, by });
    let app = |by, at_exit| ProducerApp { dies: dies(by), at_exit, ..ProducerApp::default() };
    let spooled = ProducerApp { outbox: Some("outbox".into()), ..app(Ending::Kill, AtExit::Flush) };
    let (losing, safe) =
        (Expected::shows(&[Effect::Unreported]), Expected::none_of(&[Effect::Unreported, Effect::Lost]));
    vec![
        side("losing", "SIGKILL", app(Ending::Kill, AtExit::Flush), losing.clone()),
        side("leaving", "no flush", app(Ending::Exit, AtExit::Leave), losing),
        side("safe", "flush", app(Ending::Exit, AtExit::Flush), safe.clone()),
        side("spooled", "SIGKILL, outbox", spooled, safe),
    ]
}

fn scenario(name: &str, seed: u64, app: ProducerApp) -> Scenario {
    let queue = Queue { producers: 1, consumers: 1, app, ..Queue::default() };
    workload(name, seed, Workload::Queue(queue)).with(Owner::Producer, "linger.ms", LINGER_MS)
}
