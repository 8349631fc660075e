//! The dead walk: a record was read although every append of it had definitely failed.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::origin::{Origin, strangers};
use crate::claims::{Case, Definition, Instance};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::FailedAppendRead,
    name: "failed-append-read",
    claim: Claim::NoAbortedRead,
    jepsen: Some("G1a"),
    meaning: "a record was read whose append had definitely failed",
    example: "
        w1 append 1.0 ! [1 2]
        c1 poll 0:1.0 [3 4]
    ",
    innocent: "
        w1 append 1.0 ? [1 2]
        c1 poll 0:1.0 [3 4]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    strangers(case, Origin::Failed, "was read although its append had failed")
}
