//! The committed log of a run, read from the folder a controller left behind: who led what, when, under which epoch.
//!
//! Reads only; the controller may be dead, or alive on another copy. What was never committed, or had no effect because it was decided
//! upon an older image, is left out. If the oldest segments are gone, the history begins later; where another voter's snapshot took the
//! place of entries, it has a gap.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use openraft::EntryPayload;
use serde::Serialize;

use super::{
    ids::{TopicPartition, Version},
    image::PartitionImage,
    raft::{
        Entry, LogId,
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
    let entries = committed(lines);
    let built_upon: BTreeSet<u64> = entries.values().filter_map(base_of).collect();
    // The image's version after the entry before; none if entries are missing in front.
    let mut version = Some(Version(0));
    let mut expected = 0;
    let mut batches = Vec::new();
    for entry in entries.into_values() {
        let index = entry.log_id.index;
        if index > expected.max(1) {
            version = None;
        }
        expected = index.saturating_add(1);
        let EntryPayload::Normal(Proposal { base, stamp, records }) = entry.payload else { continue };
        let took_effect = match version {
            Some(version) => version == base,
            None => base.0.saturating_add(1) == index || built_upon.contains(&index),
        };
        if took_effect {
            version = Some(Version(index));
            batches.push(CommittedBatch { version: Version(index), base, stamp, records });
        }
    }
    batches
}

fn base_of(entry: &Entry) -> Option<u64> {
    match &entry.payload {
        EntryPayload::Normal(proposal) => Some(proposal.base.0),
        _ => None,
    }
}

/// The entries of which the lines prove that they were committed.
fn committed(lines: Vec<Line>) -> BTreeMap<u64, Entry> {
    let mut log = Log::default();
    for line in lines {
        log.take(line);
    }
    log.entries.split_off(&log.proven);
    log.entries
}

/// Entries as they were appended, purged ones too. An entry is proven by a commit that names it or one appended after it.
#[derive(Default)]
struct Log {
    entries: BTreeMap<u64, Entry>,
    committed: Option<LogId>,
    /// Entries below this index are proven.
    proven: u64,
}

impl Log {
    fn take(&mut self, line: Line) {
        match line {
            Line::Entry(entry) => {
                self.entries.insert(entry.log_id.index, entry);
            }
            Line::Truncate { since } => {
                self.entries.split_off(&since);
            }
            Line::Committed(log_id) => self.committed = self.committed.max(Some(log_id)),
            Line::Purge(log_id) => self.purge(log_id),
            Line::Head(head) => {
                self.committed = self.committed.max(head.committed);
                if let Some(purged) = head.purged {
                    self.purge(purged);
                }
            }
            Line::Vote(_) => return,
        }
        self.prove(self.committed);
    }

    fn prove(&mut self, committed: Option<LogId>) {
        if let Some(committed) = committed.filter(|committed| self.holds(*committed)) {
            self.proven = self.proven.max(committed.index.saturating_add(1));
        }
    }

    fn holds(&self, id: LogId) -> bool {
        self.entries.get(&id.index).is_some_and(|entry| entry.log_id == id)
    }

    /// What is in a snapshot was committed. If another voter made it, what this one had appended need not be what is in it.
    fn purge(&mut self, upto: LogId) {
        self.prove(Some(upto));
        let proven = self.proven;
        self.entries.retain(|index, _| *index < proven || *index > upto.index);
    }
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
    use openraft::CommittedLeaderId;

    use super::*;
    use crate::metadata::{
        ids::ControllerId,
        raft::{Types, journal::Head},
    };

    fn log_id(index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(1, ControllerId(100)), index)
    }

    fn entry_of(term: u64, index: u64, payload: EntryPayload<Types>) -> Line {
        let log_id = LogId::new(CommittedLeaderId::new(term, ControllerId(100)), index);
        Line::Entry(Entry { log_id, payload })
    }

    fn proposal(base: u64) -> EntryPayload<Types> {
        EntryPayload::Normal(Proposal { base: Version(base), stamp: Stamp::default(), records: Vec::new() })
    }

    fn entry(index: u64, base: u64) -> Line {
        entry_of(1, index, proposal(base))
    }

    fn blank(index: u64) -> Line {
        entry_of(1, index, EntryPayload::Blank)
    }

    fn versions(lines: &[Line]) -> Vec<u64> {
        effective(lines.to_vec()).iter().map(|batch| batch.version.0).collect()
    }

    #[test]
    fn only_what_was_committed_and_took_effect_is_history() {
        let lines = [blank(1), entry(2, 0), entry(3, 0), entry(4, 2), entry(5, 4), Line::Committed(log_id(4))];
        assert_eq!(versions(&lines), [2, 4]);
        assert_eq!(versions(&lines[..5]), [0_u64; 0]);
    }

    #[test]
    fn what_was_truncated_is_not_history_and_what_was_purged_is() {
        let committed = Line::Committed(log_id(3));
        let replaced =
            [entry(1, 0), entry(2, 1), Line::Truncate { since: 2 }, blank(2), entry(3, 1), committed.clone()];
        assert_eq!(versions(&replaced), [1, 3]);
        let purged = [entry(1, 0), entry(2, 1), entry(3, 2), committed, Line::Purge(log_id(2))];
        assert_eq!(versions(&purged), [1, 2, 3]);
    }

    #[test]
    fn what_another_voters_snapshot_replaced_is_history_only_if_it_was_committed_before() {
        let mine = [entry(1, 0), entry(2, 1), Line::Committed(log_id(2)), entry(3, 2)];
        let newer = |index| LogId::new(CommittedLeaderId::new(2, ControllerId(100)), index);
        let given = Line::Head(Head { committed: Some(newer(9)), purged: Some(newer(9)), vote: None });
        let later = [(11, 9), (12, 9), (13, 11)].map(|(index, base)| entry_of(2, index, proposal(base)));
        let end = [Line::Committed(newer(13))];
        let lines = [&mine[..], &[given, entry_of(2, 10, EntryPayload::Blank)], &later, &end].concat();
        assert_eq!(versions(&lines), [1, 2, 11, 13]);
        // Its own snapshot holds what it had appended itself.
        assert_eq!(versions(&[&mine[..], &[Line::Purge(log_id(3))]].concat()), [1, 2, 3]);
    }

    #[test]
    fn without_the_oldest_segments_history_begins_later_with_what_surely_took_effect() {
        let head = Line::Head(Head { committed: Some(log_id(9)), ..Head::default() });
        assert_eq!(versions(&[head.clone(), entry(8, 7), entry(9, 8)]), [8, 9]);
        assert_eq!(versions(&[head.clone(), entry(7, 5), entry(8, 5), entry(9, 8)]), [8, 9]);
        assert_eq!(versions(&[head, entry(9, 5)]), [0_u64; 0]);
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
