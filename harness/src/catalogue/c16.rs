//! C16 `effect-not-atomic-with-offset`: the sink and the brokers are two systems; a crash between writing the one and committing to
//! the other loses or doubles, by the order of the two, although no broker did wrong.
//!
//! The position in the same transaction of the sink, or effects by key, are whole whatever dies.

use super::{Effect, Entry, Expected, Side, sink};
use workloads::sink::SinkStyle;
use workloads::spec::{Commit, ConsumerApp, Ending, Falls, Point};

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "C16",
    slug: "effect-not-atomic-with-offset",
    what: "effect and position in two systems double or lose at a crash; in one transaction, or by key, they do not",
    needs: &[],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, setting: &str, (style, commit, at), expected| {
        let falls = Some(Falls { after: 700, at, by: Ending::Kill });
        let app = ConsumerApp { commit, falls, work_us: 200, ..ConsumerApp::default() };
        Side { name, setting: setting.into(), scenario: sink(&format!("C16-{name}"), seed, style, app), expected }
    };
    let (append, inside, upsert) = (SinkStyle::Append, SinkStyle::PositionInside, SinkStyle::Upsert);
    let none = || Expected::none_of(&[Effect::Skipped, Effect::Redelivered]);
    let doubling = Expected::shows(&[Effect::Redelivered]).and_none_of(&[Effect::Skipped]);
    let losing = Expected::shows(&[Effect::Skipped]).and_none_of(&[Effect::Redelivered]);
    vec![
        side("doubling", "effect first", (append, Commit::AfterBatch, Point::Done), doubling),
        side("losing", "position first", (append, Commit::Before, Point::Working), losing),
        side("safe", "one transaction", (inside, Commit::AfterBatch, Point::Done), none()),
        side("keyed", "effects by key", (upsert, Commit::AfterBatch, Point::Done), none()),
    ]
}
