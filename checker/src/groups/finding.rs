//! What is found about groups: data, operations, and a sentence.

use crate::claim::Claim;
use history::{LogId, Op};
use std::fmt;

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FindingKind {
    /// Records below what the group was delivered or committed never reached it.
    Skipped,
    /// Records reached it more than once. No harm where at least once is promised.
    Redelivered,
    /// An acknowledged commit is older than one acknowledged before it was asked for.
    CommitWentBack,
    /// A position read back is older than a commit acknowledged before.
    CommitLost,
    /// A position was read back that nobody had committed by then.
    CommitFromNowhere,
    /// A new owner started below the position committed.
    ResumedEarlier,
    /// A new owner started beyond it, with records in between.
    ResumedLater,
    /// A new owner started elsewhere because the position lay outside the log.
    OutOfRangeReset,
    /// Two members owned a log at one time, in different generations.
    TwoOwners,
    /// Two members were given a log in one generation.
    GenerationShared,
    /// A commit of a generation that was over was acknowledged.
    StaleGenerationCommit,
    /// A member was given an older generation than before.
    GenerationWentBack,
}

impl FindingKind {
    /// Short name, as printed.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Skipped => "group-skipped",
            FindingKind::Redelivered => "group-redelivered",
            FindingKind::CommitWentBack => "commit-went-back",
            FindingKind::CommitLost => "commit-lost",
            FindingKind::CommitFromNowhere => "commit-from-nowhere",
            FindingKind::ResumedEarlier => "resumed-earlier",
            FindingKind::ResumedLater => "resumed-later",
            FindingKind::OutOfRangeReset => "out-of-range-reset",
            FindingKind::TwoOwners => "two-owners",
            FindingKind::GenerationShared => "generation-shared",
            FindingKind::StaleGenerationCommit => "stale-generation-commit",
            FindingKind::GenerationWentBack => "generation-went-back",
        }
    }

    /// The claim it breaks, if there is one.
    pub fn claim(self) -> Option<Claim> {
        match self {
            FindingKind::Skipped | FindingKind::ResumedLater | FindingKind::OutOfRangeReset => Some(Claim::NoSkip),
            FindingKind::CommitWentBack
            | FindingKind::CommitLost
            | FindingKind::CommitFromNowhere
            | FindingKind::ResumedEarlier
            | FindingKind::StaleGenerationCommit => Some(Claim::CommittedOffsetMonotonic),
            FindingKind::Redelivered
            | FindingKind::TwoOwners
            | FindingKind::GenerationShared
            | FindingKind::GenerationWentBack => None,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing wrong, with what proves it.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The group.
    pub group: u32,
    /// The log.
    pub log: LogId,
    /// The offsets concerned, as inclusive ranges, rising.
    pub offsets: Vec<(i64, i64)>,
    /// How many offsets, or occurrences.
    pub count: u64,
    /// The operations that prove it, the earlier first.
    pub ops: Vec<Op>,
    /// What happened, in one sentence.
    pub sentence: String,
}
