//! An end offset from the past: it was told below an end proven before it was asked for.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, pairs};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::StaleEnd,
    name: "stale-end",
    claim: Claim::LinearizableLog,
    jepsen: None,
    meaning: "an end offset was told below one proven before",
    example: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 [3 4]
        s1 end 0 [5 6]
        d1 drain 0:1.0 [10 11]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 [3 4]
        s1 end 0 [2 6]
        d1 drain 0:1.0 [10 11]
    ",
    find: |case| pairs::of(case, AnomalyKind::StaleEnd),
};
