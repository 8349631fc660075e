//! A hole in one read: records that others know were passed over.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, steps};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::IntPollSkip,
    name: "int-poll-skip",
    claim: Claim::NoSkip,
    jepsen: Some("int-poll-skip"),
    meaning: "within one read records were passed over",
    example: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        w1 append 1.2 @2 [5 6]
        c1 poll 0:1.0 2:1.2 [7 8]
        d1 drain 0:1.0 1:1.1 2:1.2 [11 12]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.2 @2 [5 6]
        c1 poll 0:1.0 2:1.2 [7 8]
        d1 drain 0:1.0 1:marker 2:1.2 [11 12]
    ",
    find: |case| steps::within(case, steps::Way::Over),
};
