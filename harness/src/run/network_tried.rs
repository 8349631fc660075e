//! Tries the proxy on this machine: what is sent through a door arrives, a cut holds it back and counts it, healing lets it arrive.
//!
//! That the proxy can tell who connected is not shown here: in a run a cut that held nothing of those it is about is no evidence.
//! No thread: each side of the conversation is this one.

use super::network::Hold;
use super::processes::Processes;
use crate::{ports, wait};
use history::NodeId;
use nemesis::Actor;
use nemesis::network::{Network, Weather};
use nemesis::proxy::{DoorSpec, Speech};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing may arrive through a cut.
const CUT: Duration = Duration::from_millis(50);
const NODE: NodeId = NodeId(1);

/// How long a byte took through the proxy, or what does not work.
pub fn tried(folder: &Path, processes: &mut Processes) -> Result<Duration, String> {
    let server = TcpListener::bind("127.0.0.1:0").map_err(|e| format!("nothing can listen on 127.0.0.1: {e}"))?;
    let target = server.local_addr().map_err(|e| e.to_string())?;
    let seat = ports::seats(1, None, false).and_then(|seats| seats.first().copied()).ok_or("there is no free port")?;
    let door = DoorSpec { node: NODE, listens: seat.listens, target, speech: Speech::Opaque };
    let mut hold = Hold::before(vec![door], folder, processes).map_err(|failure| failure.text)?;
    // It takes orders a moment before its doors are open.
    let client = wait::until(PATIENCE, || TcpStream::connect_timeout(&seat.listens, PATIENCE).ok());
    let client = client.ok_or("the proxy listens nowhere")?;
    let seen = converse(client, &server, &mut hold);
    hold.end(processes);
    seen.map_err(|e| format!("the proxy does not hold the network: {e}"))
}

fn converse(mut client: TcpStream, server: &TcpListener, hold: &mut Hold) -> io::Result<Duration> {
    server.set_nonblocking(true)?;
    client.set_nodelay(true)?;
    let began = Instant::now();
    client.write_all(b"a")?;
    let accepted = wait::until(PATIENCE, || server.accept().ok()).ok_or(ErrorKind::TimedOut)?;
    let mut node = accepted.0;
    node.set_nonblocking(false)?;
    arrives(&mut node, b'a', PATIENCE)?;
    let took = began.elapsed();
    let cut = Network::default().with([Actor::Observer], [Actor::Node(NODE)], Weather::Cut);
    hold.set(&cut).map_err(io::Error::other)?;
    client.write_all(b"b")?;
    let held = wait::until(PATIENCE, || {
        let traffic = hold.traffic().ok()?;
        let link = |t: &&nemesis::network::Traffic| (t.from, t.to) == (Actor::Observer, Actor::Node(NODE));
        traffic.iter().find(link).filter(|t| t.counts.held > 0).map(drop)
    });
    held.ok_or_else(|| io::Error::other("it does not hold what was cut"))?;
    if arrives(&mut node, b'b', CUT).is_ok() {
        return Err(io::Error::other("what was sent through a cut arrived"));
    }
    hold.set(&Network::default()).map_err(io::Error::other)?;
    arrives(&mut node, b'b', PATIENCE).map(|()| took)
}

fn arrives(stream: &mut TcpStream, byte: u8, within: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(within))?;
    let mut one = [0];
    stream.read_exact(&mut one)?;
    if one[0] == byte { Ok(()) } else { Err(io::Error::other("another byte arrived than was sent")) }
}
