//! The controller's handle on the proxy: blocking, each order answered within a deadline.

use super::spec::{LINE_BYTES_MAX, Reply, Request};
use crate::network::{Network, Traffic};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    input: BufReader<UnixStream>,
    output: UnixStream,
}

/// The proxy did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It cannot be reached, or its answer did not come in time.
    #[error("the proxy does not answer: {0}")]
    Io(#[from] io::Error),
    /// It answered something else.
    #[error("the proxy answered {0}, which is no answer to the order")]
    Protocol(String),
}

impl Proxy {
    /// Takes up the conversation with the proxy that takes orders at the abstract socket `name`.
    pub fn connect(name: &str) -> Result<Proxy, ProxyError> {
        let output = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        output.set_read_timeout(Some(ANSWER_MAX))?;
        output.set_write_timeout(Some(ANSWER_MAX))?;
        Ok(Proxy { input: BufReader::new(output.try_clone()?), output })
    }

    /// Puts a network into force, in place of the one before.
    pub fn set(&mut self, network: &Network) -> Result<(), ProxyError> {
        match self.ask(&Request::Set(network.clone()))? {
            Reply::Set => Ok(()),
            other => Err(ProxyError::Protocol(format!("{other:?}"))),
        }
    }

    /// The counters of every link on which there was a connection.
    pub fn traffic(&mut self) -> Result<Vec<Traffic>, ProxyError> {
        match self.ask(&Request::Traffic)? {
            Reply::Traffic(traffic) => Ok(traffic),
            other => Err(ProxyError::Protocol(format!("{other:?}"))),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, ProxyError> {
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        self.output.write_all(&line)?;
        let mut answer = Vec::new();
        (&mut self.input).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut answer)?;
        if answer.is_empty() {
            return Err(ProxyError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(serde_json::from_slice(&answer).map_err(io::Error::from)?)
    }
}
