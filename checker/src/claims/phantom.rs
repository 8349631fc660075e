//! A record from nowhere: its bytes are whole and of this run, and nobody appended it.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::origin::{Origin, strangers};
use crate::claims::{Case, Definition, Instance};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::Phantom,
    name: "phantom",
    claim: Claim::NoPhantom,
    jepsen: Some("no-writer-of-value"),
    meaning: "a value was read that nobody appended",
    example: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 1:1.7 [3 4]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.7 ? [1 -]
        c1 poll 0:1.0 1:1.7 [3 4]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    strangers(case, Origin::Nowhere, "was read and nobody appended it")
}
