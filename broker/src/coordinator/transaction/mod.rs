//! The transaction coordinator (KIP-98): who may write under a transactional id, what a transaction has touched, and how
//! it ends.
//!
//! ```text
//! state    pure: one transactional id, and every step it may take
//! record   that state as __transaction_state keeps it
//! machine  pure: all transactional ids of one partition
//! service  what requests ask, each a decision of the machine
//! finish   decided transactions: markers to every partition until all have them, then the last record
//! markers  one marker in many partitions, here and elsewhere
//! verify   whether a produce belongs to an open transaction (KIP-890)
//! ```
//!
//! **Invariants.** A transaction is decided once: by the record PrepareCommit or PrepareAbort being committed. Markers
//! are sent after that and never before. The next transaction of an id begins only after every marker of the last one
//! is replicated. Whoever held an older epoch of an id can neither add to, end, nor begin a transaction.

mod finish;
mod machine;
pub mod markers;
mod record;
mod service;
mod state;
mod verify;

#[cfg(test)]
mod tests;

pub use finish::finish_all;
pub use machine::{Listed, Machine};
pub use record::Record;
pub use service::{AddPartitions, InitProducer, Producer, Transactions};
pub use state::{State, Transaction};
pub use verify::{Pending, Pendings, Question};
