//! The tree as the kernel's FUSE requests see it.
//!
//! **Invariants:** a request holds the lock for as long as the tree takes, and waits for nothing: what is to be answered late
//! is handed to [`Later`]. Handles carry the epoch they were opened in, so that one from before a power loss does no harm.
//! The kernel may cache names and contents for long: whatever changes them behind its back tells it.

use crate::gate::{Gate, Sync, When};
use crate::later::Later;
use crate::node::{Ino, Kind, Meta};
use crate::tree::{How, Tree};
use fuser::{
    Errno as FuseErrno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use nix::errno::Errno;
use nix::libc;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

const FOREVER: Duration = Duration::from_secs(3600);
const BLOCK_BYTES: u32 = 4096;
const BLOCKS: u64 = 1 << 28;
const WRITE_BYTES_MAX: u32 = 1 << 20;

type Listing = Vec<(INodeNo, FileType, OsString)>;

/// Everything behind the lock.
pub struct State {
    pub tree: Tree,
    pub gate: Gate,
    /// Grows with every power loss.
    pub epoch: u64,
    listings: HashMap<u64, Listing>,
    next_listing: u64,
}

/// The file system, shared between the kernel's requests and the orders.
#[derive(Clone)]
pub struct Lazy {
    state: Arc<Mutex<State>>,
    later: Later,
}

impl Lazy {
    /// Over a tree.
    pub fn new(tree: Tree, gate: Gate, later: Later) -> Lazy {
        let state = State { tree, gate, epoch: 1, listings: HashMap::new(), next_listing: 1 };
        Lazy { state: Arc::new(Mutex::new(state)), later }
    }

    /// The state; a thread that panicked with it has left it as good as it was.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers everything that is held up.
    pub fn let_go(&self) {
        self.later.let_go();
    }

    fn answer(&self, when: When, answer: impl FnOnce() + Send + 'static) {
        match when {
            When::Now => answer(),
            When::After(delay) => self.later.after(delay, answer),
            When::Mended => self.later.hang(answer),
        }
    }

    fn sync(&self, ino: Ino, reply: ReplyEmpty) {
        let mut state = self.state();
        match state.gate.sync() {
            Sync::Lie => reply.ok(),
            Sync::Fail => {
                let _ = state.tree.fail_sync(ino);
                reply.error(FuseErrno::EIO);
            }
            Sync::Real(When::Now) => done(state.tree.sync(ino), reply),
            Sync::Real(when) => {
                let lazy = self.clone();
                self.answer(when, move || done(lazy.state().tree.sync(ino), reply));
            }
        }
    }

    /// A new name: what it leads to, as `make` made it.
    fn new_name(&self, make: impl FnOnce(&mut Tree) -> Result<Ino, Errno>) -> Result<FileAttr, Errno> {
        let mut state = self.state();
        state.gate.name()?;
        let ino = make(&mut state.tree)?;
        attributes(&state.tree, ino)
    }

    fn set(&self, ino: Ino, size: Option<u64>, change: impl FnOnce(&mut Meta)) -> Result<FileAttr, Errno> {
        let mut state = self.state();
        if let Some(size) = size {
            state.tree.set_len(ino, size, SystemTime::now())?;
        }
        state.tree.set_meta(ino, change)?;
        attributes(&state.tree, ino)
    }

    fn write_some(&self, ino: Ino, at: u64, data: &[u8]) -> Result<(usize, When), Errno> {
        let mut state = self.state();
        let growth = state.tree.growth(ino, at, data.len())?;
        let (len, when) = state.gate.write(data.len(), growth)?;
        state.tree.write(ino, at, &data[..len], SystemTime::now())?;
        Ok((len, when))
    }

    fn make_room(&self, ino: Ino, at: u64, len: u64, mode: i32) -> Result<(), Errno> {
        let mut state = self.state();
        let end = at.checked_add(len).ok_or(Errno::EFBIG)?;
        let size = state.tree.stat(ino)?.1;
        match mode {
            0 if end > size => {
                if state.gate.space(end - size)? > 0 {
                    return Err(Errno::ENOSPC);
                }
                state.tree.set_len(ino, end, SystemTime::now())
            }
            0 | libc::FALLOC_FL_KEEP_SIZE => Ok(()),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }
}

fn errno(errno: Errno) -> FuseErrno {
    FuseErrno::from_i32(errno as i32)
}

fn done(result: Result<(), Errno>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}

fn entry(result: Result<FileAttr, Errno>, reply: ReplyEntry) {
    match result {
        Ok(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
        Err(error) => reply.error(errno(error)),
    }
}

fn attr(result: Result<FileAttr, Errno>, reply: ReplyAttr) {
    match result {
        Ok(attributes) => reply.attr(&FOREVER, &attributes),
        Err(error) => reply.error(errno(error)),
    }
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Folder => FileType::Directory,
        Kind::Link => FileType::Symlink,
    }
}

fn attributes(tree: &Tree, ino: Ino) -> Result<FileAttr, Errno> {
    let (kind, size, stored, links, meta) = tree.stat(ino)?;
    Ok(FileAttr {
        ino: INodeNo(ino.0),
        size,
        blocks: stored / 512,
        atime: meta.accessed,
        mtime: meta.modified,
        ctime: meta.changed,
        crtime: meta.changed,
        kind: file_type(kind),
        perm: meta.mode,
        nlink: links,
        uid: meta.uid,
        gid: meta.gid,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    })
}

fn moment(time: TimeOrNow, now: SystemTime) -> SystemTime {
    match time {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => now,
    }
}

fn made_by(request: &Request, mode: u32, umask: u32) -> Meta {
    Meta::new((mode & !umask & 0o7777) as u16, (request.uid(), request.gid()), SystemTime::now())
}

impl Filesystem for Lazy {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // The nearest that is possible will do.
        let _ = config.set_max_write(WRITE_BYTES_MAX);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let state = self.state();
        let found = state.tree.look_up(Ino(parent.0), name).and_then(|ino| attributes(&state.tree, ino));
        entry(found, reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let told = attributes(&self.state().tree, Ino(ino.0));
        attr(told, reply);
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let now = SystemTime::now();
        let set = self.set(Ino(ino.0), size, |meta| {
            meta.mode = mode.map_or(meta.mode, |mode| (mode & 0o7777) as u16);
            meta.uid = uid.unwrap_or(meta.uid);
            meta.gid = gid.unwrap_or(meta.gid);
            meta.accessed = accessed.map_or(meta.accessed, |time| moment(time, now));
            meta.modified = modified.map_or(meta.modified, |time| moment(time, now));
            meta.changed = now;
        });
        attr(set, reply);
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.state().tree.read_link(Ino(ino.0)) {
            Ok(to) => reply.data(to.as_encoded_bytes()),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let meta = made_by(request, mode, umask);
        entry(self.new_name(|tree| tree.create_folder((Ino(parent.0), name), meta)), reply);
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        if mode & libc::S_IFMT != libc::S_IFREG {
            return reply.error(FuseErrno::EPERM);
        }
        let meta = made_by(request, mode, umask);
        entry(self.new_name(|tree| tree.create((Ino(parent.0), name), meta)), reply);
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let meta = made_by(request, 0o777, 0);
        entry(self.new_name(|tree| tree.create_link((Ino(parent.0), name), target.as_os_str(), meta)), reply);
    }

    fn link(&self, _: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let ino = Ino(ino.0);
        entry(self.new_name(|tree| tree.link(ino, (Ino(parent.0), name), SystemTime::now()).map(|()| ino)), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.state().tree.unlink(Ino(parent.0), name, SystemTime::now()), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.state().tree.remove_folder(Ino(parent.0), name, SystemTime::now()), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let how = match flags {
            flags if flags.is_empty() => How::Replace,
            RenameFlags::RENAME_NOREPLACE => How::NoReplace,
            RenameFlags::RENAME_EXCHANGE => How::Exchange,
            _ => return reply.error(FuseErrno::EINVAL),
        };
        let (from, to) = ((Ino(parent.0), name), (Ino(to.0), new_name));
        done(self.state().tree.rename(from, to, how, SystemTime::now()), reply);
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let mut state = self.state();
        match state.tree.open(Ino(ino.0)) {
            Ok(()) => reply.opened(FileHandle(state.epoch), FopenFlags::FOPEN_KEEP_CACHE),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let meta = made_by(request, mode, umask);
        let made = self.new_name(|tree| {
            let ino = tree.create((Ino(parent.0), name), meta)?;
            tree.open(ino).map(|()| ino)
        });
        let handle = FileHandle(self.state().epoch);
        match made {
            Ok(attributes) => {
                reply.created(&FOREVER, &attributes, Generation(0), handle, FopenFlags::FOPEN_KEEP_CACHE);
            }
            Err(error) => reply.error(errno(error)),
        }
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        let mut state = self.state();
        if handle.0 == state.epoch {
            state.tree.close(Ino(ino.0));
        }
        reply.ok();
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        at: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut state = self.state();
        let read = state.gate.read().and_then(|when| Ok((state.tree.read(Ino(ino.0), at, size as usize)?, when)));
        drop(state);
        match read {
            Ok((data, when)) => self.answer(when, move || reply.data(&data)),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        at: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.write_some(Ino(ino.0), at, data) {
            Ok((len, when)) => self.answer(when, move || reply.written(len as u32)),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(Ino(ino.0), reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(Ino(ino.0), reply);
    }

    fn fallocate(&self, _: &Request, ino: INodeNo, _: FileHandle, at: u64, len: u64, mode: i32, reply: ReplyEmpty) {
        done(self.make_room(Ino(ino.0), at, len, mode), reply);
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let mut state = self.state();
        let names = match state.tree.list(Ino(ino.0)) {
            Ok(names) => names,
            Err(error) => return reply.error(errno(error)),
        };
        let dots = [".", ".."].map(|name| (ino, FileType::Directory, OsString::from(name)));
        let names = names.into_iter().map(|(name, ino, kind)| (INodeNo(ino.0), file_type(kind), name));
        let (handle, listing) = (state.next_listing, dots.into_iter().chain(names).collect());
        state.next_listing += 1;
        state.listings.insert(handle, listing);
        reply.opened(FileHandle(handle), FopenFlags::empty());
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let state = self.state();
        let listing = state.listings.get(&handle.0).map_or(&[][..], Vec::as_slice);
        for (index, (ino, kind, name)) in listing.iter().enumerate().skip(offset as usize) {
            if reply.add(*ino, index as u64 + 1, *kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.state().listings.remove(&handle.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let free = (self.state().gate.left() / u64::from(BLOCK_BYTES)).min(BLOCKS);
        reply.statfs(BLOCKS, free, free, BLOCKS, BLOCKS, BLOCK_BYTES, 255, BLOCK_BYTES);
    }
}
