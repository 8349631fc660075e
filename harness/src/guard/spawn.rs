//! Starts one child of the guard.
#![allow(unsafe_code)]

use super::pidfd::PidFd;
use super::proc::Stat;
use super::protocol::{ChildSpec, Grouping};
use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::unistd::{Pid, getpid, getppid, setpgid, setsid};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A child that runs.
pub struct Child {
    /// Its process id.
    pub pid: u32,
    /// Its start time, clock ticks since boot.
    pub start_time: u64,
    /// Its descriptor.
    pub process: PidFd,
}

/// Why a child does not run: what was tried, and how it failed.
pub struct SpawnFailure {
    /// What was tried.
    pub what: String,
    /// What came of it.
    pub error: io::Error,
}

/// Forks and executes; a failure of exec is reported as that.
pub fn spawn(spec: &ChildSpec, stdin: Stdio) -> Result<Child, SpawnFailure> {
    let (stdout, stderr) = (append(&spec.stdout)?, append(&spec.stderr)?);
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).stdin(stdin).stdout(stdout).stderr(stderr);
    for (name, value) in &spec.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = &spec.cwd {
        command.current_dir(folder);
    }
    let (guard, grouping) = (getpid(), spec.grouping);
    // SAFETY: `settle` makes system calls only; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(move || settle(guard, grouping).map_err(io::Error::from)) };
    let what = || format!("execute {}", spec.program.display());
    let pid = command.spawn().map_err(|error| SpawnFailure { what: what(), error })?.id();
    describe(pid).map_err(|error| SpawnFailure { what: format!("open process {pid}"), error })
}

fn append(path: &Path) -> Result<File, SpawnFailure> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| SpawnFailure { what: format!("open {}", path.display()), error })
}

fn describe(pid: u32) -> io::Result<Child> {
    Ok(Child { pid, process: PidFd::open(pid)?, start_time: Stat::read(pid)?.start_time })
}

/// Between fork and exec: die with the guard, stand apart, and undo what a child would inherit of its signal set-up.
fn settle(guard: Pid, grouping: Grouping) -> Result<(), Errno> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() != guard {
        return Err(Errno::ESRCH);
    }
    match grouping {
        Grouping::Group => setpgid(Pid::from_raw(0), Pid::from_raw(0))?,
        Grouping::Session => setsid().map(drop)?,
    }
    for settable in Signal::iterator().filter(|s| !matches!(s, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: the default disposition runs no code of ours.
        unsafe { signal(settable, SigHandler::SigDfl) }?;
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Marks every descriptor from 3 on close-on-exec, so that no child inherits what this program itself was given.
pub fn keep_descriptors_from_children() -> Result<(), Errno> {
    // SAFETY: close_range(2) with CLOSE_RANGE_CLOEXEC takes integers, closes nothing and touches no memory of ours.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Errno::result(done).map(drop)
}
