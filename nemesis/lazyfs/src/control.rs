//! Orders to a file system that serves, one JSON value a line over a socket in the file system, and the process that obeys.
//!
//! **Invariants:** one order at a time; each is answered once, when it was done. What is changed behind the kernel's back is
//! told to it before the answer. A socket's path may be of any length: it is reached through its folder's descriptor.

use crate::copy;
use crate::gate::Gate;
use crate::later::Later;
use crate::node::{Ino, Meta, ROOT, What};
use crate::server::Lazy;
use crate::tree::{NameRule, Tree};
use fuser::{Config, INodeNo, Notifier, Session, SessionACL};
use nemesis::disk::{Damage, DiskCounts, DiskFault, Loss};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const LINE_BYTES_MAX: u64 = 1 << 20;

/// What a file system is told to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum Order {
    /// Do this wrong from now on.
    Break {
        /// What.
        fault: DiskFault,
    },
    /// Do nothing wrong any more; what hangs is done and answered.
    Mend,
    /// Lose what was not synced.
    LosePower {
        /// How much of it.
        loss: Loss,
        /// Chooses.
        seed: u64,
    },
    /// Lose everything.
    Wipe,
    /// Everything is durable as it is.
    Checkpoint,
    /// Say what was counted.
    Count,
    /// Write everything that is seen into this folder, in place of what it holds.
    WriteOut {
        /// Where; absolute.
        to: PathBuf,
    },
    /// End.
    End,
}

/// The answer to an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "kebab-case")]
pub enum Told {
    /// It was done.
    Done,
    /// What was lost.
    Lost(Damage),
    /// What was counted.
    Counted(DiskCounts),
    /// It could not be done.
    Failed {
        /// Why.
        why: String,
    },
}

/// A file system did not do what it was ordered.
#[derive(Debug)]
pub enum ClientError {
    /// It cannot be reached, or did not answer in time.
    Io(io::Error),
    /// It says that it failed.
    Failed(String),
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClientError::Io(error) => write!(f, "the file system in memory does not answer: {error}"),
            ClientError::Failed(why) => write!(f, "the file system in memory: {why}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> ClientError {
        ClientError::Io(error)
    }
}

/// Gives `use_path` a path to `socket` that is short enough for a socket's address.
fn through_folder<T>(socket: &Path, use_path: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let name = socket.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = File::open(socket.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    use_path(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

/// Whoever gives orders.
#[derive(Debug)]
pub struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects; each answer may take `patience`.
    pub fn connect(socket: &Path, patience: Duration) -> io::Result<Client> {
        let stream = through_folder(socket, |path| UnixStream::connect(path))?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Client(BufReader::new(stream)))
    }

    /// Gives an order and waits until it was obeyed. A failure to answer ends the conversation.
    pub fn order(&mut self, order: &Order) -> Result<Told, ClientError> {
        let mut line = serde_json::to_vec(order).map_err(io::Error::from)?;
        line.push(b'\n');
        self.0.get_mut().write_all(&line)?;
        match read_line(&mut self.0)?.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))? {
            Told::Failed { why } => Err(ClientError::Failed(why)),
            told => Ok(told),
        }
    }

    /// What was counted.
    pub fn counts(&mut self) -> Result<DiskCounts, ClientError> {
        match self.order(&Order::Count)? {
            Told::Counted(counts) => Ok(counts),
            other => Err(ClientError::Failed(format!("it answered {other:?}"))),
        }
    }

    /// What a power loss, or a wipe, has cost.
    pub fn lose(&mut self, order: &Order) -> Result<Damage, ClientError> {
        match self.order(order)? {
            Told::Lost(damage) => Ok(damage),
            other => Err(ClientError::Failed(format!("it answered {other:?}"))),
        }
    }
}

fn read_line<T: for<'a> Deserialize<'a>>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&line)?)) }
}

/// What a file system is started with.
#[derive(Clone, Debug)]
pub struct Start {
    /// Where it takes orders; removed at the end.
    pub socket: PathBuf,
    /// The folder it reads in.
    pub from: PathBuf,
    /// When a name becomes durable.
    pub rule: NameRule,
    /// Chooses which reads and writes fail.
    pub seed: u64,
}

