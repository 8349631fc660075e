//! C09 `reset-latest-new-group`: without a committed position `auto.offset.reset=latest`, the default of every client, begins at
//! the end.
//!
//! ```text
//! 2000 records are there ── a new group starts ── everything before it is never processed by it
//! ```

use super::{Effect, Entry, Expected, Side, group};
use crate::settings::Owner;
use workloads::spec::ConsumerApp;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "C09",
    slug: "reset-latest-new-group",
    what: "a new group with auto.offset.reset=latest never sees what was there before it; earliest does",
    needs: &[],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, reset: &str, expected| {
        let app = ConsumerApp { starts_at: 2000, ..ConsumerApp::default() };
        let scenario = group(&format!("C09-{name}"), seed, 1, app).with(Owner::Consumer, "auto.offset.reset", reset);
        Side { name, setting: format!("reset={reset}"), scenario, expected }
    };
    vec![
        side("losing", "latest", Expected::shows(&[Effect::Skipped])),
        side("safe", "earliest", Expected::none_of(&[Effect::Skipped])),
    ]
}
