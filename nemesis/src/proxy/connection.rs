//! One accepted connection: who is it, may it come in, and two pipes between it and the node.

use super::conversation::Conversation;
use super::pipe::{Pipe, Wire};
use super::spec::{DoorSpec, Speech};
use super::switch::{Switch, tally};
use crate::actor::Actor;
use crate::network::{Network, Weather};
use nix::sys::socket::{setsockopt, sockopt};
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connect to the node itself may take.
const DIAL_MS_MAX: u64 = 10_000;

/// Serves a connection until both directions have ended.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, door: DoorSpec, switch: Rc<Switch>) {
    switch.connections.set(switch.connections.get() + 1);
    // Whatever breaks a connection is seen by both ends; there is nobody else to tell.
    let _ = carry(stream, peer, &door, &switch).await;
    switch.connections.set(switch.connections.get() - 1);
}

async fn carry(stream: TcpStream, peer: SocketAddr, door: &DoorSpec, switch: &Rc<Switch>) -> io::Result<()> {
    let (from, to) = (switch.who.is_at(peer, door.listens).await, Actor::Node(door.node));
    if !let_in(&stream, from, to, switch).await? {
        tally(&switch.counter(from, to), |counts| counts.refused += 1);
        return break_off(&stream);
    }
    let dialled = timeout(Duration::from_millis(DIAL_MS_MAX), TcpStream::connect(door.target)).await;
    let Ok(Ok(node)) = dialled else {
        return break_off(&stream);
    };
    tally(&switch.counter(from, to), |counts| counts.connects += 1);
    stream.set_nodelay(true)?;
    node.set_nodelay(true)?;
    let talk = (door.speech != Speech::Opaque).then(|| Rc::new(RefCell::new(Conversation::new(door.speech))));
    let ((peer_in, peer_out), (node_in, node_out)) = (stream.into_split(), node.into_split());
    let up = Wire { from, to, opener: from, reader: peer_in, writer: node_out };
    let down = Wire { from: to, to: from, opener: from, reader: node_in, writer: peer_out };
    let (up, down) = (Pipe::new(up, talk.clone(), switch), Pipe::new(down, talk, switch));
    tokio::join!(up.run(), down.run());
    Ok(())
}

/// Waits while the link is cut, in either direction; says no while connections are reset.
async fn let_in(stream: &TcpStream, from: Actor, to: Actor, switch: &Switch) -> io::Result<bool> {
    let mut network = switch.watch();
    let mut waiting = false;
    loop {
        let (cut, reset) = obstacles(&network.borrow_and_update(), from, to);
        match (cut, reset) {
            (_, true) => return Ok(false),
            (false, false) => return Ok(true),
            (true, false) if !waiting => {
                waiting = true;
                tally(&switch.counter(from, to), |counts| counts.connects_held += 1);
            }
            (true, false) => (),
        }
        tokio::select! {
            changed = network.changed() => changed.map_err(io::Error::other)?,
            () = gone(stream) => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

fn obstacles(network: &Network, from: Actor, to: Actor) -> (bool, bool) {
    let has = |wanted: Weather| network.on(from, to).chain(network.on(to, from)).any(|w| w == wanted);
    (has(Weather::Cut), has(Weather::Reset))
}

/// Comes back when the other side has closed without having said anything; never, if it said something.
async fn gone(stream: &TcpStream) {
    let mut byte = [0];
    if !matches!(stream.peek(&mut byte).await, Ok(0) | Err(_)) {
        std::future::pending::<()>().await;
    }
}

/// Closes with a reset.
pub(super) fn break_off(stream: &TcpStream) -> io::Result<()> {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(stream, sockopt::Linger, &linger).map_err(io::Error::from)
}
