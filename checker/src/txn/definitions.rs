//! The anomalies of transactions: smallest example and innocent near-miss. How each is told is a file of its own beside this
//! one; cycles are [`super::cycle_definitions`].

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Case, Definition, Instance};

/// Found over all logs at once, by [`super::anomalies`], and so in no single one.
fn elsewhere(_: &Case<'_>) -> Vec<Instance> {
    Vec::new()
}

pub(crate) const ABORTED_READ: Definition = Definition {
    kind: AnomalyKind::AbortedRead,
    name: "aborted-read",
    claim: Claim::NoAbortedRead,
    jepsen: Some("G1a"),
    meaning: "a record of an aborted transaction was read",
    example: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 abort 1 [4 5]
        c1 poll 0:1.0 [6 7]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 commit 1 [4 5]
        c1 poll 0:1.0 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const INTERMEDIATE_READ: Definition = Definition {
    kind: AnomalyKind::IntermediateRead,
    name: "intermediate-read",
    claim: Claim::AtomicTxn,
    jepsen: Some("G1b"),
    meaning: "a complete read shows some records of a transaction in a log and not others",
    example: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 append 1.1 @1 [4 5]
        w1 append 1.2 @2 [6 7]
        w1 commit 1 [8 9]
        c1 fetch @0 0:1.0 2:1.2 [10 11]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 append 1.1 @1 [4 5]
        w1 append 1.2 @2 [6 7]
        w1 commit 1 [8 9]
        c1 fetch @0 0:1.0 1:1.1 2:1.2 [10 11]
    ",
    find: elsewhere,
};

pub(crate) const OWN_UNCOMMITTED_READ: Definition = Definition {
    kind: AnomalyKind::OwnUncommittedRead,
    name: "own-uncommitted-read",
    claim: Claim::NoOwnUncommittedRead,
    jepsen: Some("precommitted-read"),
    meaning: "a transaction read what it had not committed yet",
    example: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 poll 0:1.0 [4 5]
        w1 commit 1 [6 7]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 poll 0:1.0 [8 9]
        w1 commit 1 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const TORN_TRANSACTION: Definition = Definition {
    kind: AnomalyKind::TornTransaction,
    name: "torn-transaction",
    claim: Claim::AtomicTxn,
    jepsen: None,
    meaning: "some records of a transaction are visible and others do not exist",
    example: "
        w1 begin 1 [0 1]
        w1 append/0 1.0 @0 [2 3]
        w1 append/1 1.1 @0 [2 3]
        w1 commit 1 [4 5]
        c1 poll/0 0:1.0 [6 7]
        d1 drain/1 from 0 to 0 [8 9]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append/0 1.0 @0 [2 3]
        w1 append/1 1.1 @0 [2 3]
        w1 commit 1 [4 5]
        c1 poll/0 0:1.0 [6 7]
        d1 drain/1 from 0 to 1 0:1.1 [8 9]
    ",
    find: elsewhere,
};

pub(crate) const LOST_COMMIT: Definition = Definition {
    kind: AnomalyKind::LostCommit,
    name: "lost-commit",
    claim: Claim::NoAckedLoss,
    jepsen: None,
    meaning: "a transaction's commit was acknowledged, and readers of committed records are given nothing of it",
    example: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 commit 1 [4 5]
        d1 drain 0:1.0 [6 7]
        c1 visible @0 [8 9]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 abort 1 [4 5]
        d1 drain 0:1.0 [6 7]
        c1 visible @0 [8 9]
    ",
    find: elsewhere,
};

pub(crate) const ZOMBIE_WRITE: Definition = Definition {
    kind: AnomalyKind::ZombieWrite,
    name: "zombie-write",
    claim: Claim::AtomicTxn,
    jepsen: None,
    meaning: "a record was written after its transaction had ended",
    example: "
        w1 begin 1 [0 1]
        w1 append 1.0 ? [2 -]
        w1 abort 1 [4 5]
        w2 begin 1 [6 7]
        w2 append 2.0 @0 [8 9]
        w2 commit 1 [10 11]
        d1 drain 0:2.0 1:1.0 [12 13]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append 1.0 ? [2 -]
        w1 abort 1 [4 5]
        w2 begin 1 [4 7]
        w2 append 2.0 @0 [8 9]
        w2 commit 1 [10 11]
        d1 drain 0:2.0 1:1.0 [12 13]
    ",
    find: elsewhere,
};

pub(crate) const POSITION_WITHOUT_TRANSACTION: Definition = Definition {
    kind: AnomalyKind::PositionWithoutTransaction,
    name: "position-without-transaction",
    claim: Claim::AtomicTxn,
    jepsen: None,
    meaning: "a group's position is that of a transaction that did not happen",
    example: "
        w1 begin 1 [0 1]
        w1 append/1 1.0 @0 [2 3]
        w1 store 5 [2 3]
        w1 abort 1 [4 5]
        s1 stored 5 [6 7]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append/1 1.0 @0 [2 3]
        w1 store 5 [2 3]
        w1 commit 1 [4 5]
        s1 stored 5 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const TRANSACTION_WITHOUT_POSITION: Definition = Definition {
    kind: AnomalyKind::TransactionWithoutPosition,
    name: "transaction-without-position",
    claim: Claim::AtomicTxn,
    jepsen: None,
    meaning: "a transaction happened and the position it stored did not",
    example: "
        w1 store 3 [0 1]
        w1 begin 1 [2 3]
        w1 append/1 1.0 @0 [4 5]
        w1 store 5 [4 5]
        w1 commit 1 [6 7]
        s1 stored 3 [8 9]
    ",
    innocent: "
        w1 store 3 [0 1]
        w1 begin 1 [2 3]
        w1 append/1 1.0 @0 [4 5]
        w1 store 5 [4 5]
        w1 commit 1 [6 7]
        s1 stored 5 [8 9]
    ",
    find: elsewhere,
};

pub(crate) const STABLE_END_STALLED: Definition = Definition {
    kind: AnomalyKind::StableEndStalled,
    name: "stable-end-stalled",
    claim: Claim::AllReadAfterHeal,
    jepsen: None,
    meaning: "the last stable offset stood still below the log's end",
    example: "
        w1 append 1.0 @0 [0 1]
        s1 stable 0 [2 3]
        s1 end 1 [4 5]
        s1 stable 0 [200000000000 200000000001]
    ",
    innocent: "
        w1 append 1.0 @0 [0 1]
        s1 stable 0 [2 3]
        s1 end 1 [4 5]
        s1 stable 1 [200000000000 200000000001]
    ",
    find: elsewhere,
};

pub(crate) const INT_SEND_SKIP: Definition = Definition {
    kind: AnomalyKind::IntSendSkip,
    name: "int-send-skip",
    claim: Claim::ContiguousSends,
    jepsen: Some("int-send-skip"),
    meaning: "between two records that one operation appended to a log stands another's",
    example: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w2 append 2.0 @1 [2 5]
        w1 append 1.1 @2 [4 5]
        w1 commit 1 [6 7]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w2 append 2.0 @2 [2 5]
        w1 append 1.1 @1 [4 5]
        w1 commit 1 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const INT_NONMONOTONIC_SEND: Definition = Definition {
    kind: AnomalyKind::IntNonmonotonicSend,
    name: "int-nonmonotonic-send",
    claim: Claim::ProducerOrder,
    jepsen: Some("int-nonmonotonic-send"),
    meaning: "a record that one operation appended to a log does not stand behind the one before",
    example: "
        w1 begin 1 [0 1]
        w1 append 1.0 @1 [2 5]
        w1 append 1.1 @0 [2 5]
        w1 commit 1 [6 7]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 5]
        w1 append 1.1 @1 [2 5]
        w1 commit 1 [6 7]
    ",
    find: elsewhere,
};
