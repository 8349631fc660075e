//! Disorder within one read: an offset does not rise above the one before it.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, steps};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::IntNonmonotonicPoll,
    name: "int-nonmonotonic-poll",
    claim: Claim::ConsumerOrder,
    jepsen: Some("int-nonmonotonic-poll"),
    meaning: "within one read an offset did not rise",
    example: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        c1 poll 1:1.1 0:1.0 [5 6]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        c1 poll 0:1.0 [5 6]
        c1 poll 1:1.1 [7 8]
    ",
    find: |case| steps::within(case, steps::Way::Back),
};
