//! The log's start went back: an answer is smaller than one that had been returned before it was asked for.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::Definition;
use crate::claims::regress::went_back;
use history::Kind;

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::LogStartWentBack,
    name: "log-start-went-back",
    claim: Claim::MonotoneObservables,
    jepsen: None,
    meaning: "the log's start went back",
    example: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        s1 start 2 [1 2]
        s2 start 1 [3 4]
    ",
    innocent: "
        w1 append 1.0 @0 [0 1]
        w1 append 1.1 @1 [0 1]
        c1 poll 0:1.0 1:1.1 [0 1]
        s1 start 2 [1 3]
        s2 start 1 [3 4]
    ",
    find: |case| went_back(case, Kind::LogStart, "start"),
};
