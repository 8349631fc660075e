//! T03 `zombie-producer`: fencing works by transactional id. With an id of its own for each start an old instance that stood still
//! wakes up and commits, after somebody else has done its work.
//!
//! ```text
//! A: outputs, stands still for longer than max.poll.interval.ms ── B is given the input, does the batch again, commits
//!     ── A wakes up and commits its transaction
//! ```
//! With the input's id B has fenced A, and A's outputs are aborted.

use super::{Effect, Entry, Expected, Side, long};
use crate::scenario::{Load, Scenario};
use crate::settings::Owner;
use std::time::Duration;
use workloads::consume_transform_produce::ConsumeTransformProduce;
use workloads::spec::{Ids, Stall, TransformApp, TransformStyle};
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "T03",
    slug: "zombie-producer",
    what: "with random transactional ids an instance that was replaced still commits; with the input's id it is fenced",
    needs: &[],
    sides,
};

const STALL: Stall = Stall { after: 10, ms: 11_000 };

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, setting: &str, ids, expected| {
        let app =
            TransformApp { style: TransformStyle::OutputsOnly, ids, stalls: Some(STALL), ..TransformApp::default() };
        let shape = ConsumeTransformProduce { producers: 1, transformers: 2, app };
        let scenario = long(&format!("T03-{name}"), seed, Workload::ConsumeTransformProduce(shape));
        let load = Load { time: Duration::from_secs(22), ..scenario.load };
        let scenario = Scenario { load, ..scenario }.with(Owner::Consumer, "max.poll.interval.ms", "6000").with(
            Owner::Producer,
            "transaction.timeout.ms",
            "30000",
        );
        Side { name, setting: setting.into(), scenario, expected }
    };
    vec![
        side("doubling", "random ids", Ids::Random, Expected::shows(&[Effect::Redelivered])),
        side("safe", "the input's id", Ids::OfInput, Expected::none_of(&[Effect::Redelivered, Effect::Skipped])),
    ]
}
