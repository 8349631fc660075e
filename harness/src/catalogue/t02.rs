//! T02 `consume-transform-produce`: outputs and the positions of their inputs must be committed together.
//!
//! ```text
//! read a batch ── outputs ── SIGKILL ── the next life reads the batch again ── outputs
//! ```
//! Without transactions, and with a transaction for the outputs alone, an input has two outputs. With both in one transaction the
//! first attempt was never committed.

use super::{Effect, Entry, Expected, Side, long};
use workloads::consume_transform_produce::ConsumeTransformProduce;
use workloads::spec::{Ending, FallsBetween, TransformApp, TransformStyle};
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "T02",
    slug: "consume-transform-produce",
    what: "a crash between outputs and positions doubles outputs, unless both are in one transaction",
    needs: &[],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, setting: &str, style, expected| {
        let falls = Some(FallsBetween { after: 10, by: Ending::Kill });
        let app = TransformApp { style, falls, ..TransformApp::default() };
        let shape = ConsumeTransformProduce { producers: 1, transformers: 1, app };
        let scenario = long(&format!("T02-{name}"), seed, Workload::ConsumeTransformProduce(shape));
        Side { name, setting: setting.into(), scenario, expected }
    };
    let doubling = || Expected::shows(&[Effect::Redelivered]).and_none_of(&[Effect::Skipped]);
    vec![
        side("plain", "no transaction", TransformStyle::Plain, doubling()),
        side("apart", "positions apart", TransformStyle::OutputsOnly, doubling()),
        side(
            "safe",
            "one transaction",
            TransformStyle::PositionsInside,
            Expected::none_of(&[Effect::Redelivered, Effect::Skipped, Effect::Torn]),
        ),
    ]
}
