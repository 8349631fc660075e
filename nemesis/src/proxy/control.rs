//! Orders from the controller of the run, one after the other.

use super::spec::{LINE_BYTES_MAX, Reply, Request};
use super::switch::Switch;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net as unix;
use std::rc::Rc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::yield_now;

/// Turns given to the doors, so that an order is in force when it is answered.
const TURNS: usize = 8;

/// Listens and obeys, for good. Only processes of the same user are heard.
pub(super) async fn obey(name: &str, switch: &Rc<Switch>) -> io::Result<()> {
    let listener = unix::UnixListener::bind_addr(&unix::SocketAddr::from_abstract_name(name)?)?;
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let us = std::fs::metadata("/proc/self")?.uid();
    loop {
        let (stream, _) = listener.accept().await?;
        if stream.peer_cred()?.uid() == us {
            // A conversation that breaks is the other side's affair; the next one is heard.
            let _ = converse(stream, switch).await;
        }
    }
}

async fn converse(stream: UnixStream, switch: &Rc<Switch>) -> io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut input).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line).await?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok(());
        }
        let reply = match serde_json::from_slice(&line)? {
            Request::Set(network) => {
                switch.set(network);
                for _ in 0..TURNS {
                    yield_now().await;
                }
                Reply::Set
            }
            Request::Traffic => Reply::Traffic(switch.traffic()),
        };
        let mut answer = serde_json::to_vec(&reply)?;
        answer.push(b'\n');
        output.write_all(&answer).await?;
    }
}
