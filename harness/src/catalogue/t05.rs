//! T05 `delayed-end-txn` (KAFKA-17754): a request that ends a transaction says whose it is and not which: late, it ends the next one.
//!
//! ```text
//! producer ── EndTxn(commit) ──┐ late            the client gives it up, and sends it again
//!          ── EndTxn(commit) ──┼──▶ transaction 1 is committed
//!          ── begin 2, half of it written        │
//!                              └──▶ transaction 2 is committed, and half of it is visible
//! ```
//! Clients and brokers with a new epoch for each transaction (KIP-890, part 2) are safe; librdkafka is not one of them, and neither
//! are brokers that it speaks to. A client that waits longer than a request may be late sends nothing twice.

use super::{Effect, Entry, Expected, Side, workload};
use crate::scenario::{Faults, Load, Scenario};
use crate::settings::Owner;
use crate::systems::Capability;
use history::LogId;
use nemesis::plan::Planned;
use nemesis::{Aim, Api, FaultKind, Harm};
use std::time::Duration;
use workloads::transactions::Transactions;
use workloads::workload::Workload;

/// The entry.
pub const ENTRY: Entry = Entry {
    id: "T05",
    slug: "delayed-end-txn",
    what: "a late commit of one transaction commits half of the next one; a client that waits for it sends nothing twice",
    needs: &[Capability::Processes],
    sides,
};

/// How late, and how often: one may come between two transactions and do nothing.
const LATE_MS: u64 = 2000;
const TIMES: usize = 4;

fn sides(seed: u64) -> Vec<Side> {
    let side = |name, patience: &str, expected| Side {
        name,
        setting: format!("waits {patience} ms"),
        scenario: scenario(&format!("T05-{name}"), seed).with(Owner::Producer, "socket.timeout.ms", patience),
        expected,
    };
    vec![
        side("tearing", "1000", Expected::shows(&[Effect::Torn]).and_violates()),
        side("safe", "20000", Expected::none_of(&[Effect::Torn, Effect::Dirty, Effect::Lost])),
    ]
}

fn scenario(name: &str, seed: u64) -> Scenario {
    let shape = Transactions { transactors: 1, consumers: 1, abort_percent: 0, ..Transactions::default() };
    let scenario = workload(name, seed, Workload::Transactions(shape));
    let planned = |fault| Planned { fault, log: LogId(0), gap_ms: 700, hold_ms: LATE_MS, pick: 0 };
    let late = FaultKind::new(Harm::DelayRequest, Aim::Requests(Api::EndTxn)).map(planned);
    Scenario {
        load: Load { time: Duration::from_secs(16), ..scenario.load },
        faults: Faults::Scripted(late.into_iter().flat_map(|one| [one; TIMES]).collect()),
        ..scenario
    }
}
