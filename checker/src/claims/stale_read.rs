//! A fetch into the past: it found nothing where a record had been proven before it was invoked.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, pairs};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::StaleRead,
    name: "stale-read",
    claim: Claim::LinearizableLog,
    jepsen: None,
    meaning: "a fetch found nothing where a record had been proven",
    example: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 [3 4]
        c2 fetch @0 [5 6]
        d1 drain 0:1.0 [10 11]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 [3 5]
        c2 fetch @0 [2 6]
        d1 drain 0:1.0 [10 11]
    ",
    find: |case| pairs::of(case, AnomalyKind::StaleRead),
};
