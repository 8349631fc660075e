//! The leader epoch went back: an answer is smaller than one that had been returned before it was asked for.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::Definition;
use crate::claims::regress::went_back;
use history::Kind;

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::EpochWentBack,
    name: "epoch-went-back",
    claim: Claim::MonotoneObservables,
    jepsen: None,
    meaning: "the leader epoch went back",
    example: "
        s1 epoch 2 [1 2]
        s2 epoch 1 [3 4]
    ",
    innocent: "
        s1 epoch 2 [1 3]
        s2 epoch 1 [3 4]
    ",
    find: |case| went_back(case, Kind::Epoch, "leader epoch"),
};
