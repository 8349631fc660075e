//! The guard itself: `stormglass guard`, one thread, started by the controller with a socket as its standard input.
//!
//! It waits for three things at once: a request, the end of a child, the end of the socket. After the last it kills and
//! ends. A controller that breaks the protocol is treated as one that is gone.

use super::protocol::{self, ChildId, Ended, Exited, FromGuard, Lines, Reply, Request};
use super::spawn::{self, Child};
use super::sweep;
use history::Nanos;
use lazyfs::mount::{self, Mount, Namespace};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::WaitStatus;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::setsid;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use tempfile::TempDir;

const DONE: i32 = 0;
const NOT_STARTED_BY_A_CONTROLLER: i32 = 64;
const BROKEN: i32 = 70;

/// Runs the guard until its controller is gone or told it to shut down; no descendant is left when this returns.
/// The exit code: 0, 64 if standard input is not a socket, 70 if the system refused what a guard needs.
pub fn main() -> i32 {
    let Ok(socket) = controller() else { return NOT_STARTED_BY_A_CONTROLLER };
    let Ok(deaths) = settle() else { return BROKEN };
    let mut guard = Guard {
        socket,
        lines: Lines::default(),
        children: BTreeMap::new(),
        mounts: BTreeMap::new(),
        namespace: Namespace::default(),
        folders: Vec::new(),
    };
    let shut_down = guard.serve(&deaths).unwrap_or(false);
    let swept = sweep::kill_descendants(|status| _ = guard.tell_exit(status));
    std::mem::take(&mut guard.mounts).into_values().for_each(Mount::detach);
    guard.folders.clear();
    match swept {
        Ok(killed) if shut_down => _ = guard.tell(&FromGuard::Reply(Reply::Emptied { killed })),
        Ok(_) => (),
        Err(_) => return BROKEN,
    }
    DONE
}

fn controller() -> io::Result<UnixStream> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.peer_addr()?;
    Ok(socket)
}

