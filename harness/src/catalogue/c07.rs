//! C07 `poll-too-slow-rebalance`: who does not poll within `max.poll.interval.ms` loses its logs to another member and does not
//! know: both process the same records, and the slow one's commit is refused.
//!
//! ```text
//! 100 records at 80 ms ── the interval of 6 s is over ── the other member begins at the old position ── the slow one goes on
//! ```
//! Smaller batches stay within the interval.

use super::{Effect, Entry, Expected, Side, group};
use crate::scenario::{Load, Scenario};
use crate::settings::Owner;
use std::time::Duration;
use workloads::spec::ConsumerApp;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "C07",
    slug: "poll-too-slow-rebalance",
    what: "a member that works longer than max.poll.interval.ms on a batch processes it twice with its successor",
    needs: &[],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, batch_max, expected| {
        let app = ConsumerApp { batch_max, work_us: 80_000, starts_at: 200, ..ConsumerApp::default() };
        let scenario = group(&format!("C07-{name}"), seed, 2, app);
        let load = Load { time: Duration::from_secs(22), rate_per_s: 100, ..scenario.load };
        let scenario = Scenario { load, ..scenario }.with(Owner::Consumer, "max.poll.interval.ms", "6000");
        Side { name, setting: format!("{batch_max} records a poll"), scenario, expected }
    };
    vec![
        side("doubling", 100, Expected::shows(&[Effect::Redelivered])),
        side("safe", 10, Expected::none_of(&[Effect::Redelivered, Effect::Skipped])),
    ]
}
