//! Loss between survivors: an acknowledged record is gone, records on both sides of it are there.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, fate};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::LostMiddle,
    name: "lost-middle",
    claim: Claim::NoAckedLoss,
    jepsen: Some("lost-write"),
    meaning: "an acknowledged record is gone and records before and after it are there",
    example: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        w1 append 1.2 @2 [5 6]
        d1 drain 0:1.0 2:1.2 [10 11]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 ! [3 4]
        w1 append 1.2 @2 [5 6]
        d1 drain 0:1.0 1:marker 2:1.2 [10 11]
    ",
    find: |case| fate::lost(case, AnomalyKind::LostMiddle),
};
