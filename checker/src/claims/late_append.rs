//! Appends out of real-time order: one got an offset below an end that was proven before it was invoked.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, pairs};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::LateAppend,
    name: "late-append",
    claim: Claim::LinearizableLog,
    jepsen: Some("G0-realtime"),
    meaning: "an append got an offset below an end proven before it was invoked",
    example: "
        w1 append 1.0 @1 [1 2]
        w2 append 2.0 @0 [3 4]
        d1 drain 0:2.0 1:1.0 [10 11]
    ",
    innocent: "
        w1 append 1.0 @1 [1 3]
        w2 append 2.0 @0 [3 4]
        d1 drain 0:2.0 1:1.0 [10 11]
    ",
    find: |case| pairs::of(case, AnomalyKind::LateAppend),
};
