//! A voter's folder: segments of the journal, and the one thread that writes them.
//!
//! `__cluster_metadata-0/NNNNNNNNNNNNNNNNNNNN.log`, numbered in the order written. A new segment begins when a snapshot has replaced
//! entries; it repeats what is left, so that it needs none of the older ones. They stay, for they are the history of the run, until all
//! together exceed [`HISTORY_BYTES_MAX`].
//!
//! **Invariant:** whoever waits for a write is told after fdatasync. Writes that queue up meanwhile share the next one. After a failed
//! write or sync every later one fails too: what the kernel has dropped cannot be known.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use nix::fcntl::{Flock, FlockArg};
use openraft::storage::LogFlushed;
use thiserror::Error;
use tokio::sync::oneshot;

use super::{
    Types,
    journal::{self, Head, Journal, JournalError, Line},
};

/// Size above which the oldest segments that a snapshot has replaced are deleted.
pub const HISTORY_BYTES_MAX: u64 = 256 << 20;

const BATCH_BYTES_MAX: usize = 4 << 20;

/// Why a folder cannot be used.
#[derive(Debug, Error)]
pub enum FilesError {
    /// The file system refuses.
    #[error("{path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{path}: the folder is in use by another process")]
    InUse {
        /// The lock.
        path: PathBuf,
    },
    /// A file's contents make no sense.
    #[error("{path}: {source}")]
    Journal {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: JournalError,
    },
    /// The snapshot that replaced purged entries is missing or damaged.
    #[error("{path}: the snapshot of entry {index} is missing or damaged")]
    Snapshot {
        /// The folder.
        path: PathBuf,
        /// Up to which entry it must reach.
        index: u64,
    },
}

impl FilesError {
    /// Says where an I/O error happened.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The segments of a folder in the order they were written.
///
/// # Errors
/// [`FilesError::Io`].
pub fn segments(folder: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(FilesError::at(folder))? {
        let path = entry.map_err(FilesError::at(folder))?.path();
        let numbered = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.parse::<u64>().is_ok());
        if numbered && path.extension().is_some_and(|extension| extension == "log") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// All sound lines.
    pub lines: Vec<Line>,
    /// The last segment, if its end is torn, and the byte where the tear begins.
    pub torn: Option<(PathBuf, usize)>,
}

/// All lines of a folder; changes nothing.
///
/// # Errors
/// [`FilesError`].
pub fn read(folder: &Path) -> Result<Contents, FilesError> {
    let segments = segments(folder)?;
    let mut contents = Contents::default();
    for path in &segments {
        let bytes = fs::read(path).map_err(FilesError::at(path))?;
        let (lines, end) = journal::lines(&bytes);
        contents.lines.extend(lines);
        match end {
            Ok(()) => {}
            Err(JournalError::Torn { at }) if Some(path) == segments.last() => {
                contents.torn = Some((path.clone(), at));
            }
            Err(source) => return Err(FilesError::Journal { path: path.clone(), source }),
        }
    }
    Ok(contents)
}

/// Opens (or makes) a folder: what it adds up to, and its writer. Cuts a torn end off.
///
/// # Errors
/// [`FilesError`].
pub fn open(folder: &Path) -> Result<(Journal, Files), FilesError> {
    fs::create_dir_all(folder).map_err(FilesError::at(folder))?;
    let lock = lock(folder)?;
    let Contents { lines, torn } = read(folder)?;
    if let Some((path, at)) = torn {
        cut(&path, at).map_err(FilesError::at(&path))?;
    }
    let mut journal = Journal::default();
    lines.into_iter().for_each(|line| journal.take(line));
    journal.check().map_err(|source| FilesError::Journal { path: folder.to_owned(), source })?;
    let segment = Segment::open(folder, &journal.head).map_err(FilesError::at(folder))?;
    let (orders, queue) = channel();
    let writer = Writer { folder: folder.to_owned(), segment, failed: None, _lock: lock };
    let spawned = thread::Builder::new().name("metadata-log".into()).spawn(move || writer.run(&queue));
    let thread = spawned.map_err(FilesError::at(folder))?;
    Ok((journal, Files { thread: Arc::new(WriterThread { orders: Some(orders), thread: Some(thread) }) }))
}

fn lock(folder: &Path) -> Result<Flock<File>, FilesError> {
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(FilesError::at(&path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| FilesError::InUse { path })
}

fn cut(path: &Path, at: usize) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(at as u64)?;
    file.sync_all()
}

/// For those who have something to write. When the last of them is dropped, what is queued is written, and the folder is free.
#[derive(Clone, Debug)]
pub struct Files {
    thread: Arc<WriterThread>,
}

#[derive(Debug)]
struct WriterThread {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

enum Order {
    Write(Vec<u8>, Done),
    Roll(Vec<u8>, oneshot::Sender<io::Result<()>>),
}

/// Whom to tell that bytes are on the disk.
pub enum Done {
    /// Nobody waits, and nobody relies on it: not synced for its own sake.
    Nobody,
    /// openraft, for appended entries.
    Raft(LogFlushed<Types>),
    /// A task.
    Task(oneshot::Sender<io::Result<()>>),
}

impl Files {
    /// Queues a line.
    pub fn write(&self, bytes: Vec<u8>, done: Done) {
        if let Some(Order::Write(_, done)) = self.order(Order::Write(bytes, done)) {
            done.tell(Err(ended()));
        }
    }

