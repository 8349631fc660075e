//! Where a record died, or was sent again: from what nodes and controllers wrote down during a run to the stage at which each acknowledged and
//! missing record was lost.
//!
//! ```text
//! server log, events.jsonl, metadata log ──► testimony (evidence.jsonl) ─┐
//! replicas.arrow, history, anomalies ────────────────────────────────────┴► a death for each group of records
//!
//! P0 P1 P2  before a log: what a producer was not promised          (producers)
//! B1 … B6   in the logs: what every replica's copy came to          (bodies)
//! C1 C2 C3  behind the logs: what a reader or a group did not get   (readers)      L  what it got late
//!
//! replicas.arrow ──► how each record came to stand in a log twice                           (twice)
//! ```
//! **Invariants:** the testimony is gathered before anything is tidied away and judged from its file; a stage is told only
//! with the file and the line or offset that says so; where nothing tells, the candidates are told and what would decide.
//!
//! Deliberately absent: whether the loss was permitted (the contract), and which record is missing (the checker).

mod bodies;
mod death;
mod embedded;
mod event;
mod gather;
mod placing;
mod producers;
mod readers;
mod server_log;
mod stage;
#[cfg(test)]
mod tests;
mod twice;
mod words;

pub use bodies::{Word, examine};
pub use death::{Certainty, Copy, Death, Proof};
pub use event::{Event, Place, Testimony, What};
pub use gather::gather;
pub use placing::{Missing, Neighbour, place};
pub use producers::{InLogs, unreported};
pub use readers::{Passed, before_groups, late, unprocessed};
pub use stage::Stage;
pub use twice::{How, Twice, twice};
