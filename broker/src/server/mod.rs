//! Sockets: connections, frames, calls, and their answers in order.
//!
//! **Invariants.** Answers leave a connection in the order its requests came. What a request changes at once (an append)
//! happens in that order too, while earlier answers may still be pending, so pipelining costs no round trip. Limits
//! hold for connections, frames and requests in flight; a client that does not read its answers stops being read.
//!
//! Not here: what any API means.

pub mod call;
mod connection;
pub mod frame;
pub mod hurry;
pub mod pieces;
pub mod shape;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::broker::Broker;
use crate::config::Address;

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds an address; port 0 lets the system choose.
///
/// # Errors
/// The system's.
pub async fn bind(address: &Address) -> io::Result<TcpListener> {
    TcpListener::bind((address.host.as_str(), address.port)).await
}

/// Room for so many connections, over all listeners; no more than the semaphore counts.
pub fn room(connections_max: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)))
}

/// Accepts connections on the listener with this index, as long as there is room, until dropped.
pub async fn serve(broker: Arc<Broker>, socket: TcpListener, listener: usize, room: Arc<Semaphore>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = socket.accept().await;
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: connections must end before another can begin.
            let _ended = timeout(ACCEPT_PAUSE, one_ended(&mut connections)).await;
            continue;
        };
        let Ok(place) = room.clone().try_acquire_owned() else { continue };
        let broker = broker.clone();
        connections.spawn(async move {
            connection::serve(broker, stream, listener).await;
            drop(place);
        });
    }
}

/// Waits until a connection has ended; for ever if there is none.
async fn one_ended(connections: &mut JoinSet<()>) {
    if connections.join_next().await.is_none() {
        std::future::pending::<()>().await;
    }
}
