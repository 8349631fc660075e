//! C05 `crash-before-commit`: the price of at least once. What was processed and not committed is processed again.
//!
//! The cure is not in the brokers: effects that are keyed by the record's place (or by a business key) do not double. The safe side
//! writes the same effects into a sink by key and counts those.

use super::{Effect, Entry, Expected, Side, group, sink};
use workloads::sink::SinkStyle;
use workloads::spec::{ConsumerApp, Ending, Falls, Point};

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "C05",
    slug: "crash-before-commit",
    what: "what was processed and not committed is processed again; effects keyed by the record do not double",
    needs: &[],
    sides,
};

fn app() -> ConsumerApp {
    let falls = Some(Falls { after: 700, at: Point::Done, by: Ending::Kill });
    ConsumerApp { falls, work_us: 200, ..ConsumerApp::default() }
}

fn sides(seed: u64) -> Vec<Side> {
    vec![
        Side {
            name: "doubling",
            setting: "plain effects".into(),
            scenario: group("C05-doubling", seed, 1, app()),
            expected: Expected::shows(&[Effect::Redelivered]).and_none_of(&[Effect::Skipped]),
        },
        Side {
            name: "safe",
            setting: "effects by key".into(),
            scenario: sink("C05-safe", seed, SinkStyle::Upsert, app()),
            expected: Expected::none_of(&[Effect::Redelivered, Effect::Skipped]),
        },
    ]
}
