//! `stormglass bench proxy`: what the proxy adds to a round trip on the loopback device.
//!
//! Direct and proxied round trips take turns, so that whatever else the machine does hits both alike.

use crate::commands::Failure;
use crate::run::{Hold, Processes};
use crate::{ports, terminal};
use history::NodeId;
use nemesis::proxy::{DoorSpec, Speech};
use results::Exit;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const MESSAGE_BYTES: usize = 100;
const TURN: usize = 100;
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures `times` round trips each and prints a table.
pub fn bench(times: usize) -> Result<Exit, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let mut processes = Processes::start().map_err(Failure::internal)?;
    let server = TcpListener::bind("127.0.0.1:0").map_err(Failure::internal)?;
    let target = server.local_addr().map_err(Failure::internal)?;
    std::thread::spawn(move || serve(&server));
    let seat = ports::seats(1, None, false).and_then(|seats| seats.first().copied());
    let listens = seat.ok_or_else(|| Failure::internal("there is no port"))?.listens;
    let door = DoorSpec { node: NodeId(1), listens, target, speech: Speech::Kafka };
    let _hold = Hold::before(vec![door], folder.path(), &mut processes)?;
    let measured = measure(target, listens, times).map_err(Failure::internal)?;
    processes.shutdown().map_err(Failure::internal)?;
    terminal::say(&table(measured, times));
    Ok(Exit::Pass)
}

fn serve(server: &TcpListener) {
    for stream in server.incoming().flatten() {
        std::thread::spawn(move || echo(stream));
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = [0; MESSAGE_BYTES];
    loop {
        stream.read_exact(&mut bytes)?;
        stream.write_all(&bytes)?;
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Nanoseconds of direct and of proxied round trips, each in order of length.
fn measure(direct: SocketAddr, proxied: SocketAddr, times: usize) -> io::Result<[Vec<u64>; 2]> {
    let mut streams = [connect(direct)?, connect(proxied)?];
    let mut measured = [Vec::with_capacity(times), Vec::with_capacity(times)];
    while measured[1].len() < times {
        for (stream, measured) in streams.iter_mut().zip(&mut measured) {
            for _ in 0..TURN {
                measured.push(round_trip(stream)?);
            }
        }
    }
    measured.iter_mut().for_each(|times| times.sort_unstable());
    Ok(measured)
}

fn round_trip(stream: &mut TcpStream) -> io::Result<u64> {
    let mut message = [7; MESSAGE_BYTES];
    // A frame of the Kafka protocol: its own length first.
    message[..4].copy_from_slice(&(MESSAGE_BYTES as u32 - 4).to_be_bytes());
    let began = Instant::now();
    stream.write_all(&message)?;
    stream.read_exact(&mut message)?;
    Ok(began.elapsed().as_nanos() as u64)
}

fn table([direct, proxied]: [Vec<u64>; 2], times: usize) -> String {
    let row = |name: &str, share: f64| {
        let at = |sorted: &[u64]| sorted[((sorted.len() - 1) as f64 * share) as usize] as f64 / 1e3;
        let (direct, proxied) = (at(&direct), at(&proxied));
        let (added, ratio) = (proxied - direct, proxied / direct);
        format!("| {name} | {direct:.1} us | {proxied:.1} us | {added:.1} us | {ratio:.2} |")
    };
    format!(
        "| {times} round trips of {MESSAGE_BYTES} bytes | direct | proxied | added | ratio |\n|---|---|---|---|---|\n{}\n{}\n{}",
        row("median", 0.5),
        row("90 %", 0.9),
        row("99 %", 0.99)
    )
}
