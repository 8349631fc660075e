//! The embedded system under test: a Kafka-protocol server whose safety rules are correct by default and can be
//! switched off one at a time.
//!
//! The rooms: `server` takes frames off sockets and keeps answers in order; `handlers` is one API a file behind one
//! table; `partition` decides what a replica may do (leader, follower, ISR, high watermark), `replication` fetches from
//! leaders; `log` keeps records on disk; `controller` and `metadata` decide and spread who leads what; `lifecycle`
//! starts and stops a node; `evidence` says what happened.
//!
//! **Invariant:** nothing here shares code with the clients or the checker, and nothing here prints, except
//! `main_from_properties`, which tells people why a node could not start.

pub mod bugs;
pub mod clock;
pub mod config;
pub mod evidence;
pub mod ids;
pub mod log;
pub mod metadata;
