//! A voter's folder: segments of the journal, read once when it starts.
//!
//! `__cluster_metadata-0/NNNNNNNNNNNNNNNNNNNN.log`, numbered in the order written. A new segment begins when a snapshot has replaced
//! entries; it repeats what is left, so that it needs none of the older ones. They stay, for they are the history of the run, until all
//! together exceed [`HISTORY_BYTES_MAX`](super::writer::HISTORY_BYTES_MAX).
//!
//! Writing them is [`super::writer`].

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;

use super::{
    journal::{self, Journal, JournalError, Line},
    writer::Files,
};

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
    let files = Files::start(folder, &journal.head, lock).map_err(FilesError::at(folder))?;
    Ok((journal, files))
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

/// Where a segment is.
pub fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.log"))
}

/// Which segment a file is.
pub fn number_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, EntryPayload};

    use super::*;
    use crate::metadata::{
        ids::ControllerId,
        raft::{Entry, LogId, Vote, journal::Head},
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
