//! T01 `read-uncommitted-dirty-read`: aborted records stay in the log, and only `isolation.level=read_committed` filters them.
//!
//! Half of the transactions are aborted on purpose. The Java client's default, read_uncommitted, is handed their records.

use super::{Effect, Entry, Expected, Side, workload};
use crate::settings::Owner;
use workloads::transactions::Transactions;
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "T01",
    slug: "read-uncommitted-dirty-read",
    what: "a reader of uncommitted records is handed aborted ones; a reader of committed records is not",
    needs: &[],
    sides,
};

fn sides(seed: u64) -> Vec<Side> {
    let side = |name: &'static str, isolation: &str, expected| {
        let shape = Transactions { transactors: 1, consumers: 1, abort_percent: 50, ..Transactions::default() };
        let scenario = workload(&format!("T01-{name}"), seed, Workload::Transactions(shape));
        let scenario = scenario.with(Owner::Consumer, "isolation.level", isolation);
        Side { name, setting: isolation.into(), scenario, expected }
    };
    vec![
        side("dirty", "read_uncommitted", Expected::shows(&[Effect::Dirty])),
        side("safe", "read_committed", Expected::none_of(&[Effect::Dirty, Effect::Torn])),
    ]
}
