//! Out of sight, not lost: an acknowledged record was denied while the load ran, and only the drain read it.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, pairs};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::HiddenUntilHeal,
    name: "hidden-until-heal",
    claim: Claim::LinearizableLog,
    jepsen: None,
    meaning: "an acknowledged record was denied, and only the drain ever read it",
    example: "
        w1 append 1.0 @0 [1 2]
        c1 fetch @0 [3 4]
        d1 drain 0:1.0 [10 11]
    ",
    innocent: "
        w1 append 1.0 @0 [1 3]
        c1 fetch @0 [3 4]
        d1 drain 0:1.0 [10 11]
    ",
    find: |case| pairs::of(case, AnomalyKind::HiddenUntilHeal),
};
