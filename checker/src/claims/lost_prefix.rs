//! Loss at the front: an acknowledged record is gone, and so is everything that stood before it.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, fate};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::LostPrefix,
    name: "lost-prefix",
    claim: Claim::NoAckedLoss,
    jepsen: Some("lost-write"),
    meaning: "an acknowledged record is gone and nothing before it is left",
    example: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        d1 drain from 0 to 2 1:1.1 [10 11]
    ",
    innocent: "
        w1 append 1.0 ? [1 -]
        w1 append 1.1 @1 [3 4]
        d1 drain from 0 to 2 1:1.1 [10 11]
    ",
    find: |case| fate::lost(case, AnomalyKind::LostPrefix),
};
