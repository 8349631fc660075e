//! The stages at which a record can be lost.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a record died.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Stage {
    /// Acknowledged, and in no replica's log.
    B1,
    /// It was in a log, and truncated at a leader change.
    B2,
    /// It was in logs, and gone after a crash: un-synced bytes were lost.
    B3,
    /// It was in the log, and removed by retention, compaction or an operator.
    B4,
    /// It is in the log and not visible.
    B5,
    /// It is in the log, altered.
    B6,
    /// It is readable and was never fetched.
    C1,
}

impl Stage {
    /// The stage in words.
    pub fn meaning(self) -> &'static str {
        match self {
            Stage::B1 => "acknowledged, and never on any replica",
            Stage::B2 => "truncated at a leader change",
            Stage::B3 => "lost by recovery after an unclean stop",
            Stage::B4 => "removed by retention, compaction or an operator",
            Stage::B5 => "in the log and not visible",
            Stage::B6 => "in the log, altered",
            Stage::C1 => "readable and never fetched",
        }
    }
}

/// `B2 truncated at a leader change`.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} {}", self.meaning())
    }
}
