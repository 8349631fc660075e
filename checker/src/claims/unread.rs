//! Not lost and not readable: an acknowledged record is on a replica's disk, beyond the end the healed cluster serves.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, fate};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::Unread,
    name: "unread",
    claim: Claim::AllReadAfterHeal,
    jepsen: Some("unseen"),
    meaning: "an acknowledged record exists on a replica and cannot be read after the heal",
    example: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        d1 drain 0:1.0 [10 11]
        n1 disk 0:1.0 1:1.1
        n2 disk 0:1.0
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 ? [3 -]
        d1 drain 0:1.0 [10 11]
        n1 disk 0:1.0 1:1.1
        n2 disk 0:1.0
    ",
    find: |case| fate::of_fate(case, fate::Fate::Unread),
};
