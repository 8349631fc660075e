//! The state of the file system: names and contents as seen, what of them is durable, and the changes in between.
//!
//! ```text
//!            write, rename, …                    fsync
//! as seen  ◀──────────────────  un-synced changes ─────▶  as kept
//!    ▲                                                       │
//!    └───────────────────── power loss ──────────────────────┘   (and some of the un-synced changes)
//! ```
//! **Invariants:** what is kept changes by a sync, a power loss or the limit [`PENDING_BYTES_MAX`] only. Changes are
//! numbered in the order they were made. Pure: no clock (times are handed in), no kernel, no thread.
//!
//! Deliberately simple: permissions, owners and times are durable at once.

use crate::node::{Change, File, Folder, Ino, Kind, Meta, Node, ROOT, What};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

/// Un-synced bytes beyond which the file with the oldest ones is made durable, as a kernel's write-back would.
pub const PENDING_BYTES_MAX: u64 = 1 << 30;
/// The longest file, bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 40;
/// The longest name, bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// When a name becomes durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameRule {
    /// By any fsync: it commits every earlier change of a name, as the journal of ext4, XFS and Btrfs does.
    #[default]
    Journal,
    /// By an fsync of its folder, as POSIX demands and not more.
    Strict,
}

/// A name that now leads elsewhere, or nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Rename {
    pub folder: Ino,
    pub name: OsString,
    pub to: Option<Ino>,
}

/// The file system.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(crate) nodes: HashMap<Ino, Node>,
    pub(crate) pending_names: Vec<(u64, Vec<Rename>)>,
    pub(crate) rule: NameRule,
    next: u64,
    seq: u64,
    pending_bytes: u64,
}

type Done<T> = Result<T, Errno>;

impl Tree {
    /// An empty one.
    pub fn new(rule: NameRule, root: Meta) -> Tree {
        let mut node = Node::new(What::Folder(Folder::default()), root);
        (node.links, node.refs) = (1, 1);
        let nodes = HashMap::from([(ROOT, node)]);
        Tree { nodes, pending_names: Vec::new(), rule, next: ROOT.0 + 1, seq: 0, pending_bytes: 0 }
    }

    pub(crate) fn node(&self, ino: Ino) -> Done<&Node> {
        self.nodes.get(&ino).ok_or(Errno::ENOENT)
    }

    fn node_mut(&mut self, ino: Ino) -> Done<&mut Node> {
        self.nodes.get_mut(&ino).ok_or(Errno::ENOENT)
    }

