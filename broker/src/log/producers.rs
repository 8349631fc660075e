//! What the log knows of its idempotent producers.

use super::Offset;
use std::fmt;

/// The identity of an idempotent or transactional producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One aborted transaction, as `.txnindex` keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer: ProducerId,
    /// Offset of its first record.
    pub first: Offset,
    /// Offset of its abort marker.
    pub last: Offset,
    /// Last stable offset when it was aborted.
    pub last_stable: Offset,
}
