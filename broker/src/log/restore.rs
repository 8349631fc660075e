//! Keeping the producers in step with the log: learning from what is appended, and rebuilding them from a snapshot and
//! the batches after it when a log is opened or cut.
//!
//! **Invariant:** a snapshot at an offset is the producers as of that offset. It is never needed: without one, or with
//! one that is unfit, the whole log is read.

use super::batch::{Batch, Header};
use super::index::remove_if_there;
use super::marker::Marker;
use super::producers::{Producer, ProducerId, Producers};
use super::reader::{WALK_BYTES, WalkError};
use super::segment::{Segment, file_path};
use super::{AbortedTransaction, Log, LogError, Offset, producer_snapshot};
use crate::bugs::Bug;
use std::collections::BTreeSet;
use std::fs;
use std::io;

/// Larger control batches are not read: a marker has some eighty bytes.
const MARKER_BYTES_MAX: usize = 64 * 1024;

impl Log {
    /// Takes note of a batch just written to the active segment.
    pub(super) fn learn(&mut self, batch: &Batch<'_>) -> Result<(), LogError> {
        let Some(id) = batch.header.producer_id() else { return Ok(()) };
        let marker = batch.header.is_control().then(|| Marker::parse(batch)).flatten();
        let missed = if self.config.bugs.has(Bug::AbortedIndexMissesBatch) {
            self.producers.behind_first_batch(id)
        } else {
            None
        };
        match self.producers.learn(id, &batch.header, marker.as_ref(), self.config.remembered()) {
            Some(aborted) => {
                let first = missed.unwrap_or(aborted.first).min(aborted.last);
                self.segments.active_mut().aborted.push(AbortedTransaction { first, ..aborted })
            }
            None => Ok(()),
        }
    }

    /// Rebuilds the producers as of the end of the log, from a snapshot and the batches since. Transactions aborted
    /// from `known_until` on are indexed anew on the way; a snapshot above it is of no use, and neither is one above
    /// the high watermark, because it does not tell the transactions decided below it.
    pub(super) fn load_producers(&mut self, known_until: Offset) -> Result<(), LogError> {
        let mut from = self.segments.first_base();
        self.producers = Producers::default();
        let snapshot_max = known_until.min(self.high_watermark);
        while let Some(at) = self.snapshots.range(..=snapshot_max).next_back().copied() {
            if let Some(known) = self.read_snapshot(at)? {
                self.producers = Producers::new(known);
                from = from.max(at);
                break;
            }
            self.snapshots.remove(&at);
        }
        let (producers, remembered_max) = (&mut self.producers, self.config.remembered());
        for segment in self.segments.iter_mut().filter(|segment| segment.end() > from) {
            replay(segment, from, known_until, |id, header, marker| {
                producers.learn(id, header, marker, remembered_max)
            })?;
        }
        self.producers.on_high_watermark(self.high_watermark);
        Ok(())
    }

    /// The producers in the snapshot at `at`; a file that is unfit is removed.
    fn read_snapshot(&self, at: Offset) -> Result<Option<Vec<(ProducerId, Producer)>>, LogError> {
        let path = file_path(self.dir(), at, "snapshot");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LogError::io("read", &path)(error)),
        };
        match producer_snapshot::decode(&bytes) {
            Ok(known) => Ok(Some(known)),
            Err(_) => remove_if_there(&path).map(|()| None),
        }
    }

    /// Writes the producers as of the end of the log. Not synced: a torn snapshot is recognised and not needed.
    pub(super) fn write_snapshot(&mut self) -> Result<(), LogError> {
        let end = self.end_offset();
        let path = file_path(self.dir(), end, "snapshot");
        fs::write(&path, producer_snapshot::encode(self.producers.iter())).map_err(LogError::io("write", &path))?;
        self.snapshots.insert(end);
        Ok(())
    }

    pub(super) fn drop_snapshots_above(&mut self, offset: Offset) -> Result<(), LogError> {
        let above = self.snapshots.split_off(&offset.plus(1));
        above.iter().try_for_each(|at| remove_if_there(&file_path(self.dir(), *at, "snapshot")))
    }

    /// Removes the snapshots of earlier clean stops: all but the newest and those where a segment begins.
    pub(super) fn drop_stray_snapshots(&mut self) -> Result<(), LogError> {
        let mut keep: BTreeSet<Offset> = self.segments.iter().map(Segment::base).collect();
        keep.extend(self.snapshots.last());
        let stray: Vec<Offset> = self.snapshots.difference(&keep).copied().collect();
        self.snapshots.retain(|at| keep.contains(at));
        stray.iter().try_for_each(|at| remove_if_there(&file_path(self.dir(), *at, "snapshot")))
    }

    /// Removes snapshots below `offset`, below which there is no segment any more.
    pub(super) fn drop_snapshots_below(&mut self, offset: Offset) -> Result<(), LogError> {
        let keep = self.snapshots.split_off(&offset);
        let below = std::mem::replace(&mut self.snapshots, keep);
        below.iter().try_for_each(|at| remove_if_there(&file_path(self.dir(), *at, "snapshot")))
    }
}

/// Reads a segment's batches with a producer from `from` on, hands them to `learn`, and indexes the aborted
/// transactions it reports from `index_from` on. Stops at damage.
fn replay(
    segment: &mut Segment,
    from: Offset,
    index_from: Offset,
    mut learn: impl FnMut(ProducerId, &Header, Option<&Marker>) -> Option<AbortedTransaction>,
) -> Result<(), LogError> {
    let position = match segment.locate(from) {
        Ok(Some(found)) => found.position,
        Ok(None) | Err(WalkError::Batch(_)) => return Ok(()),
        Err(WalkError::Storage(error)) => return Err(error),
    };
    let mut aborted = Vec::new();
    let mut reader = segment.reader(position, WALK_BYTES);
    while let Some(header) = reader.header_before_damage()? {
        if let Some(id) = header.producer_id() {
            let marker = if header.is_control() { read_marker(segment, reader.position(), &header)? } else { None };
            aborted.extend(learn(id, &header, marker.as_ref()));
        }
        reader.skip(&header);
    }
    aborted.retain(|aborted| aborted.last >= index_from);
    aborted.into_iter().try_for_each(|aborted| segment.aborted.push(aborted))
}

fn read_marker(segment: &Segment, position: u64, header: &Header) -> Result<Option<Marker>, LogError> {
    if header.size() > MARKER_BYTES_MAX {
        return Ok(None);
    }
    let bytes = segment.read_exact(position, header.size())?;
    Ok(Batch::first(&bytes).ok().as_ref().and_then(Marker::parse))
}
