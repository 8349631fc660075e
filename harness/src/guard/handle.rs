//! The controller's handle on the guard.
//!
//! One thread of the handle reads the socket and sorts what comes: answers to whoever asked, exits into the channel of
//! events. **Invariant:** when the handle is gone, the guard and every descendant are gone, or the deadline has passed.

use super::pidfd::PidFd;
use super::protocol::{self, ChildId, ChildSpec, Exited, FromGuard, Lines, Reply, Request, Signal};
use lazyfs::mount::Mounted;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io};

/// How long the guard may take to answer, or to end, before it is called gone.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What the guard reports of its own accord.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A child ended.
    Exited(Exited),
    /// The guard itself has ended: its children died with it, nothing more will be reported. Always the last event.
    GuardGone,
}

/// A child that was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spawned {
    /// What the guard calls it.
    pub child: ChildId,
    /// Its process id.
    pub pid: u32,
    /// Its start time, clock ticks since boot: with the pid it names one process for good.
    pub start_time: u64,
    /// How the file system that it serves was mounted.
    pub mounted: Option<Mounted>,
}

/// The guard could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The guard process could not be started.
    #[error("the guard does not start: {0}")]
    Start(#[source] io::Error),
    /// The guard process has ended, or its socket broke.
    #[error("the guard process is gone")]
    Gone,
    /// It did not answer in time.
    #[error("the guard did not answer within {} s", ANSWER_MAX.as_secs())]
    Silent,
    /// The request could not be sent.
    #[error("the request cannot be sent to the guard: {0}")]
    Send(#[source] io::Error),
    /// The child has ended, or never was.
    #[error("the process has ended")]
    NoSuchChild,
    /// A system call failed; `what` ends with the reason.
    #[error("{what}")]
    Failed {
        /// What was tried, and the reason.
        what: String,
        /// Its errno, 0 if there was none.
        errno: i32,
    },
    /// The guard answered something else.
    #[error("the guard answered {0}, which is no answer to the request")]
    Protocol(String),
}

/// A running guard.
pub struct Guard {
    process: Child,
    pidfd: PidFd,
    socket: UnixStream,
    replies: Receiver<Reply>,
    events: Receiver<Event>,
    reader: Option<JoinHandle<()>>,
    next_child: u64,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({})", self.process.id())
    }
}

impl Guard {
    /// Starts `exe guard`. To be called before the program has any other thread or child: the guard inherits its
    /// environment, folder and standard error, nothing else.
    pub fn start(exe: &Path) -> Result<Guard, GuardError> {
        let (socket, theirs) = UnixStream::pair().map_err(GuardError::Start)?;
        let mut command = Command::new(exe);
        command.arg("guard").stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let process = command.spawn().map_err(GuardError::Start)?;
        drop(command);
        let pidfd = PidFd::open(process.id()).map_err(|errno| GuardError::Start(errno.into()))?;
        let (to_replies, replies) = channel();
        let (to_events, events) = channel();
        let input = socket.try_clone().map_err(GuardError::Start)?;
        let reader = std::thread::Builder::new().name("guard".into());
        let reader = reader.spawn(move || sort(input, &to_replies, &to_events)).map_err(GuardError::Start)?;
        let guard = Guard { process, pidfd, socket, replies, events, reader: Some(reader), next_child: 0 };
        match guard.answer()? {
            Reply::Ready => Ok(guard),
            other => Err(refused(other)),
        }
    }

    /// What the guard reports of its own accord, in order.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Starts a child. That its program could not be executed is an error here, not an exit later.
    pub fn spawn(&mut self, spec: ChildSpec) -> Result<Spawned, GuardError> {
        let child = ChildId(self.next_child);
        self.next_child += 1;
        match self.ask(&Request::Spawn { child, spec })? {
            Reply::Spawned { pid, start_time, mounted } => Ok(Spawned { child, pid, start_time, mounted }),
            other => Err(refused(other)),
        }
    }

    /// Sends a signal to a child. [`GuardError::NoSuchChild`] if it has ended; its exit is then among the events.
    pub fn signal(&mut self, child: ChildId, signal: Signal) -> Result<(), GuardError> {
        match self.ask(&Request::Signal { child, signal })? {
            Reply::Signalled => Ok(()),
            other => Err(refused(other)),
        }
    }

    /// Makes a temporary folder that goes when the guard does, whatever becomes of this process.
    pub fn make_folder(&mut self) -> Result<PathBuf, GuardError> {
        match self.ask(&Request::MakeFolder)? {
            Reply::Folder { path } => Ok(path),
            other => Err(refused(other)),
        }
    }

    /// Kills every descendant of the guard and ends it; returns how many there were. Their exits are among the events
    /// the receiver still holds, which is returned too.
    pub fn shutdown(mut self) -> Result<(usize, Vec<Event>), GuardError> {
        let killed = match self.ask(&Request::Shutdown)? {
            Reply::Emptied { killed } => killed,
            other => return Err(refused(other)),
        };
        self.end();
        Ok((killed, self.events.try_iter().filter(|e| *e != Event::GuardGone).collect()))
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, GuardError> {
        protocol::send(&mut self.socket, request).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => GuardError::Gone,
            _ => GuardError::Send(error),
        })?;
        self.answer()
    }

    fn answer(&self) -> Result<Reply, GuardError> {
        self.replies.recv_timeout(ANSWER_MAX).map_err(|error| {
            // A late answer must not be taken for the next one: the conversation is over.
            let _ = self.socket.shutdown(Shutdown::Both);
            match error {
                RecvTimeoutError::Timeout => GuardError::Silent,
                RecvTimeoutError::Disconnected => GuardError::Gone,
            }
        })
    }

    /// Closes the socket and waits until the guard, and with it every descendant, has ended.
    fn end(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ = self.pidfd.signal(nix::sys::signal::Signal::SIGCONT);
        if self.pidfd.ended_within(ANSWER_MAX) {
            let _ = self.process.wait();
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end();
    }
}

fn refused(reply: Reply) -> GuardError {
    match reply {
        Reply::NoSuchChild => GuardError::NoSuchChild,
        Reply::Failed { what, errno } => GuardError::Failed { what, errno },
        other => GuardError::Protocol(format!("{other:?}")),
    }
}

/// Sorts what comes from the guard until its socket ends or nobody listens any more.
fn sort(mut input: UnixStream, replies: &Sender<Reply>, events: &Sender<Event>) {
    let (mut lines, mut messages) = (Lines::default(), Vec::new());
    let mut open = true;
    while open {
        open = lines.read(&mut input, &mut messages).unwrap_or(false);
        for message in messages.drain(..) {
            let _ = match message {
                FromGuard::Reply(reply) => replies.send(reply).is_ok(),
                FromGuard::Exited(exited) => events.send(Event::Exited(exited)).is_ok(),
            };
        }
    }
    let _ = events.send(Event::GuardGone);
}
