//! A node's log folder: whose it is, how it was left, the checkpoints in it and the replicas' folders.
//!
//! ```text
//! .lock                              held while a process uses the folder
//! meta.properties                    cluster and node
//! .kafka_cleanshutdown               left by an orderly stop, with the broker epoch; taken away at the start
//! replication-offset-checkpoint      high watermarks
//! recovery-point-offset-checkpoint   what has been synced
//! log-start-offset-checkpoint        log starts
//! cleaner-offset-checkpoint          what has been compacted
//! topic-0/partition.metadata         the topic's id
//! ```
//!
//! **Invariants.** One process a folder. A folder of another node or cluster is refused. The mark of a clean stop is gone
//! before anything else changes, so a later kill is seen as one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;
use uuid::Uuid;

use crate::ids::{BrokerEpoch, NodeId, Offset, TopicPartition};
use crate::log::checkpoint::{
    CLEANER_FILE, CheckpointError, HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE, read_offsets,
    write_offsets,
};
use crate::log::identity::{CleanShutdown, FolderIdentity, read_topic_id, write_topic_id};
use crate::log::{LogError, Stop};
use crate::metadata::TopicId;

const LOCK: &str = ".lock";

/// Why a log folder cannot be used.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the fields are named in the messages")]
pub enum StorageError {
    /// Another process uses it.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// It is somebody else's.
    #[error("{folder} belongs to node {node} of cluster {cluster}")]
    Foreign { folder: PathBuf, node: NodeId, cluster: String },
    /// One of its small files makes no sense.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] LogError),
}

/// What the checkpoints say of one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// Committed up to here, as far as was known.
    pub high_watermark: Offset,
    /// Synced up to here.
    pub recovery_point: Offset,
    /// Records before are deleted.
    pub log_start: Offset,
    /// Compacted up to here.
    pub clean_until: Offset,
}

type Part = fn(&Checkpoints) -> Offset;

const PARTS: [(&str, Part); 4] = [
    (HIGH_WATERMARK_FILE, |known| known.high_watermark),
    (RECOVERY_POINT_FILE, |known| known.recovery_point),
    (LOG_START_FILE, |known| known.log_start),
    (CLEANER_FILE, |known| known.clean_until),
];

/// See the module.
#[derive(Debug)]
pub struct Storage {
    root: PathBuf,
    stop: Stop,
    previous_epoch: Option<BrokerEpoch>,
    known: BTreeMap<TopicPartition, Checkpoints>,
    written: Mutex<BTreeMap<TopicPartition, Checkpoints>>,
    _lock: Flock<File>,
}

impl Storage {
    /// Takes a folder into use, created if it is not there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn open(root: &Path, cluster: &str, node: NodeId) -> Result<Storage, StorageError> {
        fs::create_dir_all(root).map_err(io_error("create", root))?;
        let lock = lock(root)?;
        claim(root, cluster, node)?;
        // A mark that cannot be read proves nothing.
        let left = CleanShutdown::read(root).unwrap_or_default();
        let known = read_checkpoints(root)?;
        CleanShutdown::take_away(root)?;
        Ok(Storage {
            root: root.to_owned(),
            stop: if left.is_some() { Stop::Clean } else { Stop::Unclean },
            previous_epoch: left.map(|left| BrokerEpoch(left.broker_epoch)).filter(|epoch| epoch.0 >= 0),
            known,
            written: Mutex::default(),
            _lock: lock,
        })
    }

    /// How the last process left it.
    pub fn stop(&self) -> Stop {
        self.stop
    }

    /// The broker epoch of the process that last stopped in order.
    pub fn previous_epoch(&self) -> Option<BrokerEpoch> {
        self.previous_epoch
    }

    /// What the checkpoints said of a replica at the start.
    pub fn known(&self, id: &TopicPartition) -> Checkpoints {
        self.known.get(id).copied().unwrap_or_default()
    }

    /// Where a replica's files are.
    pub fn folder(&self, id: &TopicPartition) -> PathBuf {
        self.root.join(id.to_string())
    }

    /// The folders of replicas and whose they are. Left-overs of unfinished creations and deletions are removed.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn found(&self) -> Result<Vec<(TopicPartition, TopicId)>, StorageError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(io_error("list", &self.root))? {
            let path = entry.map_err(io_error("list", &self.root))?.path();
            if !path.is_dir() {
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with("-delete") {
                fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
            } else if let (Some(id), Some(topic)) = (replica_of(name), read_topic_id(&path)?) {
                found.push((id, TopicId(topic)));
            }
        }
        Ok(found)
    }

    /// Makes an empty folder for a new replica.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn create(&self, id: &TopicPartition, topic: TopicId) -> Result<(), LogError> {
        let folder = self.folder(id);
        if folder.exists() {
            self.remove(id)?;
        }
        fs::create_dir(&folder).map_err(io_error("create", &folder))?;
        write_topic_id(&folder, topic.0)
    }

    /// Removes a replica's folder.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn remove(&self, id: &TopicPartition) -> Result<(), LogError> {
        let folder = self.folder(id);
        let marked = self.root.join(format!("{id}.{}-delete", Uuid::new_v4().simple()));
        fs::rename(&folder, &marked).map_err(io_error("rename", &folder))?;
        fs::remove_dir_all(&marked).map_err(io_error("remove", &marked))
    }

    /// Writes the checkpoints, if they differ from those written last.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn checkpoint(&self, now: BTreeMap<TopicPartition, Checkpoints>) -> Result<(), LogError> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, part) in PARTS {
            if !now.iter().map(|(id, known)| (id, part(known))).eq(written.iter().map(|(id, known)| (id, part(known))))
            {
                let offsets: Vec<_> = now.iter().map(|(id, known)| (id, part(known))).collect();
                write_offsets(&self.root.join(file), offsets.into_iter())?;
            }
        }
        *written = now;
        Ok(())
    }

    /// Marks the folder as left in order by this incarnation. Nothing may be written after it.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn left_clean(&self, epoch: Option<BrokerEpoch>) -> Result<(), LogError> {
        CleanShutdown::of(epoch.map_or(-1, |epoch| epoch.0)).write(&self.root)
    }
}