/// Serves a mounted file system whose descriptor is `fuse` until it is told to end, its mount is gone, or nobody can order
/// it any more.
pub fn serve(start: &Start, fuse: OwnedFd) -> io::Result<()> {
    let root = std::fs::metadata(&start.from)?;
    use std::os::unix::fs::MetadataExt;
    let meta = Meta::new((root.mode() & 0o7777) as u16, (root.uid(), root.gid()), SystemTime::now());
    let mut tree = Tree::new(start.rule, meta);
    copy::read_in(&mut tree, &start.from)?;
    let lazy = Lazy::new(tree, Gate::new(start.seed), Later::start()?);
    let listener = through_folder(&start.socket, |path| UnixListener::bind(path))?;
    let session = Session::from_fd(lazy.clone(), fuse, SessionACL::All, Config::default())?.spawn()?;
    let kernel = Kernel { lazy, notifier: session.notifier() };
    for stream in listener.incoming() {
        // One that breaks off is followed by the next.
        if kernel.obey_all(stream?).unwrap_or(false) {
            break;
        }
    }
    std::fs::remove_file(&start.socket)
}

/// The file system and the kernel that has to be told.
struct Kernel {
    lazy: Lazy,
    notifier: Notifier,
}

impl Kernel {
    /// True if it was told to end.
    fn obey_all(&self, stream: UnixStream) -> io::Result<bool> {
        let mut reader = BufReader::new(stream);
        while let Some(order) = read_line(&mut reader)? {
            let end = order == Order::End;
            let told = self.obey(order).unwrap_or_else(|error| Told::Failed { why: error.to_string() });
            let mut line = serde_json::to_vec(&told)?;
            line.push(b'\n');
            reader.get_mut().write_all(&line)?;
            if end {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn obey(&self, order: Order) -> io::Result<Told> {
        match order {
            Order::Break { fault } => {
                self.lazy.state().gate.set(Some(fault));
                if matches!(fault, DiskFault::ReadsFail { .. } | DiskFault::Slow { .. }) {
                    // What the kernel keeps in memory would be read without a disk.
                    self.drop_caches();
                }
            }
            Order::Mend => self.mend(),
            Order::Checkpoint => {
                self.drop_caches();
                self.lazy.state().tree.checkpoint();
            }
            Order::LosePower { loss, seed } => {
                let mut rng = Pcg64Mcg::seed_from_u64(seed);
                let damage = self.lose(|tree| tree.lose_power(loss, &mut rng));
                return Ok(Told::Lost(Damage { syncs: self.lazy.state().gate.syncs_done(), ..damage }));
            }
            Order::Wipe => return Ok(Told::Lost(self.lose(Tree::wipe))),
            Order::Count => return Ok(Told::Counted(self.lazy.state().gate.counts())),
            Order::WriteOut { to } => {
                self.drop_caches();
                let tree = self.lazy.state().tree.clone();
                copy::write_out(&tree, &to)?;
            }
            Order::End => self.mend(),
        }
        Ok(Told::Done)
    }

    fn mend(&self) {
        self.lazy.state().gate.set(None);
        self.lazy.let_go();
    }

    /// Pages that a mapping has changed are still with the kernel: they come first, or they would come back later.
    fn lose(&self, loss: impl FnOnce(&mut Tree) -> Damage) -> Damage {
        self.drop_caches();
        let before = names(&self.lazy.state().tree);
        let damage = {
            let mut state = self.lazy.state();
            state.epoch += 1;
            loss(&mut state.tree)
        };
        self.drop_caches();
        let after = names(&self.lazy.state().tree);
        for (folder, name) in before.union(&after) {
            let _ = self.notifier.inval_entry(INodeNo(folder.0), name);
        }
        damage
    }

    fn drop_caches(&self) {
        let inos: Vec<Ino> = self.lazy.state().tree.nodes.keys().copied().collect();
        for ino in inos {
            let _ = self.notifier.inval_inode(INodeNo(ino.0), 0, 0);
        }
    }
}

/// Every name, with the folder it is in.
fn names(tree: &Tree) -> BTreeSet<(Ino, OsString)> {
    let mut found = BTreeSet::new();
    let mut folders = vec![ROOT];
    while let Some(ino) = folders.pop() {
        if let Some(What::Folder(folder)) = tree.nodes.get(&ino).map(|node| &node.what) {
            found.extend(folder.now.keys().map(|name| (ino, name.clone())));
            folders.extend(folder.now.values());
        }
    }
    found
}
