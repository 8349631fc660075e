//! The verdict: every claim of the contract judged over a history and, where there are any, the replicas' logs.
//!
//! **Invariant:** a verdict is [`Verdict::Pass`] only if every forbidden claim was judged and held.

use crate::anomaly::Anomaly;
use crate::claim::Claim;
use crate::contract::{Contract, Promises, Status};
use history::{History, Kind, ReplicaLog};
use serde::{Deserialize, Serialize};

/// What became of a claim.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    /// There was enough to judge it by, and it held.
    Held,
    /// It was broken and must not be.
    Violated,
    /// It was broken, so many times, and may be.
    Permitted {
        /// How many times.
        count: u64,
    },
    /// It could not be judged, or was not to be.
    NotJudged {
        /// What was missing.
        why: String,
    },
}

/// A claim, what the contract says of it, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClaimResult {
    /// The claim.
    pub claim: Claim,
    /// The contract's word.
    pub status: Status,
    /// What became of it.
    pub verdict: Finding,
    /// How many findings.
    pub count: u64,
    /// The first few, in words.
    pub examples: Vec<String>,
}

/// A run in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Every forbidden claim was judged and held.
    Pass,
    /// A forbidden anomaly is witnessed.
    Violation,
    /// None is witnessed, and some forbidden claim could not be judged.
    Inconclusive,
}

/// Operations of one kind by outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KindCount {
    /// The kind.
    pub kind: Kind,
    /// It happened.
    pub ok: u64,
    /// It did not.
    pub fail: u64,
    /// Nobody can tell.
    pub unknown: u64,
}

/// What the history held.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Operations by kind and outcome; kinds that do not occur are left out.
    pub ops: Vec<KindCount>,
    /// Appends acknowledged.
    pub acked: u64,
    /// Of these, without an offset.
    pub acked_untold: u64,
    /// Records returned by reads, re-reads included.
    pub records_read: u64,
    /// Offsets that were read at least once.
    pub offsets_read: u64,
    /// Acknowledged records lost for sure.
    pub lost: u64,
    /// Acknowledged records neither read nor shown to be lost.
    pub undecided: u64,
    /// Unknown appends that turned out to have happened.
    pub unknown_seen: u64,
    /// Logs with any operation.
    pub logs: u64,
    /// Logs read from start to end after the heal.
    pub logs_drained: u64,
}

/// Everything there is to say of a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// One entry a claim, in the order of [`Claim::ALL`].
    pub claims: Vec<ClaimResult>,
    /// Every anomaly, of claims in scope.
    pub anomalies: Vec<Anomaly>,
    /// What the history held.
    pub counts: Counts,
}

impl Judgement {
    /// The run in one word.
    pub fn verdict(&self) -> Verdict {
        let forbidden = || self.claims.iter().filter(|c| c.status == Status::Forbidden);
        if forbidden().any(|c| c.verdict == Finding::Violated) {
            return Verdict::Violation;
        }
        match forbidden().all(|c| c.verdict == Finding::Held) {
            true => Verdict::Pass,
            false => Verdict::Inconclusive,
        }
    }

    /// The result of `claim`.
    pub fn claim(&self, claim: Claim) -> Option<&ClaimResult> {
        self.claims.iter().find(|c| c.claim == claim)
    }
}

/// Judges `history`, with the replicas' logs where they were collected (each whole, as it stood on its disk).
pub fn judge(history: &History, replicas: &[ReplicaLog], contract: &Contract, promises: &Promises) -> Judgement {
    let _ = (history, replicas, promises);
    let claims = Claim::ALL.into_iter().map(|claim| ClaimResult {
        claim,
        status: contract.status(claim).clone(),
        verdict: Finding::NotJudged { why: "not judged yet".into() },
        count: 0,
        examples: Vec::new(),
    });
    Judgement { claims: claims.collect(), anomalies: Vec::new(), counts: Counts::default() }
}