fn lock(root: &Path) -> Result<Flock<File>, StorageError> {
    let path = root.join(LOCK);
    let file = File::options().create(true).append(true).open(&path).map_err(io_error("open", &path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| StorageError::InUse(root.to_owned()))
}

fn claim(root: &Path, cluster: &str, node: NodeId) -> Result<(), StorageError> {
    let Some(owner) = FolderIdentity::read(root)? else {
        let directory_id = Some(Uuid::new_v4());
        return Ok(FolderIdentity { cluster_id: cluster.to_owned(), node_id: node, directory_id }.write(root)?);
    };
    if (owner.cluster_id.as_str(), owner.node_id) == (cluster, node) {
        return Ok(());
    }
    Err(StorageError::Foreign { folder: root.to_owned(), node: owner.node_id, cluster: owner.cluster_id })
}

fn read_checkpoints(root: &Path) -> Result<BTreeMap<TopicPartition, Checkpoints>, StorageError> {
    let mut known: BTreeMap<TopicPartition, Checkpoints> = BTreeMap::new();
    for (id, offset) in read_offsets(&root.join(HIGH_WATERMARK_FILE))? {
        known.entry(id).or_default().high_watermark = offset;
    }
    for (id, offset) in read_offsets(&root.join(RECOVERY_POINT_FILE))? {
        known.entry(id).or_default().recovery_point = offset;
    }
    for (id, offset) in read_offsets(&root.join(LOG_START_FILE))? {
        known.entry(id).or_default().log_start = offset;
    }
    for (id, offset) in read_offsets(&root.join(CLEANER_FILE))? {
        known.entry(id).or_default().clean_until = offset;
    }
    Ok(known)
}

fn replica_of(name: &str) -> Option<TopicPartition> {
    let (topic, index) = name.rsplit_once('-')?;
    let index = index.parse().ok().filter(|index| *index >= 0)?;
    Some(TopicPartition { topic: topic.to_owned(), index })
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = "c";

    fn id(index: i32) -> TopicPartition {
        TopicPartition { topic: "a-b".to_owned(), index }
    }

    #[test]
    fn a_folder_serves_one_process_of_one_node() {
        let folder = tempfile::tempdir().unwrap();
        let open = |node| Storage::open(folder.path(), CLUSTER, NodeId(node));
        let storage = open(1).unwrap();
        assert!(matches!(open(1), Err(StorageError::InUse(_))));
        drop(storage);
        assert!(matches!(open(2), Err(StorageError::Foreign { .. })));
        assert!(open(1).is_ok());
    }

    #[test]
    fn a_clean_stop_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Storage::open(folder.path(), CLUSTER, NodeId(1)).unwrap();
        open().left_clean(Some(BrokerEpoch(7))).unwrap();
        let (stop, epoch) = {
            let storage = open();
            (storage.stop(), storage.previous_epoch())
        };
        assert_eq!((stop, epoch), (Stop::Clean, Some(BrokerEpoch(7))));
        assert_eq!(open().stop(), Stop::Unclean);
    }

    #[test]
    fn replicas_and_checkpoints_are_found_again_and_removed_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (topic, known) =
            (TopicId(Uuid::from_u128(5)), Checkpoints { high_watermark: Offset(4), ..Checkpoints::default() });
        {
            let storage = Storage::open(folder.path(), CLUSTER, NodeId(1)).unwrap();
            storage.create(&id(0), topic).unwrap();
            storage.create(&id(1), topic).unwrap();
            storage.remove(&id(1)).unwrap();
            fs::create_dir(folder.path().join("torn-0")).unwrap();
            storage.checkpoint(BTreeMap::from([(id(0), known)])).unwrap();
        }
        let storage = Storage::open(folder.path(), CLUSTER, NodeId(1)).unwrap();
        assert_eq!(storage.found().unwrap(), [(id(0), topic)]);
        assert_eq!((storage.known(&id(0)), storage.known(&id(1))), (known, Checkpoints::default()));
    }
}
