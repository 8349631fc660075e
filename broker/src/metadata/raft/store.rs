//! openraft's log storage: the journal in memory, its lines on disk.
//!
//! The entries not yet purged are held in memory; the files are read only when the voter starts.

use std::{
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use openraft::{
    AnyError, ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogReader, StorageIOError,
    storage::{LogFlushed, RaftLogStorage},
};

use super::{
    Entry, LogId, StorageError, Types, Vote,
    journal::{self, Journal, Line},
    writer::{Done, Files},
};
use crate::metadata::ids::ControllerId;

/// See the module. Clones share the journal.
#[derive(Clone, Debug)]
pub struct LogStore {
    journal: Arc<RwLock<Journal>>,
    files: Files,
}

impl LogStore {
    /// Upon an opened folder.
    pub fn new(journal: Journal, files: Files) -> Self {
        Self { journal: Arc::new(RwLock::new(journal)), files }
    }

    fn read(&self) -> RwLockReadGuard<'_, Journal> {
        self.journal.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> RwLockWriteGuard<'_, Journal> {
        self.journal.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, line: Line) -> io::Result<Vec<u8>> {
        let bytes = journal::encode(&line)?;
        self.journal().take(line);
        Ok(bytes)
    }

    /// Purges, and gives the bytes of a segment that holds all that is left.
    fn purged_segment(&self, log_id: LogId) -> io::Result<Vec<u8>> {
        let mut journal = self.journal();
        journal.take(Line::Purge(log_id));
        let entries = journal.entries.values().cloned().map(Line::Entry);
        let lines = std::iter::once(Line::Head(journal.head.clone())).chain(entries);
        Ok(lines.map(|line| journal::encode(&line)).collect::<Result<Vec<_>, _>>()?.concat())
    }

    async fn take_and_wait(&self, line: Line) -> io::Result<()> {
        let bytes = self.take(line)?;
        self.files.write_and_wait(bytes).await
    }
}

fn failed(subject: ErrorSubject<ControllerId>) -> impl FnOnce(io::Error) -> StorageError {
    move |error| StorageIOError::new(subject, ErrorVerb::Write, AnyError::new(&error)).into()
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, StorageError> {
        let first = match range.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let journal = self.read();
        let rest = journal.entries.range(first..).map(|(_, entry)| entry);
        Ok(rest.take_while(|entry| range.contains(&entry.log_id.index)).cloned().collect())
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let journal = self.read();
        Ok(LogState { last_purged_log_id: journal.head.purged, last_log_id: journal.last() })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.take_and_wait(Line::Vote(*vote)).await.map_err(failed(ErrorSubject::Vote))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.read().head.vote)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        if let Some(committed) = committed {
            let bytes = self.take(Line::Committed(committed)).map_err(failed(ErrorSubject::Logs))?;
            self.files.write(bytes, Done::Nobody);
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        let journal = self.read();
        Ok(journal.head.committed.min(journal.last()))
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut bytes = Vec::new();
        for entry in entries {
            bytes.extend(self.take(Line::Entry(entry)).map_err(failed(ErrorSubject::Logs))?);
        }
        self.files.write(bytes, Done::Raft(callback));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.take_and_wait(Line::Truncate { since: log_id.index }).await.map_err(failed(ErrorSubject::Log(log_id)))
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let segment = self.purged_segment(log_id).map_err(failed(ErrorSubject::Log(log_id)))?;
        self.files.roll(segment).await.map_err(failed(ErrorSubject::Log(log_id)))
    }
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, EntryPayload};

    use super::*;
    use crate::{
        ids::NodeId,
        metadata::raft::{files, journal::Head},
    };

    fn log_id(index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(1, NodeId(100)), index)
    }

    async fn filled(folder: &std::path::Path, upto: u64) -> LogStore {
        let (journal, files) = files::open(folder).unwrap();
        let store = LogStore::new(journal, files);
        for index in 0..=upto {
            let line = Line::Entry(Entry { log_id: log_id(index), payload: EntryPayload::Blank });
            store.take_and_wait(line).await.unwrap();
        }
        store
    }

    #[tokio::test]
    async fn a_purge_starts_a_segment_that_stands_alone_and_keeps_the_older_ones_for_the_history() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path(), 9).await;
        store.save_vote(&Vote::new(4, NodeId(1))).await.unwrap();
        store.purge(log_id(6)).await.unwrap();
        drop(store);
        let segments = files::segments(folder.path()).unwrap();
        assert_eq!(segments.len(), 2);
        let (all, _) = files::open(folder.path()).unwrap();
        std::fs::remove_file(&segments[0]).unwrap();
        let (alone, _) = files::open(folder.path()).unwrap();
        assert_eq!((&all.head, &all.entries), (&alone.head, &alone.entries));
        let expected = Head { vote: Some(Vote::new(4, NodeId(1))), purged: Some(log_id(6)), committed: None };
        assert_eq!((alone.head, alone.entries.into_keys().collect()), (expected, vec![7, 8, 9]));
    }

    #[tokio::test]
    async fn a_truncated_entry_is_gone_after_a_restart_and_the_one_before_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path(), 5).await;
        store.truncate(log_id(3)).await.unwrap();
        drop(store);
        assert_eq!(files::open(folder.path()).unwrap().0.last(), Some(log_id(2)));
    }

    #[tokio::test]
    async fn a_commit_beyond_the_log_is_read_back_as_the_end_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path(), 2).await;
        store.save_committed(Some(log_id(7))).await.unwrap();
        assert_eq!(store.read_committed().await.unwrap(), Some(log_id(2)));
    }

    #[tokio::test]
    async fn an_empty_range_is_read_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path(), 2).await;
        let read = |entries: Result<Vec<Entry>, StorageError>| entries.unwrap().len();
        assert_eq!(read(store.try_get_log_entries(2..2).await), 0);
        #[expect(clippy::reversed_empty_ranges, reason = "must not panic")]
        let reversed = store.try_get_log_entries(2..1).await;
        assert_eq!(read(reversed), 0);
        assert_eq!(read(store.try_get_log_entries(1..=2).await), 2);
        assert_eq!(read(store.try_get_log_entries(..).await), 3);
    }
}
