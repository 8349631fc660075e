//! C01 `commit-before-process`: the committed position is the only memory of progress; committing first is at most once.
//!
//! ```text
//! poll a batch ── commit its end ── work on its records ── SIGKILL in between ── the next life begins after the batch
//! ```
//! The records are in the log and the group never processed them.

use super::{Effect, Entry, Expected, Side, group};
use workloads::spec::{Commit, ConsumerApp, Ending, Falls, Point};

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "C01",
    slug: "commit-before-process",
    what: "a member that commits before it processes skips what it was working on when it died; after it, it repeats it",
    needs: &[],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, setting: &str, commit, expected| {
        let falls = Some(Falls { after: 700, at: Point::Working, by: Ending::Kill });
        let app = ConsumerApp { commit, falls, work_us: 200, ..ConsumerApp::default() };
        Side { name, setting: setting.into(), scenario: group(&format!("C01-{name}"), seed, 1, app), expected }
    };
    vec![
        side("losing", "commit first", Commit::Before, Expected::shows(&[Effect::Skipped])),
        side("safe", "commit after", Commit::AfterBatch, Expected::none_of(&[Effect::Skipped])),
    ]
}
