//! The positions a group has stored, and those that open transactions would store.
//!
//! **Invariant:** of two positions of a partition the one whose record stands further on in the log counts, whenever its
//! transaction ends. So the state is a function of the log, and compaction does not change it.

use std::collections::{BTreeMap, BTreeSet};

use super::record::OffsetValue;
use crate::ids::{Offset, TopicPartition};

/// A stored position and where in the log its record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Committed {
    value: OffsetValue,
    at: Offset,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    committed: BTreeMap<TopicPartition, Committed>,
    pending: BTreeMap<i64, BTreeMap<TopicPartition, Committed>>,
}

impl Offsets {
    /// The position of a partition.
    pub fn get(&self, partition: &TopicPartition) -> Option<&OffsetValue> {
        self.committed.get(partition).map(|committed| &committed.value)
    }

    /// All positions.
    pub fn all(&self) -> impl Iterator<Item = (&TopicPartition, &OffsetValue)> {
        self.committed.iter().map(|(partition, committed)| (partition, &committed.value))
    }

    /// The partitions whose topic is one of these.
    pub fn of_topics(&self, topic: impl Fn(&str) -> bool) -> Vec<TopicPartition> {
        self.committed.keys().filter(|partition| topic(&partition.topic)).cloned().collect()
    }

    /// Whether nothing is stored nor may come to be.
    pub fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.is_empty()
    }

    /// Whether open transactions would store anything.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether an open transaction would change the position (KIP-447).
    pub fn is_pending(&self, partition: &TopicPartition) -> bool {
        self.pending.values().any(|positions| positions.contains_key(partition))
    }

    /// Takes a position from the log.
    pub fn settle(&mut self, partition: TopicPartition, value: OffsetValue, at: Offset) {
        if self.committed.get(&partition).is_none_or(|committed| committed.at < at) {
            self.committed.insert(partition, Committed { value, at });
        }
    }

    /// Forgets a position, also what an open transaction would have stored until then.
    pub fn forget(&mut self, partition: &TopicPartition) {
        self.committed.remove(partition);
        for positions in self.pending.values_mut() {
            positions.remove(partition);
        }
        self.pending.retain(|_, positions| !positions.is_empty());
    }

    /// Takes a position that a producer's open transaction would store.
    pub fn pend(&mut self, producer: i64, partition: TopicPartition, value: OffsetValue, at: Offset) {
        self.pending.entry(producer).or_default().insert(partition, Committed { value, at });
    }

    /// Ends a producer's transaction.
    pub fn mark(&mut self, producer: i64, commit: bool) {
        let positions = self.pending.remove(&producer).unwrap_or_default();
        for (partition, pending) in positions.into_iter().filter(|_| commit) {
            self.settle(partition, pending.value, pending.at);
        }
    }

    /// The partitions whose position is older than it may be. It ages from the moment `since` gives, unless its topic is
    /// `kept` or a transaction is about to change it.
    pub fn expired(
        &self,
        (now_ms, retention_ms): (i64, i64),
        since: impl Fn(&OffsetValue) -> i64,
        kept: &BTreeSet<String>,
    ) -> Vec<TopicPartition> {
        let old = self.committed.iter().filter(|(partition, committed)| {
            let value = &committed.value;
            let age_ms = now_ms.saturating_sub(since(value));
            let over = value.expires_ms.map_or(age_ms >= retention_ms, |expires_ms| now_ms >= expires_ms);
            over && !kept.contains(&partition.topic) && !self.is_pending(partition)
        });
        old.map(|(partition, _)| partition.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), index: 0 }
    }

    fn value(offset: i64) -> OffsetValue {
        OffsetValue { offset, leader_epoch: -1, metadata: String::new(), committed_ms: 0, expires_ms: None }
    }

    fn stored(offsets: &Offsets) -> Option<i64> {
        offsets.get(&partition()).map(|value| value.offset)
    }

    #[test]
    fn what_a_transaction_would_store_is_stored_when_it_commits_and_dropped_when_it_aborts() {
        for (commit, after) in [(true, 7), (false, 3)] {
            let mut offsets = Offsets::default();
            offsets.settle(partition(), value(3), Offset(0));
            offsets.pend(9, partition(), value(7), Offset(1));
            assert_eq!((stored(&offsets), offsets.is_pending(&partition())), (Some(3), true));
            offsets.mark(8, commit);
            assert!(offsets.is_pending(&partition()), "another producer's transaction");
            offsets.mark(9, commit);
            assert_eq!((stored(&offsets), offsets.is_pending(&partition())), (Some(after), false));
        }
    }

    #[test]
    fn a_position_stored_while_a_transaction_was_open_counts_more_than_the_older_one_it_commits() {
        let mut offsets = Offsets::default();
        offsets.pend(9, partition(), value(7), Offset(1));
        offsets.settle(partition(), value(8), Offset(2));
        offsets.mark(9, true);
        assert_eq!(stored(&offsets), Some(8));
    }

    #[test]
    fn a_position_is_forgotten_also_in_open_transactions() {
        let mut offsets = Offsets::default();
        offsets.settle(partition(), value(3), Offset(0));
        offsets.pend(9, partition(), value(7), Offset(1));
        offsets.forget(&partition());
        offsets.mark(9, true);
        assert!(offsets.is_empty());
    }

    #[test]
    fn a_position_expires_by_age_or_by_its_own_date_unless_something_keeps_it() {
        let mut offsets = Offsets::default();
        offsets.settle(partition(), OffsetValue { committed_ms: 100, ..value(1) }, Offset(0));
        let expired = |offsets: &Offsets, now_ms, kept: &BTreeSet<String>| {
            offsets.expired((now_ms, 50), |value| value.committed_ms, kept).len()
        };
        let none = BTreeSet::new();
        assert_eq!((expired(&offsets, 149, &none), expired(&offsets, 150, &none)), (0, 1));
        assert_eq!(expired(&offsets, 150, &BTreeSet::from(["t".to_owned()])), 0);
        offsets.settle(partition(), OffsetValue { committed_ms: 100, expires_ms: Some(300), ..value(1) }, Offset(1));
        assert_eq!((expired(&offsets, 299, &none), expired(&offsets, 300, &none)), (0, 1));
        offsets.pend(9, partition(), value(7), Offset(2));
        assert_eq!(expired(&offsets, 300, &none), 0);
    }
}
