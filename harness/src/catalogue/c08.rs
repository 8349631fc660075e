//! C08 `off-by-one-commit`: the committed position is the *next* offset to be read. Committing the last one processed repeats
//! one record, committing one more skips one.
//!
//! The member processes some records, commits, leaves and comes back: one record is doubled or lost each time it leaves. It
//! leaves twice, in the middle and at the end of the load; what the second time doubles would be seen only after it, what it
//! loses is passed by the position that is stored, so that the losing side shows one or two.

use super::{Effect, Entry, Expected, Side, group};
use workloads::spec::{Commit, ConsumerApp, Ending, Falls, Point};

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "C08",
    slug: "off-by-one-commit",
    what: "committing offset+2 skips a record, committing offset repeats one; the position is offset+1",
    needs: &[],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, setting: &str, shift, expected| {
        let falls = Some(Falls { after: 300, at: Point::Done, by: Ending::Exit });
        let app = ConsumerApp { commit: Commit::AfterRecord, shift, falls, ..ConsumerApp::default() };
        Side { name, setting: setting.into(), scenario: group(&format!("C08-{name}"), seed, 1, app), expected }
    };
    vec![
        side("losing", "offset+2", 1, Expected::shows(&[Effect::Skipped])),
        side("doubling", "offset", -1, Expected::shows(&[Effect::Redelivered]).and_none_of(&[Effect::Skipped])),
        side("safe", "offset+1", 0, Expected::none_of(&[Effect::Skipped, Effect::Redelivered])),
    ]
}
