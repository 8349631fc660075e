//! The stages at which a record can be lost.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a record died.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Stage {
    /// The client's own call refused it: it was never given to the client.
    P0,
    /// The client reported a failure, and it is in no log.
    P1,
    /// Nobody reported anything, and it is in no log.
    P2,
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
    /// It was fetched, its position was stored, and it was not processed.
    C2,
    /// It was processed, and what the processing left behind is not there.
    C3,
    /// It is there, and was read only after everything was over.
    L,
}

impl Stage {
    /// The stage in words.
    pub fn meaning(self) -> &'static str {
        match self {
            Stage::P0 => "never given to the client",
            Stage::P1 => "failed in the client, and in no log",
            Stage::P2 => "unknown to the producer, and in no log",
            Stage::B1 => "acknowledged, and never on any replica",
            Stage::B2 => "truncated at a leader change",
            Stage::B3 => "lost by recovery after an unclean stop",
            Stage::B4 => "removed by retention, compaction or an operator",
            Stage::B5 => "in the log and not visible",
            Stage::B6 => "in the log, altered",
            Stage::C1 => "readable and never fetched",
            Stage::C2 => "fetched, its position stored, and not processed",
            Stage::C3 => "processed, and its effect is not there",
            Stage::L => "late: read only after the load had ended",
        }
    }
}

/// `B2 truncated at a leader change`.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} {}", self.meaning())
    }
}
