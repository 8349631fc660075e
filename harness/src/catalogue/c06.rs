//! C06 `unsubscribe-before-close`: the Java client commits by itself in a poll and when it is closed. Ending the subscription gives
//! its logs up without that commit, and closing it then has nothing left to commit.
//!
//! ```text
//! poll ─ process ─ poll ─ process ─ unsubscribe, close      the last poll's records are processed again
//! poll ─ process ─ poll ─ process ─ close                   none are
//! ```
//! The member leaves between two polls, with everything done that it was handed, and comes back. Needs the Java client:
//! librdkafka stores what it has handed over and commits it when it leaves, either way.

use super::{Effect, Entry, Expected, Side, group};
use crate::scenario::{Load, Scenario};
use crate::settings::Owner;
use std::time::Duration;
use workloads::library::Library;
use workloads::spec::{Commit, ConsumerApp, Ending, Falls, Leaves, Point};

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "C06",
    slug: "unsubscribe-before-close",
    what: "unsubscribe() before close() gives the logs up without the commit that close() would have made",
    needs: &[],
    sides,
};

const POLL_RECORDS: usize = 10;

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, setting: &str, leaves, expected| {
        let falls = Some(Falls { after: 300, at: Point::Between, by: Ending::Exit });
        let app = ConsumerApp {
            commit: Commit::Library,
            batch_max: POLL_RECORDS,
            starts_at: 400,
            leaves,
            falls,
            ..ConsumerApp::default()
        };
        let scenario = group(&format!("C06-{name}"), seed, 1, app).on(Library::Java);
        let load = Load { time: Duration::from_secs(30), rate_per_s: 200, ..scenario.load };
        let scenario = Scenario { load, ..scenario }.with(Owner::Consumer, "enable.auto.commit", "true");
        Side { name, setting: setting.into(), scenario, expected }
    };
    let doubling = Expected::shows(&[Effect::Redelivered]).and_none_of(&[Effect::Skipped]);
    let none = Expected::none_of(&[Effect::Redelivered, Effect::Skipped]);
    vec![
        side("doubling", "unsubscribe, close", Leaves::Unsubscribing, doubling),
        side("safe", "close", Leaves::Closing, none),
    ]
}