    fn folder(&self, ino: Ino) -> Done<&Folder> {
        match &self.node(ino)?.what {
            What::Folder(folder) => Ok(folder),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn file(&self, ino: Ino) -> Done<&File> {
        match &self.node(ino)?.what {
            What::File(file) => Ok(file),
            What::Folder(_) => Err(Errno::EISDIR),
            What::Link(_) => Err(Errno::EINVAL),
        }
    }

    fn file_mut(&mut self, ino: Ino) -> Done<&mut File> {
        match &mut self.node_mut(ino)?.what {
            What::File(file) => Ok(file),
            What::Folder(_) => Err(Errno::EISDIR),
            What::Link(_) => Err(Errno::EINVAL),
        }
    }

    fn number(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Where a name leads.
    pub fn look_up(&self, folder: Ino, name: &OsStr) -> Done<Ino> {
        self.folder(folder)?.now.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// The names in a folder.
    pub fn list(&self, folder: Ino) -> Done<Vec<(OsString, Ino, Kind)>> {
        let names = self.folder(folder)?.now.iter();
        names.map(|(name, ino)| Ok((name.clone(), *ino, self.node(*ino)?.kind()))).collect()
    }

    /// What kind of thing, how long, bytes stored, names that lead to it, and the rest.
    pub fn stat(&self, ino: Ino) -> Done<(Kind, u64, u64, u32, Meta)> {
        let node = self.node(ino)?;
        let (len, stored) = match &node.what {
            What::File(file) => (file.now.len(), file.now.stored()),
            What::Folder(_) => (0, 0),
            What::Link(to) => (to.len() as u64, 0),
        };
        let links = if node.kind() == Kind::Folder { 2 } else { node.links };
        Ok((node.kind(), len, stored, links, node.meta))
    }

    /// Changes permissions, owner or times.
    pub fn set_meta(&mut self, ino: Ino, change: impl FnOnce(&mut Meta)) -> Done<()> {
        change(&mut self.node_mut(ino)?.meta);
        Ok(())
    }

    /// Where a symbolic link points.
    pub fn read_link(&self, ino: Ino) -> Done<&OsStr> {
        match &self.node(ino)?.what {
            What::Link(to) => Ok(to),
            _ => Err(Errno::EINVAL),
        }
    }

    /// What a file holds.
    pub fn read(&self, ino: Ino, at: u64, len: usize) -> Done<Vec<u8>> {
        Ok(self.file(ino)?.now.read(at, len))
    }

    /// How much longer a file would become by a write.
    pub fn growth(&self, ino: Ino, at: u64, len: usize) -> Done<u64> {
        Ok(at.saturating_add(len as u64).saturating_sub(self.file(ino)?.now.len()))
    }

    /// Writes. EFBIG beyond [`FILE_BYTES_MAX`].
    pub fn write(&mut self, ino: Ino, at: u64, data: &[u8], now: SystemTime) -> Done<()> {
        if at.saturating_add(data.len() as u64) > FILE_BYTES_MAX {
            return Err(Errno::EFBIG);
        }
        let seq = self.number();
        let file = self.file_mut(ino)?;
        file.now.write(at, data);
        file.pending.push((seq, Change::Write { at, data: data.into() }));
        self.touch(ino, now);
        self.pending_bytes += data.len() as u64;
        while self.pending_bytes > PENDING_BYTES_MAX && self.write_back_oldest() {}
        Ok(())
    }

    /// Cuts or lengthens.
    pub fn set_len(&mut self, ino: Ino, len: u64, now: SystemTime) -> Done<()> {
        if len > FILE_BYTES_MAX {
            return Err(Errno::EFBIG);
        }
        let seq = self.number();
        let file = self.file_mut(ino)?;
        file.now.set_len(len);
        file.pending.push((seq, Change::Length(len)));
        self.touch(ino, now);
        Ok(())
    }

    fn touch(&mut self, ino: Ino, now: SystemTime) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            (node.meta.modified, node.meta.changed) = (now, now);
        }
    }

    fn write_back_oldest(&mut self) -> bool {
        let oldest = |ino: &Ino| self.file(*ino).ok().and_then(|file| file.pending.first()).map(|(seq, _)| *seq);
        let found = self.nodes.keys().filter_map(|ino| oldest(ino).map(|seq| (seq, *ino))).min();
        found.is_some_and(|(_, ino)| self.settle(ino).is_ok())
    }

    fn settle(&mut self, ino: Ino) -> Done<()> {
        let bytes = self.file_mut(ino)?.settle();
        self.pending_bytes = self.pending_bytes.saturating_sub(bytes);
        Ok(())
    }

    /// Makes a file's content durable, and with [`NameRule::Journal`] every change of a name so far.
    pub fn sync(&mut self, ino: Ino) -> Done<()> {
        match self.node(ino)?.kind() {
            Kind::File => self.settle(ino)?,
            Kind::Folder => return self.sync_folder(ino),
            Kind::Link => (),
        }
        if self.rule == NameRule::Journal {
            self.commit_names(|_| true);
        }
        Ok(())
    }

    /// Makes a folder's names durable.
    pub fn sync_folder(&mut self, folder: Ino) -> Done<()> {
        self.folder(folder)?;
        let all = self.rule == NameRule::Journal;
        self.commit_names(|renames| all || renames.iter().any(|rename| rename.folder == folder));
        Ok(())
    }

    /// What an fsync does that fails: the file's changes count as clean from now on and are never made durable.
    pub fn fail_sync(&mut self, ino: Ino) -> Done<()> {
        if self.node(ino)?.kind() == Kind::File {
            let bytes = self.file_mut(ino)?.forget_pending();
            self.pending_bytes = self.pending_bytes.saturating_sub(bytes);
        }
        Ok(())
    }

    /// Makes everything durable.
    pub fn checkpoint(&mut self) {
        for node in self.nodes.values_mut() {
            if let What::File(file) = &mut node.what {
                file.pending.clear();
                file.kept = file.now.clone();
            }
        }
        self.pending_bytes = 0;
        self.commit_names(|_| true);
    }

    fn commit_names(&mut self, wanted: impl Fn(&[Rename]) -> bool) {
        let pending = std::mem::take(&mut self.pending_names);
        let (commit, keep): (Vec<_>, Vec<_>) = pending.into_iter().partition(|(_, renames)| wanted(renames));
        self.pending_names = keep;
        for (_, renames) in commit {
            self.keep_names(&renames);
        }
    }

    /// Puts changes of names into what is kept, and lets go of what only they led to.
    pub(crate) fn keep_names(&mut self, renames: &[Rename]) {
        for Rename { folder, name, to } in renames {
            let kept = match self.nodes.get_mut(folder).map(|node| &mut node.what) {
                Some(What::Folder(folder)) => &mut folder.kept,
                _ => continue,
            };
            let before = match to {
                Some(ino) => kept.insert(name.clone(), *ino),
                None => kept.remove(name),
            };
            if let Some(node) = to.and_then(|ino| self.nodes.get_mut(&ino)) {
                node.refs += 1;
            }
            if let Some(ino) = before {
                self.let_go(ino);
            }
        }
        for ino in renames.iter().flat_map(|rename| rename.to.into_iter().chain([rename.folder])) {
            self.let_go(ino);
        }
    }

    fn let_go(&mut self, ino: Ino) {
        let Some(node) = self.nodes.get_mut(&ino) else { return };
        node.refs = node.refs.saturating_sub(1);
        if node.refs > 0 || ino == ROOT {
            return;
        }
        if let Some(Node { what: What::File(mut file), .. }) = self.nodes.remove(&ino) {
            self.pending_bytes = self.pending_bytes.saturating_sub(file.forget_pending());
        }
    }

    fn hold(&mut self, ino: Ino) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.refs += 1;
        }
    }

