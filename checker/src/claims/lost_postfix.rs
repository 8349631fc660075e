//! Loss at the tail, the usual shape of a truncation: an acknowledged record is gone, and nothing after it is left.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, fate};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::LostPostfix,
    name: "lost-postfix",
    claim: Claim::NoAckedLoss,
    jepsen: Some("lost-write"),
    meaning: "an acknowledged record is gone and nothing after it is left",
    example: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        d1 drain 0:1.0 [10 11]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 ? [3 -]
        d1 drain 0:1.0 [10 11]
    ",
    find: |case| fate::lost(case, AnomalyKind::LostPostfix),
};
