//! Damage: a record's bytes do not match their checksum.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::origin::places;
use crate::claims::{Case, Definition, Instance};
use history::Value;

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::Corrupted,
    name: "corrupted",
    claim: Claim::NoCorruption,
    jepsen: None,
    meaning: "a record's bytes fail their checksum",
    example: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:corrupt [3 4]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 [3 4]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    places(case, Value::CORRUPT, "a record whose bytes fail their checksum was read")
}
