//! What is said of a foreign history: a verdict, and every finding in the file's own names.

use super::Format;
use crate::verdict::Verdict;
use checker::ClaimResult;
use history::Outcome;
use serde::Serialize;

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Logs: appends, reads, transactions over them.
    Logs,
    /// Registers.
    Registers,
    /// A store of strings.
    Store,
    /// Transactions over lists.
    Lists,
}

/// What a finding means for the verdict.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "standing", rename_all = "kebab-case")]
pub enum Standing {
    /// It breaks what every such system promises.
    Violation,
    /// It is told, and may be.
    Permitted {
        /// Why.
        because: String,
    },
    /// Whether it breaks anything cannot be told from this file.
    Undecided {
        /// What would decide it.
        because: String,
    },
}

/// An operation that proves something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Evidence {
    /// Who.
    pub process: String,
    /// What it asked and was told.
    pub what: String,
    /// When, ns from the history's zero (places in the file, where it has no times).
    pub invoked_ns: i64,
    /// Until when; absent if no reply came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned_ns: Option<i64>,
    /// What is known of its effect.
    pub outcome: Outcome,
}

/// One thing found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ForeignFinding {
    /// Its short name.
    pub name: String,
    /// What Jepsen calls it, or files it under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jepsen: Option<String>,
    /// What it means for the verdict.
    #[serde(flatten)]
    pub standing: Standing,
    /// How many times it was found here.
    pub count: u64,
    /// The log, register or list it concerns, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Offsets concerned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offsets: Vec<i64>,
    /// Values concerned, as the file has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What happened, in one sentence.
    pub sentence: String,
    /// The operations that prove it.
    pub evidence: Vec<Evidence>,
}

impl ForeignFinding {
    /// A violation without places and values yet.
    pub fn violation(name: &str, sentence: String, evidence: Vec<Evidence>) -> ForeignFinding {
        ForeignFinding {
            name: name.to_owned(),
            jepsen: None,
            standing: Standing::Violation,
            count: 1,
            place: None,
            offsets: Vec::new(),
            values: Vec::new(),
            sentence,
            evidence,
        }
    }

    /// The same at a place.
    pub fn at(mut self, place: impl Into<String>) -> ForeignFinding {
        self.place = Some(place.into());
        self
    }

    /// The same with values.
    pub fn with_values(mut self, values: Vec<String>) -> ForeignFinding {
        self.values = values;
        self
    }
}

/// What the file held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Held {
    /// Operations, or transactions of lists.
    pub operations: u64,
    /// Logs, registers, keys or lists.
    pub objects: u64,
    /// Processes.
    pub processes: u64,
    /// Appends or writes acknowledged.
    pub acked: u64,
    /// Operations that failed.
    pub failed: u64,
    /// Operations of which nobody can tell.
    pub unknown: u64,
    /// Records, values or elements read.
    pub read: u64,
}

/// Everything there is to say of a foreign history.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ForeignJudgement {
    /// How the file is written.
    pub format: Format,
    /// What it holds.
    pub workload: Workload,
    /// In one word.
    pub verdict: Verdict,
    /// How much of it.
    pub held: Held,
    /// Every finding, violations first.
    pub findings: Vec<ForeignFinding>,
    /// Claim by claim, of logs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimResult>,
    /// Why a file without a violation is not green.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub short_of: Vec<String>,
    /// What else must be known of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