    /// Queues an order; gives it back if the thread has ended.
    fn order(&self, order: Order) -> Option<Order> {
        match &self.thread.orders {
            Some(orders) => orders.send(order).err().map(|refused| refused.0),
            None => Some(order),
        }
    }

    /// Writes a line and waits until it is on the disk.
    ///
    /// # Errors
    /// Of writing, syncing, or any such error before.
    pub async fn write_and_wait(&self, bytes: Vec<u8>) -> io::Result<()> {
        let (done, told) = oneshot::channel();
        self.write(bytes, Done::Task(done));
        told.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Begins a new segment with lines that make all older ones superfluous; of those, deletes the oldest beyond [`HISTORY_BYTES_MAX`].
    ///
    /// # Errors
    /// As [`Files::write_and_wait`].
    pub async fn roll(&self, lines: Vec<u8>) -> io::Result<()> {
        let (done, told) = oneshot::channel();
        if self.order(Order::Roll(lines, done)).is_some() {
            return Err(ended());
        }
        told.await.unwrap_or_else(|_| Err(ended()))
    }
}

fn ended() -> io::Error {
    io::Error::other("the metadata log's writer has ended")
}

impl Done {
    fn tell(self, result: io::Result<()>) {
        match self {
            Self::Nobody => {}
            Self::Raft(flushed) => flushed.log_io_completed(result),
            Self::Task(waiting) => drop(waiting.send(result)),
        }
    }
}

struct Segment {
    file: File,
    number: u64,
}

impl Segment {
    /// The last segment, or a first one.
    fn open(folder: &Path, head: &Head) -> io::Result<Self> {
        let last = segments(folder).map_err(io::Error::other)?.into_iter().next_back();
        let number = last.as_deref().and_then(number_of);
        match number {
            Some(number) => Ok(Self { file: OpenOptions::new().append(true).open(path_of(folder, number))?, number }),
            None => Self::create(folder, 0, &journal::encode(&Line::Head(head.clone()))?),
        }
    }

    fn create(folder: &Path, number: u64, lines: &[u8]) -> io::Result<Self> {
        let path = path_of(folder, number);
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(lines)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(Self { file, number })
    }
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.log"))
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

struct Writer {
    folder: PathBuf,
    segment: Segment,
    failed: Option<String>,
    _lock: Flock<File>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Order>) {
        let mut held = None;
        while let Some(order) = held.take().or_else(|| queue.recv().ok()) {
            match order {
                Order::Write(bytes, done) => held = self.write_many(bytes, done, queue),
                Order::Roll(lines, done) => {
                    let result = self.guarded(|writer| writer.roll(&lines));
                    drop(done.send(result));
                }
            }
        }
    }

