//! History rewritten under a reader: an offset was read with one value and later with another.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::Definition;
use crate::claims::disputes::{Sort, disputes};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::ChangedOffset,
    name: "changed-offset",
    claim: Claim::StablePrefix,
    jepsen: Some("inconsistent-offsets"),
    meaning: "an offset once read is read with another value",
    example: "
        w1 append 1.0 @0 [1 2]
        w2 append 2.0 ? [1 -]
        c1 poll 0:1.0 [3 4]
        c2 poll 0:2.0 [5 6]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w2 append 2.0 ? [1 -]
        c1 poll 0:1.0 [3 4]
        c2 poll 0:1.0 1:2.0 [5 6]
    ",
    find: |case| disputes(case, Sort::Reads, AnomalyKind::ChangedOffset),
};