    /// Somebody opened it: it stays when its last name goes.
    pub fn open(&mut self, ino: Ino) -> Done<()> {
        self.node(ino)?;
        self.hold(ino);
        Ok(())
    }

    /// Somebody closed it.
    pub fn close(&mut self, ino: Ino) {
        self.let_go(ino);
    }

    /// Changes names, as seen and as an un-synced change, all in one.
    fn rename_all(&mut self, renames: Vec<Rename>, now: SystemTime) -> Done<()> {
        // Held first, so that what changes places is never let go of in between.
        for ino in renames.iter().flat_map(|rename| rename.to.into_iter().chain([rename.folder])) {
            self.hold(ino);
        }
        for Rename { folder, name, to } in &renames {
            let Some(What::Folder(names)) = self.nodes.get_mut(folder).map(|node| &mut node.what) else {
                return Err(Errno::ENOTDIR);
            };
            let before = match to {
                Some(ino) => names.now.insert(name.clone(), *ino),
                None => names.now.remove(name),
            };
            if let Some(node) = to.and_then(|ino| self.nodes.get_mut(&ino)) {
                (node.links, node.refs) = (node.links + 1, node.refs + 1);
            }
            self.touch(*folder, now);
            if let Some(ino) = before {
                if let Some(node) = self.nodes.get_mut(&ino) {
                    node.links = node.links.saturating_sub(1);
                }
                self.let_go(ino);
            }
        }
        let seq = self.number();
        self.pending_names.push((seq, renames));
        Ok(())
    }

    fn may_name(&self, folder: Ino, name: &OsStr) -> Done<()> {
        if name.len() > NAME_BYTES_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        // A folder whose last name is gone takes no new ones.
        if self.node(folder)?.links == 0 {
            return Err(Errno::ENOENT);
        }
        if self.folder(folder)?.now.contains_key(name) { Err(Errno::EEXIST) } else { Ok(()) }
    }

    fn make(&mut self, (folder, name): (Ino, &OsStr), what: What, meta: Meta) -> Done<Ino> {
        self.may_name(folder, name)?;
        let ino = Ino(self.next);
        self.next += 1;
        self.nodes.insert(ino, Node::new(what, meta));
        self.rename_all(vec![Rename { folder, name: name.into(), to: Some(ino) }], meta.changed)?;
        Ok(ino)
    }

    /// A new, empty file.
    pub fn create(&mut self, at: (Ino, &OsStr), meta: Meta) -> Done<Ino> {
        self.make(at, What::File(File::default()), meta)
    }

