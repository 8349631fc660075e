//! `stormglass proxy`: the process that stands before every node and puts a [`Network`](crate::Network) into force.
//!
//! ```text
//! client ──┐                        ┌── broker 1
//! broker 2 ┼──▶ door of broker 1 ───┤      the node listens on a port of its own and advertises its door
//! observer ┘    who is that? cut?   └──
//! ```
//! One process, one thread of tasks for all connections of a run, and one thread that finds out who is at the other end
//! of an accepted connection (`who`). Everything is a stream: the proxy's kernel acknowledges what a cut link would have
//! lost, so keep-alive and `TCP_USER_TIMEOUT` do not fire; what was sent meanwhile arrives after the healing, as packets
//! sent again would.
//!
//! **Invariants:** a byte is forwarded only after a look at the network as it is now; what is held is bounded, and a
//! sender that has filled it is no longer read. Order is kept on every connection. An unknown peer is the observer:
//! processes of the run carry their name in their environment ([`crate::actor::TAG`]).
//!
//! Deliberately absent: any decision what to break and when, and all judgement of whether it worked.

mod connection;
mod control;
mod conversation;
mod door;
mod frames;
mod handle;
mod pipe;
mod rewrite;
mod spec;
mod switch;
mod who;

pub use handle::{Proxy, ProxyError};
pub use spec::{DoorSpec, ProxySpec, Speech};

use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use switch::Switch;
use who::Who;

/// The whole life of the process: until it is killed. Returns its exit code; a failure is told on stderr.
pub fn main(spec_path: &Path) -> i32 {
    match serve(spec_path) {
        Ok(()) => 0,
        Err(error) => {
            // Whether anybody reads stderr is not the proxy's concern.
            let _ = writeln!(io::stderr(), "proxy: {error}");
            70
        }
    }
}

fn serve(spec_path: &Path) -> io::Result<()> {
    let spec = Rc::new(ProxySpec::load(spec_path)?);
    let who = Who::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async move {
        let switch = Rc::new(Switch::new(spec.clone(), who));
        for door in spec.doors.clone() {
            tokio::task::spawn_local(door::keep(door, switch.clone()));
        }
        control::obey(&spec.control, &switch).await
    })
}
