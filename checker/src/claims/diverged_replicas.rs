//! Replicas that have parted: below the end that all must agree on, a replica holds another value than a reader or another replica.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::Definition;
use crate::claims::disputes::{Sort, disputes};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::DivergedReplicas,
    name: "diverged-replicas",
    claim: Claim::StablePrefix,
    jepsen: None,
    meaning: "replicas disagree about a committed offset",
    example: "
        w1 append 1.0 @0 [1 2]
        w2 append 2.0 ? [1 -]
        d1 drain 0:1.0 [10 11]
        n1 disk 0:1.0
        n2 disk 0:2.0
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w2 append 2.0 ? [1 -]
        w3 append 3.0 ? [1 -]
        d1 drain 0:1.0 [10 11]
        n1 disk 0:1.0 1:2.0
        n2 disk 0:1.0 1:3.0
    ",
    find: |case| disputes(case, Sort::Replicas, AnomalyKind::DivergedReplicas),
};
