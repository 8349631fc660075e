//! A connection that speaks in lines.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
const LINE_BYTES_MAX: u64 = 1 << 16;

/// See the module.
pub struct Lines(BufReader<TcpStream>);

impl Lines {
    /// Connects; each answer may take ten seconds.
    pub fn connect(address: SocketAddr) -> io::Result<Lines> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Lines(BufReader::new(stream)))
    }

    /// Sends some bytes.
    pub fn send(&mut self, text: &str) -> io::Result<()> {
        self.0.get_mut().write_all(text.as_bytes())
    }

    /// One line, without its end.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let read = (&mut self.0).take(LINE_BYTES_MAX).read_line(&mut line)?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(line.trim_end().to_owned()) }
    }
}
