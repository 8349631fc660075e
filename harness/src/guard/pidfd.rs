//! A descriptor of a process: signals sent through it reach that process or nobody, however often its pid is reused.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// A process, for as long as this is kept.
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens the process. Of a child that was not yet reaped this never meets a stranger.
    pub fn open(pid: u32) -> Result<PidFd, Errno> {
        // SAFETY: pidfd_open(2) takes two integers and touches no memory of ours.
        let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
        // SAFETY: the call succeeded, so the number is a new descriptor (close-on-exec) that nobody else owns.
        Ok(PidFd(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    /// Sends a signal. [`Errno::ESRCH`] if the process has ended and was reaped.
    pub fn signal(&self, signal: nix::sys::signal::Signal) -> Result<(), Errno> {
        let (fd, signal) = (self.0.as_raw_fd(), signal as libc::c_int);
        let no_info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: pidfd_send_signal(2) accepts a null siginfo and then behaves as kill(2).
        Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, no_info, 0) }).map(drop)
    }

    /// Waits until the process has ended, at most `limit`; true if it has.
    pub fn ended_within(&self, limit: Duration) -> bool {
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut fds, timeout), Ok(n) if n > 0)
    }
}
