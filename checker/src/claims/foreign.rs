//! A stranger's record: of another run, or of no run at all.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::origin::places;
use crate::claims::{Case, Definition, Instance};
use history::Value;

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::Foreign,
    name: "foreign",
    claim: Claim::NoPhantom,
    jepsen: None,
    meaning: "a record of a stranger was read",
    example: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 1:foreign [3 4]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 1:marker [3 4]
    ",
    find,
};

fn find(case: &Case<'_>) -> Vec<Instance> {
    places(case, Value::FOREIGN, "a record that is not of this run was read")
}
