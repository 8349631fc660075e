//! A reader that jumped: its next read began beyond records it had not been handed.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, steps};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::PollSkip,
    name: "poll-skip",
    claim: Claim::NoSkip,
    jepsen: Some("poll-skip"),
    meaning: "a reader's next read began beyond records it had not read",
    example: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        w1 append 1.2 @2 [5 6]
        c1 poll 0:1.0 [7 8]
        c1 poll 2:1.2 [9 10]
        d1 drain 0:1.0 1:1.1 2:1.2 [11 12]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @2 [3 4]
        c1 poll 0:1.0 [7 8]
        c1 poll 2:1.1 [9 10]
        d1 drain 0:1.0 1:marker 2:1.1 [11 12]
    ",
    find: |case| steps::between(case, steps::Way::Over),
};
