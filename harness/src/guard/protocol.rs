//! What controller and guard say to each other: one JSON value a line, over a stream socket.
//!
//! **Invariants:** a line is at most [`LINE_BYTES_MAX`] long, and a reader keeps no more than that of an unfinished one.
//! Every request is answered exactly once, in order; the exit of a child is told after the answer to its spawn.

use history::Nanos;
use lazyfs::mount::Mounted;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Longest line either side accepts, bytes.
pub const LINE_BYTES_MAX: usize = 1 << 20;
const READ_BYTES: usize = 16 << 10;

/// A child of the guard, numbered by the controller; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChildId(pub u64);

/// How a child stands to terminals and group signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Grouping {
    /// Leads a process group of its own in the guard's session.
    #[default]
    Group,
    /// Leads a session of its own.
    Session,
}

/// A process to start. Its stdin is `/dev/null`, or the descriptor of a file system that it is to serve; it inherits no other descriptor, no ignored signal, an empty signal
/// mask, and the guard's environment changed by `env`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChildSpec {
    /// The program; searched in `PATH` if it has no slash.
    pub program: PathBuf,
    /// Its arguments, without the program's name.
    pub args: Vec<String>,
    /// Variables to set, or with `None` to remove.
    pub env: BTreeMap<String, Option<String>>,
    /// Where it runs; the guard's folder if `None`.
    pub cwd: Option<PathBuf>,
    /// The file its output is appended to; created if missing.
    pub stdout: PathBuf,
    /// The file its errors are appended to; may be the same.
    pub stderr: PathBuf,
    /// Group or session.
    pub grouping: Grouping,
    /// Where to mount the file system that it serves, if it serves one. The mount goes when the process does.
    #[serde(default)]
    pub serves: Option<PathBuf>,
}

/// The signals a run has a use for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Signal {
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Stop,
    /// SIGCONT.
    Continue,
    /// SIGTERM.
    Terminate,
}

/// What the controller asks for.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Start a process and call it `child`.
    Spawn {
        /// Its name from now on.
        child: ChildId,
        /// What to start.
        spec: ChildSpec,
    },
    /// Send a signal to a child.
    Signal {
        /// Whom.
        child: ChildId,
        /// Which.
        signal: Signal,
    },
    /// Make a temporary folder, which is removed when the guard ends.
    MakeFolder,
    /// Kill every descendant, answer, and end.
    Shutdown,
}

/// The answer to a request.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The guard stands ready; the answer to having been started.
    Ready,
    /// The process runs.
    Spawned {
        /// Its process id.
        pid: u32,
        /// Its start time, clock ticks since boot.
        start_time: u64,
        /// How the file system that it serves was mounted.
        mounted: Option<Mounted>,
    },
    /// The folder is there.
    Folder {
        /// Where.
        path: PathBuf,
    },
    /// The signal was sent.
    Signalled,
    /// The child has ended, or never was.
    NoSuchChild,
    /// A system call failed.
    Failed {
        /// What was tried.
        what: String,
        /// Its errno, 0 if there was none.
        errno: i32,
    },
    /// No descendant is left.
    Emptied {
        /// How many were killed.
        killed: usize,
    },
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A child has ended and was reaped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exited {
    /// Which child.
    pub child: ChildId,
    /// The pid it had; free for others from now on.
    pub pid: u32,
    /// How it ended.
    pub ended: Ended,
    /// CLOCK_MONOTONIC when it was reaped.
    pub at: Nanos,
}

/// A line from the guard.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromGuard {
    /// The answer to the oldest request not yet answered.
    Reply(Reply),
    /// A child ended.
    Exited(Exited),
}

/// Writes `message` as one line.
pub fn send<T: Serialize>(out: &mut impl Write, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    if line.len() >= LINE_BYTES_MAX {
        let why = format!("a message of {} bytes, at most {LINE_BYTES_MAX}", line.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    line.push(b'\n');
    out.write_all(&line)
}

/// Cuts a stream of bytes into lines.
#[derive(Default)]
pub struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Reads once from `input`, which may block, and hands over every message that became whole. False at its end.
    /// A line that is too long or not a `T` is an [`io::ErrorKind::InvalidData`].
    pub fn read<T: for<'de> Deserialize<'de>>(
        &mut self,
        input: &mut impl Read,
        messages: &mut Vec<T>,
    ) -> io::Result<bool> {
        let mut bytes = [0; READ_BYTES];
        let count = match input.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            other => other?,
        };
        self.pending.extend_from_slice(&bytes[..count]);
        let mut start = 0;
        while let Some(length) = self.pending[start..].iter().position(|&b| b == b'\n') {
            messages.push(parse(&self.pending[start..start + length])?);
            start += length + 1;
        }
        self.pending.drain(..start);
        if self.pending.len() >= LINE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a line of more than {LINE_BYTES_MAX} bytes"),
            ));
        }
        Ok(count > 0)
    }
}

fn parse<T: for<'de> Deserialize<'de>>(line: &[u8]) -> io::Result<T> {
    serde_json::from_slice(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(mut bytes: &[u8]) -> io::Result<Vec<Request>> {
        let (mut lines, mut messages) = (Lines::default(), Vec::new());
        while lines.read(&mut bytes, &mut messages)? {}
        Ok(messages)
    }

    #[test]
    fn what_is_sent_is_read_also_in_pieces() {
        let mut bytes = Vec::new();
        for n in 0..3 {
            send(&mut bytes, &Request::Signal { child: ChildId(n), signal: Signal::Stop }).unwrap();
        }
        assert_eq!(read_all(&bytes).unwrap().len(), 3);
        let (mut lines, mut messages) = (Lines::default(), Vec::<Request>::new());
        for mut byte in bytes.chunks(1) {
            assert!(lines.read(&mut byte, &mut messages).unwrap());
        }
        assert_eq!(messages[2], Request::Signal { child: ChildId(2), signal: Signal::Stop });
    }

    #[test]
    fn an_endless_line_is_an_error_and_one_just_short_enough_is_not() {
        assert!(read_all(&vec![b' '; LINE_BYTES_MAX + READ_BYTES]).is_err());
        let mut line = vec![b' '; LINE_BYTES_MAX - 20];
        line.extend_from_slice(b"\"Shutdown\"\n");
        assert_eq!(read_all(&line).unwrap(), [Request::Shutdown]);
    }

    #[test]
    fn garbage_is_an_error_never_a_panic() {
        for bytes in ["\n", "{}\n", "\u{0}\n", "[[[[[[\n", "{\"Spawn\":{\"child\":-1}}\n"] {
            assert_eq!(read_all(bytes.as_bytes()).unwrap_err().kind(), io::ErrorKind::InvalidData, "{bytes:?}");
        }
    }
}