/// Own session, subreaper, deaf to the terminal; returns where the deaths of children are announced.
fn settle() -> Result<SignalFd, Errno> {
    spawn::keep_descriptors_from_children()?;
    match setsid() {
        Ok(_) | Err(Errno::EPERM) => (),
        Err(error) => return Err(error),
    }
    prctl::set_child_subreaper(true)?;
    for unwanted in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        ignore(unwanted)?;
    }
    let mut deaths = SigSet::empty();
    deaths.add(Signal::SIGCHLD);
    deaths.thread_block()?;
    SignalFd::with_flags(&deaths, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

#[allow(unsafe_code)]
fn ignore(unwanted: Signal) -> Result<(), Errno> {
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { signal(unwanted, SigHandler::SigIgn) }.map(drop)
}

fn now() -> Nanos {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every Linux");
    Nanos(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

struct Guard {
    socket: UnixStream,
    lines: Lines,
    children: BTreeMap<ChildId, Child>,
    mounts: BTreeMap<ChildId, Mount>,
    namespace: Namespace,
    /// Removed when they are dropped.
    folders: Vec<TempDir>,
}

impl Guard {
    /// Serves until the controller asked for the end (true) or is gone (false or an error).
    fn serve(&mut self, deaths: &SignalFd) -> io::Result<bool> {
        self.tell(&FromGuard::Reply(Reply::Ready))?;
        loop {
            let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
            let mut fds = [self.socket.as_fd(), deaths.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => (),
                Err(error) => return Err(error.into()),
            }
            let (spoken, died) = (ready(&fds[0]), ready(&fds[1]));
            if died {
                while let Ok(Some(_)) = deaths.read_signal() {}
                self.reap()?;
            }
            if spoken && let Some(shut_down) = self.hear()? {
                return Ok(shut_down);
            }
        }
    }

    fn make_folder(&mut self) -> Reply {
        match tempfile::Builder::new().prefix("stormglass-").tempdir() {
            Ok(folder) => {
                let path = folder.path().to_owned();
                self.folders.push(folder);
                Reply::Folder { path }
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                Reply::Failed { what: format!("make a temporary folder: {error}"), errno }
            }
        }
    }

    /// Reads once and answers what became whole. `Some(true)` to shut down, `Some(false)` if the socket has ended.
    fn hear(&mut self) -> io::Result<Option<bool>> {
        let mut requests = Vec::new();
        let open = self.lines.read(&mut &self.socket, &mut requests)?;
        for request in requests {
            let reply = match request {
                Request::Spawn { child, spec } => self.spawn(child, &spec),
                Request::Signal { child, signal } => self.signal(child, signal),
                Request::MakeFolder => self.make_folder(),
                Request::Shutdown => return Ok(Some(true)),
            };
            self.tell(&FromGuard::Reply(reply))?;
        }
        Ok((!open).then_some(false))
    }

    fn spawn(&mut self, child: ChildId, spec: &protocol::ChildSpec) -> Reply {
        let (stdin, mount) = match spec.serves.as_deref().map(|at| mount::at(at, &mut self.namespace)) {
            None => (Stdio::null(), None),
            Some(Ok((descriptor, mount))) => (Stdio::from(descriptor), Some(mount)),
            Some(Err(error)) => {
                let errno = error.raw_os_error().unwrap_or(0);
                return Reply::Failed { what: format!("mount a file system in user space: {error}"), errno };
            }
        };
        match spawn::spawn(spec, stdin) {
            Ok(started) => {
                let (pid, start_time) = (started.pid, started.start_time);
                self.children.insert(child, started);
                let mounted = mount.as_ref().map(Mount::how);
                self.mounts.extend(mount.map(|mount| (child, mount)));
                Reply::Spawned { pid, start_time, mounted }
            }
            Err(failure) => {
                mount.into_iter().for_each(Mount::detach);
                let errno = failure.error.raw_os_error().unwrap_or(0);
                Reply::Failed { what: format!("{}: {}", failure.what, failure.error), errno }
            }
        }
    }

    fn signal(&self, child: ChildId, signal: protocol::Signal) -> Reply {
        let Some(child) = self.children.get(&child) else { return Reply::NoSuchChild };
        let signal = match signal {
            protocol::Signal::Kill => Signal::SIGKILL,
            protocol::Signal::Stop => Signal::SIGSTOP,
            protocol::Signal::Continue => Signal::SIGCONT,
            protocol::Signal::Terminate => Signal::SIGTERM,
        };
        match child.process.signal(signal) {
            Ok(()) => Reply::Signalled,
            Err(Errno::ESRCH) => Reply::NoSuchChild,
            Err(errno) => Reply::Failed { what: format!("signal process {}: {errno}", child.pid), errno: errno as i32 },
        }
    }

    fn reap(&mut self) -> io::Result<()> {
        let mut ended = Vec::new();
        sweep::reap_ended(|status| ended.push(status));
        ended.into_iter().try_for_each(|status| self.tell_exit(status))
    }

    /// Reports the end of a child; the end of an adopted orphan concerns nobody.
    fn tell_exit(&mut self, status: WaitStatus) -> io::Result<()> {
        let (pid, ended) = match status {
            WaitStatus::Exited(pid, code) => (pid, Ended::Code(code)),
            WaitStatus::Signaled(pid, signal, _) => (pid, Ended::Signal(signal as i32)),
            _ => return Ok(()),
        };
        let pid = pid.as_raw().unsigned_abs();
        let Some(child) = self.children.iter().find(|(_, c)| c.pid == pid).map(|(id, _)| *id) else { return Ok(()) };
        self.children.remove(&child);
        self.mounts.remove(&child).into_iter().for_each(Mount::detach);
        self.tell(&FromGuard::Exited(Exited { child, pid, ended, at: now() }))
    }

    fn tell(&self, message: &FromGuard) -> io::Result<()> {
        protocol::send(&mut &self.socket, message)
    }
}
