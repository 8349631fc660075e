//! Where a record died: from what nodes and controllers wrote down during a run to the stage at which each acknowledged and
//! missing record was lost.
//!
//! ```text
//! server log, events.jsonl, metadata log ──► testimony (evidence.jsonl) ─┐
//! replicas.arrow, history, anomalies ────────────────────────────────────┴► a death for each group of records
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
mod server_log;
mod stage;
#[cfg(test)]
mod tests;

pub use bodies::examine;
pub use death::{Certainty, Copy, Death, Proof};
pub use event::{Event, Place, Testimony, What};
pub use gather::gather;
pub use stage::Stage;
