//! The anomalies of groups: smallest example and innocent near-miss. How each is told is a file of its own beside this one.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Case, Definition, Instance};

/// Found over all logs at once, by [`super::anomalies`], and so in no single one.
fn elsewhere(_: &Case<'_>) -> Vec<Instance> {
    Vec::new()
}

pub(crate) const GROUP_SKIPPED: Definition = Definition {
    kind: AnomalyKind::GroupSkipped,
    name: "group-skipped",
    claim: Claim::GroupAtLeastOnce,
    jepsen: None,
    meaning: "records that a group or its position passed never reached it",
    example: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 [4 5]
        c1 store 2 [6 7]
        c2 poll 0:1.0 1:1.1 [8 9]
    ",
    innocent: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 [4 5]
        c1 store 1 [6 7]
        c2 poll 0:1.0 1:1.1 [8 9]
    ",
    find: elsewhere,
};

pub(crate) const GROUP_REDELIVERED: Definition = Definition {
    kind: AnomalyKind::GroupRedelivered,
    name: "group-redelivered",
    claim: Claim::GroupAtMostOnce,
    jepsen: None,
    meaning: "records reached a group more than once",
    example: "
        w1 append 1.0 @0 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 [4 5]
        c1 poll 0:1.0 [6 7]
    ",
    innocent: "
        w1 append 1.0 @0 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 [4 5]
        c2 poll 0:1.0 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const COMMIT_WENT_BACK: Definition = Definition {
    kind: AnomalyKind::CommitWentBack,
    name: "commit-went-back",
    claim: Claim::CommittedOffsetMonotonic,
    jepsen: None,
    meaning: "a commit below an acknowledged one was acknowledged",
    example: "
        c1 store 7 [0 1]
        c2 store 5 [2 3]
    ",
    innocent: "
        c1 store 7 [0 2]
        c2 store 5 [2 3]
    ",
    find: elsewhere,
};

pub(crate) const COMMIT_LOST: Definition = Definition {
    kind: AnomalyKind::CommitLost,
    name: "commit-lost",
    claim: Claim::CommittedOffsetMonotonic,
    jepsen: None,
    meaning: "a position read back is older than an acknowledged commit",
    example: "
        c1 store 5 [0 1]
        c1 store 7 [2 3]
        s1 stored 5 [4 5]
    ",
    innocent: "
        c1 store 5 [0 1]
        c1 store 7 [2 3]
        s1 stored 7 [4 5]
    ",
    find: elsewhere,
};

pub(crate) const COMMIT_FROM_NOWHERE: Definition = Definition {
    kind: AnomalyKind::CommitFromNowhere,
    name: "commit-from-nowhere",
    claim: Claim::CommittedOffsetMonotonic,
    jepsen: None,
    meaning: "a position was read back that nobody had committed",
    example: "
        c1 store 5 [0 1]
        s1 stored 6 [2 3]
    ",
    innocent: "
        c1 store 5 [0 1]
        s1 stored 5 [2 3]
    ",
    find: elsewhere,
};

pub(crate) const RESUMED_EARLIER: Definition = Definition {
    kind: AnomalyKind::ResumedEarlier,
    name: "resumed-earlier",
    claim: Claim::GroupAtMostOnce,
    jepsen: None,
    meaning: "a new owner began below the position",
    example: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        w1 append 1.2 @2 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 1:1.1 [4 5]
        c1 store 2 [6 7]
        c1 revoke 3 [8 9]
        c2 assign 4 [10 11]
        c2 poll 1:1.1 2:1.2 [12 13]
    ",
    innocent: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        w1 append 1.2 @2 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 1:1.1 [4 5]
        c1 store 2 [6 7]
        c1 revoke 3 [8 9]
        c2 assign 4 [10 11]
        c2 poll 2:1.2 [12 13]
    ",
    find: elsewhere,
};

pub(crate) const RESUMED_LATER: Definition = Definition {
    kind: AnomalyKind::ResumedLater,
    name: "resumed-later",
    claim: Claim::GroupAtLeastOnce,
    jepsen: None,
    meaning: "a new owner began beyond the position, with records in between",
    example: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        w1 append 1.2 @2 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 1:1.1 [4 5]
        c1 store 1 [6 7]
        c1 revoke 3 [8 9]
        c2 assign 4 [10 11]
        c2 poll 2:1.2 [12 13]
    ",
    innocent: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        w1 append 1.2 @2 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 1:1.1 [4 5]
        c1 store 2 [6 7]
        c1 revoke 3 [8 9]
        c2 assign 4 [10 11]
        c2 poll 2:1.2 [12 13]
    ",
    find: elsewhere,
};

pub(crate) const OUT_OF_RANGE_RESET: Definition = Definition {
    kind: AnomalyKind::OutOfRangeReset,
    name: "out-of-range-reset",
    claim: Claim::GroupAtLeastOnce,
    jepsen: None,
    meaning: "a new owner began elsewhere because the position lay outside the log",
    example: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        w1 append 1.2 @2 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 1:1.1 [4 5]
        c1 store 1 [6 7]
        c1 revoke 3 [8 9]
        s1 start 2 [8 9]
        c2 assign 4 [10 11]
        c2 poll 2:1.2 [12 13]
    ",
    innocent: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        w1 append 1.2 @2 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 1:1.1 [4 5]
        c1 store 2 [6 7]
        c1 revoke 3 [8 9]
        s1 start 2 [8 9]
        c2 assign 4 [10 11]
        c2 poll 2:1.2 [12 13]
    ",
    find: elsewhere,
};

pub(crate) const TWO_OWNERS: Definition = Definition {
    kind: AnomalyKind::TwoOwners,
    name: "two-owners",
    claim: Claim::OneOwner,
    jepsen: None,
    meaning: "two members owned a log at one time",
    example: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 [4 5]
        c2 assign 4 [6 7]
        c1 poll 1:1.1 [8 9]
    ",
    innocent: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        c1 assign 3 [2 3]
        c1 poll 0:1.0 [4 5]
        c2 assign 4 [6 7]
        c1 poll 1:1.1 [7 9]
    ",
    find: elsewhere,
};

pub(crate) const GENERATION_SHARED: Definition = Definition {
    kind: AnomalyKind::GenerationShared,
    name: "generation-shared",
    claim: Claim::GenerationFenced,
    jepsen: None,
    meaning: "two members were given a log in one generation",
    example: "
        w1 append 1.0 @0 [0 1]
        c1 assign 3 [2 3]
        c2 assign 3 [2 4]
        c1 poll 0:1.0 [5 6]
    ",
    innocent: "
        w1 append 1.0 @0 [0 1]
        c1 assign 3 [2 3]
        c2 assign 3 [2 5]
        c1 poll 0:1.0 [5 6]
    ",
    find: elsewhere,
};

pub(crate) const STALE_GENERATION_COMMIT: Definition = Definition {
    kind: AnomalyKind::StaleGenerationCommit,
    name: "stale-generation-commit",
    claim: Claim::GenerationFenced,
    jepsen: None,
    meaning: "a commit of a generation that was over was acknowledged",
    example: "
        c1 assign 3 [0 1]
        c2 assign 4 [2 3]
        c1 store 5 3 [4 5]
    ",
    innocent: "
        c1 assign 3 [0 1]
        c2 assign 4 [2 3]
        c1 store 5 4 [4 5]
    ",
    find: elsewhere,
};

pub(crate) const GENERATION_WENT_BACK: Definition = Definition {
    kind: AnomalyKind::GenerationWentBack,
    name: "generation-went-back",
    claim: Claim::GenerationFenced,
    jepsen: None,
    meaning: "a member was given an older generation than before",
    example: "
        c1 assign 4 [0 1]
        c1 assign 3 [2 3]
    ",
    innocent: "
        c1 assign 4 [0 1]
        c1 assign 5 [2 3]
    ",
    find: elsewhere,
};
