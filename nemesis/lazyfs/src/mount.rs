//! Mounts a file system in user space for whoever serves it, and takes the mount away again.
//!
//! Three ways, the first that works: mounting it ourselves in a mount namespace of our own, as root; the same in a user namespace, as
//! anybody; through `fusermount3`, which is set-user-id. In a namespace of our own a mount cannot outlive the processes in it.
//!
//! **Invariants:** the namespace is entered once, before the first mount, and only after a forked child has tried it: a half-entered one
//! cannot be left again. To be called by a process with one thread.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Uid, fork, getegid, geteuid};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DEVICE: &str = "/dev/fuse";
/// By absolute path: another one found first may not be set-user-id.
const HELPERS: [&str; 2] = ["/usr/bin/fusermount3", "/bin/fusermount3"];

/// How a file system in user space was mounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mounted {
    /// By root, in a mount namespace of our own.
    ByRoot,
    /// By anybody, in a user and mount namespace of our own.
    InUserNamespace,
    /// By `fusermount3`, where everybody sees it.
    ByHelper,
}

/// Where mounts are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Namespace {
    /// Nobody has tried yet.
    #[default]
    Untried,
    /// In one of our own.
    Own(Mounted),
    /// In the one everybody is in: it cannot be left.
    Shared(Errno),
}

/// A file system that is mounted.
#[derive(Debug)]
pub struct Mount {
    at: PathBuf,
    how: Mounted,
}

impl Mount {
    /// How it was done.
    pub fn how(&self) -> Mounted {
        self.how
    }

    /// Takes it away, whoever uses it.
    pub fn detach(self) {
        match self.how {
            Mounted::ByRoot | Mounted::InUserNamespace => _ = umount2(&self.at, MntFlags::MNT_DETACH),
            Mounted::ByHelper => {
                if let Some(helper) = helper() {
                    let _ = quiet(Command::new(helper).args(["-u", "-z", "--"]).arg(&self.at)).status();
                }
            }
        }
    }
}

/// Mounts at a folder; returns the descriptor to serve. Errors say what was tried.
pub fn at(folder: &Path, namespace: &mut Namespace) -> io::Result<(OwnedFd, Mount)> {
    let direct = directly(folder, namespace);
    let (fd, how) = direct.or_else(|ours| {
        let with_both = |theirs: io::Error| io::Error::other(format!("{ours}; {theirs}"));
        by_helper(folder).map(|fd| (fd, Mounted::ByHelper)).map_err(with_both)
    })?;
    Ok((fd, Mount { at: folder.to_owned(), how }))
}

fn directly(folder: &Path, namespace: &mut Namespace) -> io::Result<(OwnedFd, Mounted)> {
    let said = |what: &str, error: &dyn std::fmt::Display| io::Error::other(format!("{what}: {error}"));
    let open = || OpenOptions::new().read(true).write(true).open(DEVICE).map_err(|e| said(DEVICE, &e));
    // No namespace is entered for nothing.
    open()?;
    if *namespace == Namespace::Untried {
        *namespace = enter();
    }
    let how = match *namespace {
        Namespace::Own(how) => how,
        Namespace::Shared(errno) => return Err(said("no mount namespace of our own", &errno)),
        Namespace::Untried => unreachable!("it was just tried"),
    };
    // A descriptor that was opened outside of the namespace cannot be mounted in it.
    let (device, uid, gid) = (open()?, geteuid(), getegid());
    let others = if how == Mounted::ByRoot { ",allow_other" } else { "" };
    let options =
        format!("fd={},rootmode=40000,user_id={uid},group_id={gid},default_permissions{others}", device.as_raw_fd());
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let (name, kind) = (Some("stormglass"), Some("fuse.stormglass"));
    mount(name, folder, kind, flags, Some(options.as_str())).map_err(|e| said("mount", &e))?;
    Ok((device.into(), how))
}

/// Enters a mount namespace of our own if that is possible.
fn enter() -> Namespace {
    let how = if geteuid().is_root() { Mounted::ByRoot } else { Mounted::InUserNamespace };
    match tried(how).and_then(|()| enter_as(how, geteuid(), getegid())) {
        Ok(()) => Namespace::Own(how),
        Err(errno) => Namespace::Shared(errno),
    }
}

/// Whether a forked child can do it.
fn tried(how: Mounted) -> Result<(), Errno> {
    let (uid, gid) = (geteuid(), getegid());
    // SAFETY: the process has one thread, so the child may do whatever it may.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let code = enter_as(how, uid, gid).err().map_or(0, |errno| errno as i32);
            // SAFETY: ends the child at once, without what the parent would do at its own end.
            unsafe { nix::libc::_exit(code) }
        }
        ForkResult::Parent { child } => match waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => Ok(()),
            WaitStatus::Exited(_, code) => Err(Errno::from_raw(code)),
            _ => Err(Errno::EPERM),
        },
    }
}

fn enter_as(how: Mounted, uid: Uid, gid: Gid) -> Result<(), Errno> {
    let write = |file: &str, text: String| {
        std::fs::write(file, text).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(nix::libc::EPERM)))
    };
    if how == Mounted::InUserNamespace {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        write("/proc/self/setgroups", "deny".into())?;
        write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    } else {
        unshare(CloneFlags::CLONE_NEWNS)?;
    }
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
}

fn helper() -> Option<&'static str> {
    HELPERS.into_iter().find(|path| Path::new(path).exists())
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// `fusermount3` mounts and sends the descriptor back over a socket whose number it finds in its environment.
fn by_helper(folder: &Path) -> io::Result<OwnedFd> {
    let helper = helper().ok_or_else(|| io::Error::other("fusermount3 is not installed (package fuse3)"))?;
    let (ours, theirs) = UnixStream::pair()?;
    let theirs = OwnedFd::from(theirs);
    nix::fcntl::fcntl(&theirs, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))?;
    let mut command = Command::new(helper);
    let command = command.args(["-o", "nosuid,nodev,default_permissions,fsname=stormglass", "--"]).arg(folder);
    let output = command.env("_FUSE_COMMFD", theirs.as_raw_fd().to_string()).stdin(Stdio::null()).output();
    drop(theirs);
    let output = output?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    received(&ours)
}

fn received(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut byte = [0];
    let mut buffers = [IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut buffers, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let fds = message.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    let fd = fds.ok_or_else(|| io::Error::other("fusermount3 sent no descriptor"))?;
    // SAFETY: the kernel has just put the descriptor into our table, and nobody else knows its number.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }).into())
}
