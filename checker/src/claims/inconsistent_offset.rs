//! Two records, one place: an offset is told with two values, by acknowledgements, reads or replicas.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::Definition;
use crate::claims::disputes::{Sort, disputes};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::InconsistentOffset,
    name: "inconsistent-offset",
    claim: Claim::OneValuePerOffset,
    jepsen: Some("inconsistent-offsets"),
    meaning: "an offset of a log is told with two values",
    example: "
        w1 append 1.0 @0 [1 2]
        w2 append 2.0 @0 [3 4]
        c1 poll 0:2.0 [5 6]
    ",
    innocent: "
        w1 append 1.0 ? [1 -]
        w2 append 2.0 @0 [3 4]
        c1 poll 0:2.0 [5 6]
    ",
    find: |case| disputes(case, Sort::Anything, AnomalyKind::InconsistentOffset),
};
