//! The committed log of a run, read from the folder a controller left behind: who led what, when, under which epoch.
//!
//! Reads only; the controller may be dead, or alive on another copy. What was never committed, or had no effect because it was decided
//! upon an older image, is left out. If the oldest segments are gone, the history begins later.

use std::{collections::BTreeMap, path::Path};

use openraft::EntryPayload;
use serde::Serialize;

use super::{
    ids::{TopicPartition, Version},
    image::PartitionImage,
    raft::{
        Entry,
        files::{self, FilesError},
        journal::Line,
    },
    record::{CommittedBatch, Election, MetadataRecord, Proposal},
    stamp::Stamp,
};

/// A partition's state from this version on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionState {
    /// When it was decided, and by whom.
    pub stamp: Stamp,
    /// The image's version.
    pub version: Version,
    /// Which partition.
    #[serde(flatten)]
    pub at: TopicPartition,
    /// How its leader was found, if it changed.
    pub election: Option<Election>,
    /// Leader, ISR, ELR and epochs.
    pub state: PartitionImage,
}

/// All batches that took effect, in order, from a controller's `__cluster_metadata-0`.
///
/// # Errors
/// [`FilesError`].
pub fn read(folder: &Path) -> Result<Vec<CommittedBatch>, FilesError> {
    Ok(effective(files::read(folder)?.lines))
}

/// The states every partition went through, in order.
pub fn partitions(batches: &[CommittedBatch]) -> Vec<PartitionState> {
    let mut counts = BTreeMap::new();
    let of_batch = |batch: &CommittedBatch| {
        let states = batch.records.iter().flat_map(|record| states(&mut counts, record));
        let states = states.map(|(at, election, state)| PartitionState {
            stamp: batch.stamp,
            version: batch.version,
            at,
            election,
            state,
        });
        states.collect::<Vec<_>>()
    };
    batches.iter().flat_map(of_batch).collect()
}

fn effective(lines: Vec<Line>) -> Vec<CommittedBatch> {
    let (entries, committed) = committed(lines);
    let mut version = None;
    let mut batches = Vec::new();
    for entry in entries.into_values().take_while(|entry| Some(entry.log_id.index) <= committed) {
        let index = Version(entry.log_id.index);
        if let EntryPayload::Normal(Proposal { base, stamp, records }) = entry.payload
            && version.is_none_or(|version| version == base)
        {
            version = Some(index);
            batches.push(CommittedBatch { version: index, base, stamp, records });
        }
    }
    batches
}

fn committed(lines: Vec<Line>) -> (BTreeMap<u64, Entry>, Option<u64>) {
    let mut entries = BTreeMap::new();
    let mut committed = None;
    for line in lines {
        match line {
            Line::Entry(entry) => {
                entries.insert(entry.log_id.index, entry);
            }
            Line::Truncate { since } => {
                entries.split_off(&since);
            }
            Line::Committed(log_id) => committed = committed.max(Some(log_id.index)),
            Line::Head(head) => committed = committed.max(head.committed.map(|log_id| log_id.index)),
            Line::Vote(_) | Line::Purge(_) => {}
        }
    }
    (entries, committed)
}

type State = (TopicPartition, Option<Election>, PartitionImage);

fn states(counts: &mut BTreeMap<String, usize>, record: &MetadataRecord) -> Vec<State> {
    match record {
        MetadataRecord::CreateTopic { name, partitions, .. } => {
            counts.insert(name.clone(), partitions.len());
            born(name, 0, partitions)
        }
        MetadataRecord::AddPartitions { name, partitions } => {
            let count = counts.entry(name.clone()).or_default();
            let first = *count;
            *count += partitions.len();
            born(name, first, partitions)
        }
        MetadataRecord::PartitionChange { topic, partition, election, state } => {
            vec![(TopicPartition { topic: topic.clone(), index: *partition }, *election, state.clone())]
        }
        _ => Vec::new(),
    }
}

fn born(topic: &str, first: usize, partitions: &[PartitionImage]) -> Vec<State> {
    let at = |number| TopicPartition { topic: topic.to_owned(), index: i32::try_from(number).unwrap_or(i32::MAX) };
    (first..).zip(partitions).map(|(number, state)| (at(number), None, state.clone())).collect()
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, LogId};

    use super::*;
    use crate::metadata::{ids::ControllerId, raft::journal::Head};

    fn log_id(index: u64) -> LogId<ControllerId> {
        LogId::new(CommittedLeaderId::new(1, ControllerId(100)), index)
    }

    fn entry(index: u64, base: u64) -> Line {
        let proposal = Proposal { base: Version(base), stamp: Stamp::default(), records: Vec::new() };
        Line::Entry(Entry { log_id: log_id(index), payload: EntryPayload::Normal(proposal) })
    }

    fn versions(lines: &[Line]) -> Vec<u64> {
        effective(lines.to_vec()).iter().map(|batch| batch.version.0).collect()
    }

    #[test]
    fn only_what_was_committed_and_took_effect_is_history() {
        let lines = [entry(2, 0), entry(3, 0), entry(4, 2), entry(5, 4), Line::Committed(log_id(4))];
        assert_eq!(versions(&lines), [2, 4]);
        assert_eq!(versions(&lines[..4]), [0_u64; 0]);
    }

    #[test]
    fn what_was_truncated_is_not_history_and_what_was_purged_is() {
        let committed = Line::Committed(log_id(5));
        let replaced = [entry(2, 0), entry(4, 2), Line::Truncate { since: 4 }, entry(5, 2), committed.clone()];
        assert_eq!(versions(&replaced), [2, 5]);
        let purged = [entry(2, 0), entry(4, 2), committed, Line::Purge(log_id(4))];
        assert_eq!(versions(&purged), [2, 4]);
    }

    #[test]
    fn without_the_oldest_segments_history_begins_later() {
        let head = Line::Head(Head { committed: Some(log_id(9)), ..Head::default() });
        assert_eq!(versions(&[head, entry(8, 7), entry(9, 8)]), [8, 9]);
    }

    #[test]
    fn partitions_added_later_are_numbered_after_the_first_ones() {
        let partitions = |count| vec![PartitionImage::default(); count];
        let created = MetadataRecord::CreateTopic {
            name: "t".into(),
            id: Default::default(),
            partitions: partitions(2),
            configs: Default::default(),
        };
        let added = MetadataRecord::AddPartitions { name: "t".into(), partitions: partitions(1) };
        let batch = CommittedBatch {
            version: Version(1),
            base: Version(0),
            stamp: Stamp::default(),
            records: vec![created, added],
        };
        let states = super::partitions(&[batch]);
        assert_eq!(states.iter().map(|state| state.at.index).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
