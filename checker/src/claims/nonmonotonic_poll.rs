//! A reader thrown back: its next read began at or before the last record it had been handed.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, steps};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::NonmonotonicPoll,
    name: "nonmonotonic-poll",
    claim: Claim::ConsumerOrder,
    jepsen: Some("nonmonotonic-poll"),
    meaning: "a reader's next read began at or before the end of its last",
    example: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        c1 poll 0:1.0 1:1.1 [5 6]
        c1 poll 1:1.1 [7 8]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        c1 poll 0:1.0 1:1.1 [5 6]
        c1 assign [7 8]
        c1 poll 1:1.1 [9 10]
    ",
    find: |case| steps::between(case, steps::Way::Back),
};
