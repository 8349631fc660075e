//! The cycles of transactions: smallest example and innocent near-miss. How they are found is [`super::cycles`].

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Case, Definition, Instance};

/// Found over all logs at once, by [`super::anomalies`], and so in no single one.
fn elsewhere(_: &Case<'_>) -> Vec<Instance> {
    Vec::new()
}

pub(crate) const G0: Definition = Definition {
    kind: AnomalyKind::G0,
    name: "g0",
    claim: Claim::TxnSerializable,
    jepsen: Some("G0"),
    meaning: "writes of transactions interleave in a circle",
    example: "
        w1 begin 1 [0 1]
        w2 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w2 append 2.0 @1 [2 5]
        w1 append 1.1 @2 [4 5]
        w1 commit 1 [6 7]
        w2 commit 1 [6 7]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w2 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w2 append 2.0 @2 [2 5]
        w1 append 1.1 @1 [4 5]
        w1 commit 1 [6 7]
        w2 commit 1 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const G0_REALTIME: Definition = Definition {
    kind: AnomalyKind::G0Realtime,
    name: "g0-realtime",
    claim: Claim::TxnSerializable,
    jepsen: Some("G0-realtime"),
    meaning: "writes contradict the order of time",
    example: "
        w1 begin 1 [0 1]
        w1 append 1.0 @1 [2 3]
        w1 commit 1 [4 5]
        w2 begin 1 [6 7]
        w2 append 2.0 @0 [8 9]
        w2 commit 1 [10 11]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 commit 1 [4 5]
        w2 begin 1 [6 7]
        w2 append 2.0 @1 [8 9]
        w2 commit 1 [10 11]
    ",
    find: elsewhere,
};

pub(crate) const G1C: Definition = Definition {
    kind: AnomalyKind::G1c,
    name: "g1c",
    claim: Claim::TxnCycles,
    jepsen: Some("G1c"),
    meaning: "transactions read each other in a circle",
    example: "
        w1 begin 1 [0 1]
        w2 begin 1 [0 1]
        w1 append/0 1.0 @0 [2 3]
        w2 append/1 2.0 @0 [2 3]
        w1 poll/1 0:2.0 [4 5]
        w2 poll/0 0:1.0 [4 5]
        w1 commit 1 [6 7]
        w2 commit 1 [6 7]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w2 begin 1 [0 1]
        w1 append/0 1.0 @0 [2 3]
        w2 append/1 2.0 @0 [2 3]
        w1 poll/1 0:2.0 [4 5]
        w1 commit 1 [6 7]
        w2 commit 1 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const G1C_REALTIME: Definition = Definition {
    kind: AnomalyKind::G1cRealtime,
    name: "g1c-realtime",
    claim: Claim::TxnCycles,
    jepsen: Some("G1c-realtime"),
    meaning: "reads contradict the order of time",
    example: "
        c1 poll 0:1.0 [0 1]
        w1 begin 1 [2 3]
        w1 append 1.0 @0 [4 5]
        w1 commit 1 [6 7]
    ",
    innocent: "
        c1 poll 0:1.0 [8 9]
        w1 begin 1 [2 3]
        w1 append 1.0 @0 [4 5]
        w1 commit 1 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const G_SINGLE: Definition = Definition {
    kind: AnomalyKind::GSingle,
    name: "g-single",
    claim: Claim::TxnSerializable,
    jepsen: Some("G-single"),
    meaning: "a circle of dependencies with one read that missed a write",
    example: "
        w1 begin 1 [0 1]
        w1 append/0 1.0 @0 [2 3]
        w1 append/1 1.1 @0 [2 9]
        w2 begin 1 [0 1]
        w2 poll/0 0:1.0 [4 5]
        w2 fetch/1 @0 [4 5]
        w1 commit 1 [10 11]
        w2 commit 1 [10 11]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append/0 1.0 @0 [2 3]
        w1 append/1 1.1 @0 [2 9]
        w2 begin 1 [0 1]
        w2 poll/0 0:1.0 [4 5]
        w2 fetch/1 @0 0:1.1 [4 5]
        w1 commit 1 [10 11]
        w2 commit 1 [10 11]
    ",
    find: elsewhere,
};

pub(crate) const G_SINGLE_REALTIME: Definition = Definition {
    kind: AnomalyKind::GSingleRealtime,
    name: "g-single-realtime",
    claim: Claim::TxnSerializable,
    jepsen: Some("G-single-realtime"),
    meaning: "a read missed a write that was over before it",
    example: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 commit 1 [4 5]
        c1 fetch @0 [6 7]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 append 1.0 @0 [2 3]
        w1 commit 1 [4 5]
        c1 fetch @0 0:1.0 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const G2: Definition = Definition {
    kind: AnomalyKind::G2,
    name: "g2",
    claim: Claim::TxnSerializable,
    jepsen: Some("G2-item"),
    meaning: "a circle of dependencies with several reads that missed writes",
    example: "
        w1 begin 1 [0 1]
        w2 begin 1 [0 1]
        w1 fetch/1 @0 [2 3]
        w2 fetch/0 @0 [2 3]
        w1 append/0 1.0 @0 [4 5]
        w2 append/1 2.0 @0 [4 5]
        w1 commit 1 [6 7]
        w2 commit 1 [6 7]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w2 begin 1 [0 1]
        w1 fetch/1 @0 [2 3]
        w1 append/0 1.0 @0 [4 5]
        w2 append/1 2.0 @0 [4 5]
        w1 commit 1 [6 7]
        w2 commit 1 [6 7]
    ",
    find: elsewhere,
};

pub(crate) const G2_REALTIME: Definition = Definition {
    kind: AnomalyKind::G2Realtime,
    name: "g2-realtime",
    claim: Claim::TxnSerializable,
    jepsen: Some("G2-item-realtime"),
    meaning: "the same, and real time is part of it",
    example: "
        w1 begin 1 [0 1]
        w1 fetch/0 @0 [2 3]
        w2 begin 1 [4 5]
        w2 append/0 2.0 @0 [6 7]
        w2 commit 1 [8 9]
        w3 begin 1 [10 11]
        w3 fetch/1 @0 [12 13]
        w1 append/1 1.0 @0 [14 15]
        w3 commit 1 [14 15]
        w1 commit 1 [16 17]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w1 fetch/0 @0 [2 3]
        w2 begin 1 [4 5]
        w2 append/0 2.0 @0 [6 7]
        w2 commit 1 [8 9]
        w3 begin 1 [4 11]
        w3 fetch/1 @0 [12 13]
        w1 append/1 1.0 @0 [14 15]
        w3 commit 1 [14 15]
        w1 commit 1 [16 17]
    ",
    find: elsewhere,
};

pub(crate) const WRITE_ORDER_CYCLE: Definition = Definition {
    kind: AnomalyKind::WriteOrderCycle,
    name: "write-order-cycle",
    claim: Claim::TxnSerializable,
    jepsen: Some("G1c"),
    meaning: "a circle of dependencies with reads that closes only by the order of writes",
    example: "
        w1 begin 1 [0 1]
        w2 begin 1 [0 1]
        w1 append/0 1.0 @0 [2 5]
        w2 append/0 2.0 @1 [2 5]
        w2 append/1 2.1 @0 [2 5]
        w1 poll/1 0:2.1 [6 7]
        w1 commit 1 [8 9]
        w2 commit 1 [8 9]
    ",
    innocent: "
        w1 begin 1 [0 1]
        w2 begin 1 [0 1]
        w1 append/0 1.0 @1 [2 5]
        w2 append/0 2.0 @0 [2 5]
        w2 append/1 2.1 @0 [2 5]
        w1 poll/1 0:2.1 [6 7]
        w1 commit 1 [8 9]
        w2 commit 1 [8 9]
    ",
    find: elsewhere,
};
