//! An effect before its cause: a record was read, and only later was its append invoked.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, pairs};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::ReadBeforeSend,
    name: "read-before-send",
    claim: Claim::LinearizableLog,
    jepsen: Some("G1c-realtime"),
    meaning: "a record was read before its append was invoked",
    example: "
        c1 poll 0:1.0 [1 2]
        w1 append 1.0 @0 [3 4]
    ",
    innocent: "
        c1 poll 0:1.0 [1 3]
        w1 append 1.0 @0 [3 4]
    ",
    find: |case| pairs::of(case, AnomalyKind::ReadBeforeSend),
};
