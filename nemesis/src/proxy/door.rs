//! A node's door: open, shut so that connects are refused, or a black hole that never answers them.

use super::connection;
use super::spec::DoorSpec;
use super::switch::{CONNECTIONS_MAX, Switch};
use crate::network::{Door, Network};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::timeout;

const BACKLOG: u32 = 1024;
/// How long a connect that fills the queue may take; the first that takes longer shows that it is full.
const FILL_MS_MAX: u64 = 50;
const FILLERS_MAX: usize = 8;
/// Between two attempts to listen again.
const RETRY_MS: u64 = 20;

/// Keeps the door as the network says, for good.
pub(super) async fn keep(spec: DoorSpec, switch: Rc<Switch>) {
    let mut network = switch.watch();
    loop {
        let now = state(&network.borrow_and_update(), &spec);
        let kept = match now {
            None => open(&spec, &switch, &mut network).await,
            Some(Door::Refusing) => until_changed(&mut network, &spec, Some(Door::Refusing)).await,
            Some(Door::BlackHole) => black_hole(&spec, &mut network).await,
        };
        if kept.is_err() {
            // The port may be held for a moment by what was there before.
            let _ = timeout(Duration::from_millis(RETRY_MS), network.changed()).await;
        }
    }
}

fn state(network: &Network, spec: &DoorSpec) -> Option<Door> {
    network.doors.iter().find(|(node, _)| *node == spec.node).map(|(_, door)| *door)
}

async fn until_changed(
    network: &mut watch::Receiver<Arc<Network>>,
    spec: &DoorSpec,
    from: Option<Door>,
) -> io::Result<()> {
    while state(&network.borrow_and_update(), spec) == from {
        network.changed().await.map_err(io::Error::other)?;
    }
    Ok(())
}

async fn open(spec: &DoorSpec, switch: &Rc<Switch>, network: &mut watch::Receiver<Arc<Network>>) -> io::Result<()> {
    let listener = listen(spec.listens, BACKLOG)?;
    loop {
        tokio::select! {
            changed = until_changed(network, spec, None) => return changed,
            accepted = listener.accept() => {
                let (stream, peer) = accepted?;
                if switch.connections.get() < CONNECTIONS_MAX {
                    spawn_local(connection::serve(stream, peer, spec.clone(), switch.clone()));
                }
            }
        }
    }
}

/// Listens with a queue that is full: further connects stay unanswered.
async fn black_hole(spec: &DoorSpec, network: &mut watch::Receiver<Arc<Network>>) -> io::Result<()> {
    let _listener = listen(spec.listens, 0)?;
    let mut fillers = Vec::new();
    while fillers.len() < FILLERS_MAX {
        match timeout(Duration::from_millis(FILL_MS_MAX), TcpStream::connect(spec.listens)).await {
            Ok(Ok(filler)) => fillers.push(filler),
            _ => break,
        }
    }
    until_changed(network, spec, Some(Door::BlackHole)).await
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}
