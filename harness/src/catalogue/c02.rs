//! C02 `librdkafka-auto-offset-store`: with auto-commit librdkafka marks a record as done just before it hands it over, and a
//! timer commits it while it is being processed.
//!
//! ```text
//! a batch is handed over and marked ── the timer commits its end ── SIGKILL in the middle of it ── the rest is never processed
//! ```
//! With `enable.auto.offset.store=false` and positions stored after the work nothing that was not processed is committed.

use super::{Effect, Entry, Expected, Side, group};
use crate::settings::Owner;
use workloads::spec::{Commit, ConsumerApp, Ending, Falls, Point};

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "C02",
    slug: "librdkafka-auto-offset-store",
    what: "auto-commit with auto-offset-store skips what was handed over and not processed; storing after the work does not",
    needs: &[],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, store: &str, commit, expected| {
        let falls = Some(Falls { after: 120, at: Point::Working, by: Ending::Kill });
        let app = ConsumerApp { commit, falls, work_us: 10_000, ..ConsumerApp::default() };
        let scenario = group(&format!("C02-{name}"), seed, 1, app)
            .with(Owner::Consumer, "enable.auto.commit", "true")
            .with(Owner::Consumer, "auto.commit.interval.ms", "200")
            .with(Owner::Consumer, "enable.auto.offset.store", store);
        Side { name, setting: format!("auto.offset.store={store}"), scenario, expected }
    };
    vec![
        side("losing", "true", Commit::Library, Expected::shows(&[Effect::Skipped])),
        side("safe", "false", Commit::Stored, Expected::none_of(&[Effect::Skipped])),
    ]
}
