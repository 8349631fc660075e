//! What a run is judged by: which claims may not be broken, and what a reply binds.
//!
//! Both are data that somebody else derived (from configuration files, with file and line): nothing here knows how.

use crate::claim::Claim;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What breaking a claim means for the verdict.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Status {
    /// Breaking it is a violation.
    Forbidden,
    /// Breaking it is counted and shown.
    Allowed {
        /// Why, e.g. `acks=1 in producer.properties:4`.
        because: String,
    },
    /// It is not looked at.
    OutOfScope {
        /// Why, e.g. `the workload has no transactions`.
        because: String,
    },
}

/// Every claim's status; what is not listed is forbidden.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contract {
    statuses: BTreeMap<Claim, Status>,
}

impl Contract {
    /// The contract of acknowledged-by-all, idempotent, non-transactional, ungrouped clients.
    pub fn durable() -> Contract {
        let all = Claim::ALL.into_iter().map(|claim| (claim, Status::Forbidden)).collect();
        Contract { statuses: all }
            .allow(Claim::NoUnreadTrim, "retention is the log's own policy")
            .out_of_scope(Claim::AtomicTxn, "the workload has no transactions")
            .out_of_scope(Claim::NoOwnUncommittedRead, "the workload has no transactions")
            .out_of_scope(Claim::TxnCycles, "the workload has no transactions")
            .out_of_scope(Claim::TxnSerializable, "the workload has no transactions")
            .out_of_scope(Claim::CommittedOffsetMonotonic, "the workload has no groups")
            .out_of_scope(Claim::GroupAtLeastOnce, "the workload has no groups")
            .out_of_scope(Claim::GroupAtMostOnce, "the workload has no groups")
            .out_of_scope(Claim::OneOwner, "the workload has no groups")
            .out_of_scope(Claim::GenerationFenced, "the workload has no groups")
            .out_of_scope(Claim::ContiguousSends, "writers share a log, and no log promises to keep them apart")
    }

    /// The claim's status.
    pub fn status(&self, claim: Claim) -> &Status {
        self.statuses.get(&claim).unwrap_or(&Status::Forbidden)
    }

    /// The same with another status for `claim`.
    pub fn with(mut self, claim: Claim, status: Status) -> Contract {
        self.statuses.insert(claim, status);
        self
    }

    /// The same with `claim` forbidden to break.
    pub fn forbid(self, claim: Claim) -> Contract {
        self.with(claim, Status::Forbidden)
    }

    /// The same with `claim` allowed to break.
    pub fn allow(self, claim: Claim, because: impl Into<String>) -> Contract {
        self.with(claim, Status::Allowed { because: because.into() })
    }

    /// The same with `claim` not looked at.
    pub fn out_of_scope(self, claim: Claim, because: impl Into<String>) -> Contract {
        self.with(claim, Status::OutOfScope { because: because.into() })
    }
}

impl Default for Contract {
    fn default() -> Contract {
        Contract::durable()
    }
}

/// Whether a reply of one sort constrains the scan of [`Claim::LinearizableLog`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bind {
    /// It does.
    Binds,
    /// The system does not promise it.
    Free,
}

/// How many copies of a record one append may leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retries {
    /// One (idempotent writers).
    Once,
    /// Any number: a retry whose first attempt succeeded leaves another.
    Duplicate,
}

/// Who owns the offsets below a log's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gaps {
    /// Each has a record that an operation of the history appended.
    Never,
    /// Some have a marker, a record removed by policy, or one of a stranger.
    Possible,
}

/// What the system under test promises in the linearizable scan (`checking.md` B4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Promises {
    /// An acknowledged record is readable from the acknowledgement on. Free with acknowledgement by the leader alone.
    pub acks: Bind,
    /// An empty fetch proves that nothing was readable there. Free where followers serve reads, where a client buffers,
    /// and where a new leader may start from an older high watermark.
    pub empty_fetches: Bind,
    /// An end offset told proves that nothing was readable beyond it (KIP-207). Free where it may lag.
    pub end_offsets: Bind,
    /// Copies left by retries.
    pub retries: Retries,
    /// Offsets without a record of ours.
    pub gaps: Gaps,
    /// How long the last stable offset may stand still below the end, milliseconds: as long as a transaction may be open.
    #[serde(default = "stall_ms_max")]
    pub stall_ms_max: u64,
    /// How long it may stand at a record of a transaction that has ended, once everything is healed, milliseconds; for ever if a
    /// decision or its markers may be lost.
    #[serde(default)]
    pub ended_ms_max: Option<u64>,
}

/// Kafka's default transaction timeout.
fn stall_ms_max() -> u64 {
    60_000
}

impl Promises {
    /// Everything binds: a log that is linearizable to the letter.
    pub fn strict() -> Promises {
        let (acks, empty_fetches, end_offsets) = (Bind::Binds, Bind::Binds, Bind::Binds);
        let stall_ms_max = stall_ms_max();
        let (retries, gaps, ended_ms_max) = (Retries::Once, Gaps::Never, None);
        Promises { acks, empty_fetches, end_offsets, retries, gaps, stall_ms_max, ended_ms_max }
    }

    /// What a replicated log with a lagging high watermark on new leaders promises: all but empty fetches.
    pub fn durable() -> Promises {
        Promises { empty_fetches: Bind::Free, ..Promises::strict() }
    }
}

impl Default for Promises {
    fn default() -> Promises {
        Promises::durable()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_survives_json_and_says_why() {
        let contract = Contract::durable().allow(Claim::NoAckedLoss, "acks=1 in producer.properties:4");
        let json = serde_json::to_string(&contract).unwrap();
        assert!(json.contains(r#""no-acked-loss":{"status":"allowed","because":"acks=1 in producer.properties:4"}"#));
        assert_eq!(serde_json::from_str::<Contract>(&json).unwrap(), contract);
    }

    #[test]
    fn what_a_contract_does_not_list_is_forbidden() {
        let contract: Contract = serde_json::from_str("{}").unwrap();
        assert!(Claim::ALL.into_iter().all(|c| *contract.status(c) == Status::Forbidden));
    }
}
