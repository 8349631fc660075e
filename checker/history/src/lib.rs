//! The vocabulary of a run: logs, offsets, values, operations, journal entries, payloads.
//!
//! Everything here is plain data and pure functions over bytes. **Invariants:** no I/O, no clock (time arrives as
//! data), no randomness, and no word of any broker's protocol: a *log* is whatever a client appends to and reads
//! from by offset; the client maps its topic-partitions to logs.
//!
//! Deliberately absent: judgement (the crate `checker`), files (the crate `results`).

pub mod history;
pub mod ids;
pub mod journal;
pub mod op;
pub mod payload;
pub mod replica;

pub use history::{History, Names, ProcessName, Role};
pub use ids::{LeaderEpoch, LogId, Nanos, NodeId, Offset, ProcessId, Value, WriterId};
pub use op::{Kind, Op, Outcome, Record};
pub use replica::{EpochStart, ReplicaLog, ReplicaRecord, SentBatch};
