//! Retention, not loss: the log's start passed an acknowledged record before anybody had read it.

use crate::anomaly::AnomalyKind;
use crate::claim::Claim;
use crate::claims::{Definition, fate};

pub(super) const DEFINITION: Definition = Definition {
    kind: AnomalyKind::TrimmedUnread,
    name: "trimmed-unread",
    claim: Claim::NoUnreadTrim,
    jepsen: None,
    meaning: "an acknowledged record fell below the log's start before anybody read it",
    example: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        d1 drain from 1 to 2 1:1.1 [10 11]
    ",
    innocent: "
        w1 append 1.0 @0 [1 2]
        w1 append 1.1 @1 [3 4]
        c1 poll 0:1.0 [5 6]
        d1 drain from 1 to 2 1:1.1 [10 11]
    ",
    find: |case| fate::of_fate(case, fate::Fate::Trimmed),
};
