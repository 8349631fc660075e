//! The readable end went back: an answer is smaller than one that had been returned before it was asked for.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::Definition;
use crate::claims::regress::went_back;
use history::Kind;

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::EndWentBack,
    name: "end-went-back",
    claim: Claim::MonotoneObservables,
    jepsen: None,
    meaning: "the readable end went back",
    example: "
        w1 append 1.0 ? [0 -]
        w1 append 1.1 ? [0 -]
        s1 end 2 [1 2]
        s2 end 1 [3 4]
    ",
    innocent: "
        w1 append 1.0 ? [0 -]
        w1 append 1.1 ? [0 -]
        s1 end 2 [1 3]
        s2 end 1 [3 4]
    ",
    find: |case| went_back(case, Kind::EndOffset, "readable end"),
};
