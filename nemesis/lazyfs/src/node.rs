//! What a name leads to: a file, a folder, a symbolic link; each with what a program sees and what a power loss leaves.

use crate::pages::Pages;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::SystemTime;

/// A file, folder or link; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ino(pub u64);

/// The folder everything is in.
pub const ROOT: Ino = Ino(1);

/// A change to a file that no sync has made durable yet.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// These bytes were put there.
    Write { at: u64, data: Box<[u8]> },
    /// It was cut or lengthened to this.
    Length(u64),
}

impl Change {
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Change::Write { data, .. } => data.len() as u64,
            Change::Length(_) => 0,
        }
    }

    pub(crate) fn apply(&self, pages: &mut Pages) {
        match self {
            Change::Write { at, data } => pages.write(*at, data),
            Change::Length(len) => pages.set_len(*len),
        }
    }
}

/// A file: as seen, as kept, and the changes in between in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub now: Pages,
    pub kept: Pages,
    pub pending: Vec<(u64, Change)>,
}

impl File {
    /// Makes it durable; returns how many un-synced bytes that were.
    pub fn settle(&mut self) -> u64 {
        let pending = std::mem::take(&mut self.pending);
        let shortest = pending.iter().filter_map(|(_, change)| match change {
            Change::Length(len) => Some(*len),
            Change::Write { .. } => None,
        });
        if let Some(shortest) = shortest.min().filter(|len| *len < self.kept.len()) {
            self.kept.set_len(shortest);
        }
        for (_, change) in &pending {
            if let Change::Write { at, data } = change {
                self.kept.share(&self.now, *at, data.len());
            }
        }
        self.kept.set_len(self.now.len());
        pending.iter().map(|(_, change)| change.bytes()).sum()
    }

    /// Forgets that it was not durable without making it so: what fsync does that fails. What is seen stays as it is.
    pub fn forget_pending(&mut self) -> u64 {
        std::mem::take(&mut self.pending).iter().map(|(_, change)| change.bytes()).sum()
    }
}

pub(crate) type Names = BTreeMap<OsString, Ino>;

/// A folder: as seen and as kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    pub now: Names,
    pub kept: Names,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    File(File),
    Folder(Folder),
    Link(OsString),
}

/// What `stat` says beyond the size. Durable at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meta {
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last read.
    pub accessed: SystemTime,
    /// Last change of the content.
    pub modified: SystemTime,
    /// Last change at all.
    pub changed: SystemTime,
}

impl Meta {
    /// New at this moment.
    pub fn new(mode: u16, (uid, gid): (u32, u32), now: SystemTime) -> Meta {
        Meta { mode, uid, gid, accessed: now, modified: now, changed: now }
    }
}

/// A file, folder or link.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub what: What,
    pub meta: Meta,
    /// Names that lead here, as seen.
    pub links: u32,
    /// Everything that may lead here again: names as seen, as kept and in un-synced changes, and open handles.
    pub refs: u32,
}

/// What kind of thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
}

impl Node {
    pub fn new(what: What, meta: Meta) -> Node {
        Node { what, meta, links: 0, refs: 0 }
    }

    pub fn kind(&self) -> Kind {
        match self.what {
            What::File(_) => Kind::File,
            What::Folder(_) => Kind::Folder,
            What::Link(_) => Kind::Link,
        }
    }
}