    /// Writes and syncs what is queued; gives back an order of another kind that ended the batch.
    fn write_many(&mut self, mut bytes: Vec<u8>, done: Done, queue: &Receiver<Order>) -> Option<Order> {
        let mut waiting = vec![done];
        let mut other = None;
        while bytes.len() < BATCH_BYTES_MAX && other.is_none() {
            match queue.try_recv() {
                Ok(Order::Write(more, done)) => {
                    bytes.extend_from_slice(&more);
                    waiting.push(done);
                }
                Ok(order) => other = Some(order),
                Err(_) => break,
            }
        }
        let awaited = waiting.iter().any(|done| !matches!(done, Done::Nobody));
        let result = self.guarded(|writer| {
            writer.segment.file.write_all(&bytes)?;
            if awaited { writer.segment.file.sync_data() } else { Ok(()) }
        });
        let failure = result.err().map(|error| error.to_string());
        for done in waiting {
            done.tell(failure.as_ref().map_or(Ok(()), |failure| Err(io::Error::other(failure.clone()))));
        }
        other
    }

    fn guarded(&mut self, act: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        if let Some(failed) = &self.failed {
            return Err(io::Error::other(failed.clone()));
        }
        let result = act(self);
        self.failed = result.as_ref().err().map(|error| format!("the metadata log failed: {error}"));
        result
    }

    fn roll(&mut self, lines: &[u8]) -> io::Result<()> {
        self.segment.file.sync_all()?;
        self.segment = Segment::create(&self.folder, self.segment.number + 1, lines)?;
        self.delete_oldest()
    }

    fn delete_oldest(&self) -> io::Result<()> {
        let mut total = 0;
        for path in segments(&self.folder).map_err(io::Error::other)?.iter().rev() {
            total += fs::metadata(path)?.len();
            if total > HISTORY_BYTES_MAX && number_of(path) != Some(self.segment.number) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, EntryPayload};

    use super::*;
    use crate::metadata::{
        ids::ControllerId,
        raft::{Entry, LogId, Vote},
    };

    fn entry(index: u64) -> Vec<u8> {
        let log_id = LogId::new(CommittedLeaderId::new(1, ControllerId(100)), index);
        journal::encode(&Line::Entry(Entry { log_id, payload: EntryPayload::Blank })).unwrap()
    }

    async fn write(folder: &Path, lines: &[Vec<u8>]) {
        let (_, files) = open(folder).unwrap();
        for line in lines {
            files.write_and_wait(line.clone()).await.unwrap();
        }
    }

    fn indexes(folder: &Path) -> Vec<u64> {
        open(folder).unwrap().0.entries.keys().copied().collect()
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let vote = Vote::new(2, ControllerId(7));
        write(folder.path(), &[entry(0), journal::encode(&Line::Vote(vote)).unwrap(), entry(1)]).await;
        let (journal, _) = open(folder.path()).unwrap();
        assert_eq!((journal.head.vote, journal.entries.len()), (Some(vote), 2));
    }

    #[tokio::test]
    async fn a_torn_end_is_cut_off_and_the_log_goes_on_after_it() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[entry(0), entry(1)]).await;
        let path = path_of(folder.path(), 0);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert_eq!(indexes(folder.path()), [0]);
        write(folder.path(), &[entry(1), entry(2)]).await;
        assert_eq!(indexes(folder.path()), [0, 1, 2]);
    }

    #[tokio::test]
    async fn damage_before_the_end_is_refused_with_file_and_byte() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[entry(0), entry(1)]).await;
        let path = path_of(folder.path(), 0);
        let mut bytes = fs::read(&path).unwrap();
        bytes[30] ^= 1;
        fs::write(&path, bytes).unwrap();
        let refused = open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("00000000000000000000.log") && refused.contains("damaged at byte 0"), "{refused}");
    }

    #[tokio::test]
    async fn a_new_segment_starts_with_what_the_old_ones_add_up_to() {
        let folder = tempfile::tempdir().unwrap();
        let (_, files) = open(folder.path()).unwrap();
        files.write_and_wait(entry(0)).await.unwrap();
        let head = Head { vote: Some(Vote::new(5, ControllerId(7))), ..Head::default() };
        files.roll(journal::encode(&Line::Head(head.clone())).unwrap()).await.unwrap();
        files.write_and_wait(entry(1)).await.unwrap();
        drop(files);
        let (journal, _files) = open(folder.path()).unwrap();
        assert_eq!((journal.head, journal.entries.len()), (head, 2));
        assert!(matches!(open(folder.path()), Err(FilesError::InUse { .. })));
        assert_eq!(segments(folder.path()).unwrap().len(), 2);
    }
}
