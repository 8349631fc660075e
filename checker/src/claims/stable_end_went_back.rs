//! The last stable offset went back: an answer is smaller than one that had been returned before it was asked for.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::Definition;
use crate::claims::regress::went_back;
use history::Kind;

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::StableEndWentBack,
    name: "stable-end-went-back",
    claim: Claim::MonotoneObservables,
    jepsen: None,
    meaning: "the last stable offset went back",
    example: "
        w1 append 1.0 ? [0 -]
        w1 append 1.1 ? [0 -]
        s1 stable 2 [1 2]
        s2 stable 1 [3 4]
    ",
    innocent: "
        w1 append 1.0 ? [0 -]
        w1 append 1.1 ? [0 -]
        s1 stable 2 [1 3]
        s2 stable 1 [3 4]
    ",
    find: |case| went_back(case, Kind::StableEnd, "last stable offset"),
};
