//! openraft's state machine: applies committed proposals to the image, publishes it, reports what happened.
//!
//! **Invariant:** a proposal decided upon another version than the image has does not take effect ([`Outcome::Conflict`]); so what reaches
//! the log late, from a controller deposed meanwhile, is harmless on every voter alike.

use std::{
    io::{self, Cursor},
    path::PathBuf,
    sync::Arc,
};

use openraft::{
    AnyError, EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError,
    storage::RaftStateMachine,
};
use tokio::{sync::watch, task::spawn_blocking};

use super::{
    Entry, LogId, Membership, Outcome, SnapshotMeta, StorageError, Types,
    snapshot::{self, SavedImage},
};
use crate::metadata::{
    apply::apply_batch,
    event::{self, Events},
    ids::Version,
    image::ClusterImage,
    quorum::{Committed, RECENT_BATCHES_MAX},
    record::{CommittedBatch, Proposal},
};

/// See the module.
pub struct Machine {
    folder: PathBuf,
    applied: Option<LogId>,
    membership: Membership,
    committed: watch::Sender<Committed>,
    events: Events,
    /// Entries up to here were reported before the last restart.
    reported: u64,
}

impl Machine {
    /// A machine in the state of a snapshot, if there is one. Entries up to `reported` are applied without a report.
    pub fn new(
        folder: PathBuf,
        saved: SavedImage,
        reported: u64,
        committed: watch::Sender<Committed>,
        events: Events,
    ) -> Self {
        committed.send_replace(Committed { image: Arc::new(saved.image), recent: Default::default() });
        let SnapshotMeta { last_log_id, last_membership, .. } = saved.meta;
        Self { folder, applied: last_log_id, membership: last_membership, committed, events, reported }
    }

    fn take(&mut self, image: &mut ClusterImage, recent: &mut Vec<Arc<CommittedBatch>>, entry: Entry) -> Outcome {
        let place = entry.log_id;
        self.applied = Some(place);
        match entry.payload {
            EntryPayload::Blank => Outcome::Nothing,
            EntryPayload::Membership(membership) => {
                self.membership = Membership::new(Some(place), membership);
                Outcome::Nothing
            }
            EntryPayload::Normal(proposal) if proposal.base != image.version => Outcome::Conflict(image.version),
            EntryPayload::Normal(Proposal { base, stamp, records }) => {
                let batch = CommittedBatch { version: Version(place.index), base, stamp, records };
                self.report(image, &batch);
                apply_batch(image, &batch);
                recent.push(Arc::new(batch));
                Outcome::Applied(image.version)
            }
        }
    }

    fn report(&self, before: &ClusterImage, batch: &CommittedBatch) {
        if batch.version.0 > self.reported {
            event::of_batch(before, batch).iter().for_each(|event| self.events.event(event));
        }
    }

    fn saved(&self) -> SavedImage {
        let image = ClusterImage::clone(&self.committed.borrow().image);
        let place = self.applied.map_or_else(String::new, |place| place.to_string());
        let meta =
            SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone(), snapshot_id: place };
        SavedImage { meta, image }
    }
}

fn failed(error: impl Into<io::Error>) -> StorageError {
    StorageIOError::new(ErrorSubject::Snapshot(None), ErrorVerb::Write, AnyError::new(&error.into())).into()
}

async fn save(folder: PathBuf, saved: SavedImage) -> io::Result<()> {
    let written = spawn_blocking(move || snapshot::save(&folder, &saved)).await;
    written.unwrap_or_else(|ended| Err(io::Error::other(ended)))
}

