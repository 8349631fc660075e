//! The embedded system under test: a Kafka-protocol server whose safety rules are correct by default and can be
//! switched off one at a time.
//!
//! The rooms: `server` takes frames off sockets and keeps answers in order; `handlers` is one API a file behind one
//! table; `partition` decides what a replica may do (leader, follower, ISR, high watermark), `replication` fetches from
//! leaders; `coordinator` keeps state machines in internal topics, `groups` is one; `log` keeps records on disk; `controller` and
//! `metadata` decide and spread who leads what; `node` starts and stops it; `evidence` says what happened.
//!
//! **Invariant:** nothing here shares code with the clients or the checker, and nothing here prints, except
//! `main_from_properties`, which tells people why a node could not start.

pub mod broker;
pub mod bugs;
pub mod clock;
pub mod config;
pub mod controller;
pub mod coordinator;
pub mod evidence;
pub mod groups;
pub mod halt;
pub mod handlers;
pub mod hostile;
pub mod ids;
pub mod lease;
pub mod log;
pub mod metadata;
pub mod node;
pub mod partition;
pub mod peers;
pub mod producer_ids;
pub mod replicas;
pub mod replication;
pub mod server;
pub mod storage;

use std::path::Path;

/// Runs a node as its `.properties` file says (process.roles: broker, controller, or both) until SIGTERM or SIGINT, and
/// gives the exit code of the process: 0 after an orderly stop, 1 after a failure or if it could not start.
///
/// Starts a runtime of its own: call it from a thread that is in none. What went wrong at the start is printed to
/// stderr; everything later is in the events file.
pub fn main_from_properties(path: &Path) -> i32 {
    match node::run(path) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            1
        }
    }
}

#[allow(clippy::print_stderr, reason = "the one place where a node speaks to people: it could not start")]
fn complain(error: &node::NodeError) {
    eprintln!("stormglass broker: {error}");
}
