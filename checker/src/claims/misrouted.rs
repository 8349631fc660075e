//! A record in the wrong log: it was appended to another one, and only there.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::origin::{Origin, strangers};
use crate::claims::{Case, Definition, Instance};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::Misrouted,
    name: "misrouted",
    claim: Claim::NoMisroute,
    jepsen: Some("no-writer-of-value"),
    meaning: "a value was read from a log it was not appended to",
    example: "
        w1 append/0 1.0 @0 [1 2]
        c1 poll/1 0:1.0 [3 4]
    ",
    innocent: "
        w1 append/0 1.0 @0 [1 2]
        w1 append/1 1.1 @0 [1 2]
        c1 poll/1 0:1.1 [3 4]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    strangers(case, Origin::Elsewhere, "was read here and appended only elsewhere")
}