fn handed_over(saved: &SavedImage) -> io::Result<Snapshot<Types>> {
    let json = serde_json::to_vec(&saved.image)?;
    Ok(Snapshot { meta: saved.meta.clone(), snapshot: Box::new(Cursor::new(json)) })
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcome>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut image = ClusterImage::clone(&self.committed.borrow().image);
        let mut fresh = Vec::new();
        let outcomes = entries.into_iter().map(|entry| self.take(&mut image, &mut fresh, entry)).collect();
        if !fresh.is_empty() {
            self.committed.send_modify(|committed| {
                committed.image = Arc::new(image);
                committed.recent.extend(fresh);
                let excess = committed.recent.len().saturating_sub(RECENT_BATCHES_MAX);
                committed.recent.drain(..excess);
            });
        }
        Ok(outcomes)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder { folder: self.folder.clone(), saved: self.saved() }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let image: ClusterImage = serde_json::from_slice(snapshot.get_ref()).map_err(failed)?;
        save(self.folder.clone(), SavedImage { meta: meta.clone(), image: image.clone() }).await.map_err(failed)?;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.committed.send_replace(Committed { image: Arc::new(image), recent: Default::default() });
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        let folder = self.folder.clone();
        let loaded = spawn_blocking(move || snapshot::load(&folder)).await;
        let loaded = loaded.unwrap_or_else(|ended| Err(io::Error::other(ended))).map_err(failed)?;
        loaded.as_ref().map(handed_over).transpose().map_err(failed)
    }
}

/// Writes the snapshot of one moment.
pub struct Builder {
    folder: PathBuf,
    saved: SavedImage,
}

impl RaftSnapshotBuilder<Types> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        save(self.folder.clone(), self.saved.clone()).await.map_err(failed)?;
        handed_over(&self.saved).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use openraft::CommittedLeaderId;

    use super::*;
    use crate::metadata::{event::Unheard, ids::ControllerId, record::MetadataRecord, stamp::Stamp};

    fn proposal(index: u64, base: u64, next: i64) -> Entry {
        let log_id = LogId::new(CommittedLeaderId::new(1, ControllerId(100)), index);
        let records = vec![MetadataRecord::ProducerIds { next }];
        let proposal = Proposal { base: Version(base), stamp: Stamp::default(), records };
        Entry { log_id, payload: EntryPayload::Normal(proposal) }
    }

    fn machine(folder: &std::path::Path) -> (Machine, watch::Receiver<Committed>) {
        let (committed, watching) = watch::channel(Committed::default());
        (Machine::new(folder.to_owned(), SavedImage::default(), 0, committed, Arc::new(Unheard)), watching)
    }

    #[tokio::test]
    async fn what_was_decided_upon_an_older_image_has_no_effect() {
        let folder = tempfile::tempdir().unwrap();
        let (mut machine, watching) = machine(folder.path());
        let entries = [proposal(2, 0, 1000), proposal(3, 0, 5), proposal(5, 2, 2000), proposal(6, 3, 7)];
        let outcomes = machine.apply(entries).await.unwrap();
        let applied = |version| Outcome::Applied(Version(version));
        let conflict = |version| Outcome::Conflict(Version(version));
        assert_eq!(outcomes, [applied(2), conflict(2), applied(5), conflict(5)]);
        let committed = watching.borrow();
        assert_eq!((committed.image.version, committed.image.next_producer_id), (Version(5), 2000));
        assert_eq!(committed.recent.len(), 2);
    }

    #[tokio::test]
    async fn a_snapshot_built_by_one_is_installed_by_another() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut from, _) = machine(here.path());
        from.apply([proposal(2, 0, 1000)]).await.unwrap();
        let built = from.get_snapshot_builder().await.build_snapshot().await.unwrap();
        let (mut to, watching) = machine(there.path());
        to.install_snapshot(&built.meta, built.snapshot).await.unwrap();
        assert_eq!(watching.borrow().image.next_producer_id, 1000);
        assert_eq!(to.applied_state().await.unwrap().0, built.meta.last_log_id);
        assert_eq!(to.get_current_snapshot().await.unwrap().unwrap().meta, built.meta);
    }

    #[tokio::test]
    async fn an_image_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut machine, _) = machine(folder.path());
        let garbage = Box::new(Cursor::new(b"{}x".to_vec()));
        assert!(machine.install_snapshot(&SnapshotMeta::default(), garbage).await.is_err());
    }
}