    /// A new, empty folder.
    pub fn create_folder(&mut self, at: (Ino, &OsStr), meta: Meta) -> Done<Ino> {
        self.make(at, What::Folder(Folder::default()), meta)
    }

    /// A symbolic link.
    pub fn create_link(&mut self, at: (Ino, &OsStr), to: &OsStr, meta: Meta) -> Done<Ino> {
        self.make(at, What::Link(to.into()), meta)
    }

    /// One more name of a file.
    pub fn link(&mut self, ino: Ino, (folder, name): (Ino, &OsStr), now: SystemTime) -> Done<()> {
        if self.node(ino)?.kind() == Kind::Folder {
            return Err(Errno::EPERM);
        }
        self.may_name(folder, name)?;
        self.rename_all(vec![Rename { folder, name: name.into(), to: Some(ino) }], now)
    }

    /// Takes a file's or link's name away.
    pub fn unlink(&mut self, folder: Ino, name: &OsStr, now: SystemTime) -> Done<()> {
        if self.node(self.look_up(folder, name)?)?.kind() == Kind::Folder {
            return Err(Errno::EISDIR);
        }
        self.rename_all(vec![Rename { folder, name: name.into(), to: None }], now)
    }

    /// Takes an empty folder away.
    pub fn remove_folder(&mut self, folder: Ino, name: &OsStr, now: SystemTime) -> Done<()> {
        if !self.folder(self.look_up(folder, name)?)?.now.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.rename_all(vec![Rename { folder, name: name.into(), to: None }], now)
    }

    /// Moves a name; what had the new name before loses it.
    pub fn rename(&mut self, from: (Ino, &OsStr), to: (Ino, &OsStr), how: How, now: SystemTime) -> Done<()> {
        let moved = self.look_up(from.0, from.1)?;
        let replaced = match self.look_up(to.0, to.1) {
            Ok(ino) => Some(ino),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        match (how, replaced) {
            (How::NoReplace, Some(_)) => return Err(Errno::EEXIST),
            (How::Exchange, None) => return Err(Errno::ENOENT),
            (How::Replace, Some(replaced)) if moved == replaced => return Ok(()),
            (How::Replace, Some(replaced)) => self.may_replace(moved, replaced)?,
            _ => (),
        }
        if to.1.len() > NAME_BYTES_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let left = replaced.filter(|_| how == How::Exchange);
        let rename = |(folder, name): (Ino, &OsStr), to| Rename { folder, name: name.into(), to };
        self.rename_all(vec![rename(to, Some(moved)), rename(from, left)], now)
    }

    fn may_replace(&self, moved: Ino, replaced: Ino) -> Done<()> {
        match (self.node(moved)?.kind(), self.folder(replaced)) {
            (Kind::Folder, Err(_)) => Err(Errno::ENOTDIR),
            (Kind::Folder, Ok(folder)) if !folder.now.is_empty() => Err(Errno::ENOTEMPTY),
            (Kind::Folder, Ok(_)) | (_, Err(_)) => Ok(()),
            (_, Ok(_)) => Err(Errno::EISDIR),
        }
    }

    /// Un-synced bytes.
    pub fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    pub(crate) fn forget_all_pending(&mut self) -> Vec<(u64, Vec<Rename>)> {
        self.pending_bytes = 0;
        std::mem::take(&mut self.pending_names)
    }

    /// Makes what is seen what is kept, and lets go of everything that nothing leads to any more.
    pub(crate) fn see_what_is_kept(&mut self) {
        for node in self.nodes.values_mut() {
            (node.links, node.refs) = (0, 0);
            match &mut node.what {
                What::File(file) => (file.now, file.pending) = (file.kept.clone(), Vec::new()),
                What::Folder(folder) => folder.now = folder.kept.clone(),
                What::Link(_) => (),
            }
        }
        let mut reached = vec![ROOT];
        while let Some(ino) = reached.pop() {
            let Some(node) = self.nodes.get_mut(&ino) else { continue };
            let first = node.links == 0;
            (node.links, node.refs) = (node.links + 1, node.refs + 2);
            if let (What::Folder(folder), true) = (&node.what, first) {
                reached.extend(folder.now.values());
            }
        }
        self.nodes.retain(|_, node| node.links > 0);
    }
}

/// How a name is moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Whatever has the new name loses it.
    Replace,
    /// Only if nothing has the new name.
    NoReplace,
    /// The two change places.
    Exchange,
}
