//! The one thread that writes a voter's journal.
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

use nix::fcntl::Flock;
use openraft::storage::LogFlushed;
use tokio::sync::oneshot;

use super::{
    Types,
    files::{number_of, path_of, segments},
    journal::{self, Head, Line},
};

/// Size above which the oldest segments that a snapshot has replaced are deleted.
pub const HISTORY_BYTES_MAX: u64 = 256 << 20;

const BATCH_BYTES_MAX: usize = 4 << 20;

/// For those who have something to write. When the last of them is dropped, what is queued is written, and the folder is free.
#[derive(Clone, Debug)]
pub struct Files {
    thread: Arc<WriterThread>,
}

impl Files {
    /// Starts the thread upon a locked folder, going on where its last segment ends.
    ///
    /// # Errors
    /// Of the file system, or of starting a thread.
    pub fn start(folder: &Path, head: &Head, lock: Flock<File>) -> io::Result<Self> {
        let segment = Segment::open(folder, head)?;
        let (orders, queue) = channel();
        let writer = Writer { folder: folder.to_owned(), segment, failed: None, _lock: lock };
        let thread = thread::Builder::new().name("metadata-log".into()).spawn(move || writer.run(&queue))?;
        Ok(Self { thread: Arc::new(WriterThread { orders: Some(orders), thread: Some(thread) }) })
    }
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
