//! What the first pass leaves: sums, edges, and leads to what may be wrong.

use crate::log::bounds::Stale;
use crate::log::coverage::Coverage;
use crate::log::holes::Unowned;
use crate::log::order::Inversion;
use history::{Kind, LogId, Value};

/// Sums of one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    /// Appends acknowledged.
    pub acked: u64,
    /// Of these, without an offset.
    pub acked_untold: u64,
    /// Records returned by reads.
    pub records_read: u64,
    /// Of these, handed to readers with a position.
    pub polled: u64,
    /// Offsets seen by a reader, the drain or on a replica.
    pub offsets_read: u64,
    /// Of these, more than once.
    pub offsets_reread: u64,
    /// Acknowledged records of which nothing is known, not even a suspicion.
    pub undecided: u64,
    /// Unknown appends that a read found.
    pub unknown_seen: u64,
    /// End offsets told.
    pub ends: u64,
    /// Answers of the counter asked most often.
    pub answers: u64,
}

/// Where a log begins and ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edges {
    /// How far the drain got.
    pub coverage: Coverage,
    /// Where the log starts, as far as anybody told; else 0.
    pub start: i64,
    /// Whether anybody told.
    pub start_told: bool,
    /// Offsets below this are committed on every replica.
    pub committed: i64,
}

/// What the first pass knows of a log.
#[derive(Clone, PartialEq, Debug)]
pub struct Leads {
    /// The log.
    pub log: LogId,
    /// Sums.
    pub sums: Sums,
    /// Where it begins and ends, and how far that is known.
    pub edges: Edges,
    /// Lowest and highest offset that holds a record at the end.
    pub survivors: Option<(i64, i64)>,
    /// Values of which everything must be known.
    pub values: Vec<Value>,
    /// Offsets of which two values were said.
    pub disputed: Vec<i64>,
    /// Records that do not stand in their writer's order.
    pub inversions: Vec<Inversion>,
    /// Contradictions of the linearizable scan.
    pub stale: Vec<Stale>,
    /// Of these, high ends that only an unseen unknown append can have made.
    pub assigned: Vec<(i64, Value)>,
    /// Offsets without an owner.
    pub unowned: Option<Unowned>,
    /// Offsets that carry a record and were passed over, or every offset that carries one if readers are tangled.
    pub passed_over: Vec<(i64, i64)>,
    /// Whether readers' ways must be followed.
    pub readers: bool,
    /// Counters that went back.
    pub counters: Vec<Kind>,
    /// Bytes the first pass held.
    pub bytes: usize,
}

impl Leads {
    /// No leads on a log with these edges.
    pub fn none(log: LogId, edges: Edges, sums: Sums) -> Leads {
        Leads {
            log,
            sums,
            edges,
            survivors: None,
            values: Vec::new(),
            disputed: Vec::new(),
            inversions: Vec::new(),
            stale: Vec::new(),
            assigned: Vec::new(),
            unowned: None,
            passed_over: Vec::new(),
            readers: false,
            counters: Vec::new(),
            bytes: 0,
        }
    }

    /// Whether there is nothing to ask.
    pub fn clean(&self) -> bool {
        self.values.is_empty()
            && self.stale.is_empty()
            && self.unowned.is_none()
            && !self.readers
            && self.counters.is_empty()
    }
}
