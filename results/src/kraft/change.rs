//! The metadata log as a history of partitions: each state, since when, and by which record.

use super::record::{MetadataRecord, PartitionState, TopicId};
use super::{Logged, MetadataLog};
use std::collections::BTreeMap;

/// A partition's state from a moment on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Led {
    /// Milliseconds since 1970.
    pub wall_ms: i64,
    /// `TOPIC-PARTITION`.
    pub log: String,
    /// The state.
    pub state: PartitionState,
    /// The file and the offset that say so.
    pub place: (String, i64),
    /// True if the leader or its epoch is another than before.
    pub elected: bool,
}

/// A setting's value from a moment on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Milliseconds since 1970.
    pub wall_ms: i64,
    /// `topic NAME` or `broker ID`.
    pub of: String,
    /// Which.
    pub name: String,
    /// Its value; `None`: the default again.
    pub value: Option<String>,
}

/// What a metadata log tells over time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    /// Every state of every partition, in the log's order.
    pub led: Vec<Led>,
    /// Every change of a setting.
    pub configs: Vec<Change>,
    /// Every level of every feature.
    pub features: Vec<(i64, String, i16)>,
    /// Every broker shut out (`true`) or let in again.
    pub fenced: Vec<(i64, i32, bool)>,
}

/// The history of a log.
pub fn changes(log: &MetadataLog) -> History {
    let mut told = Teller::default();
    log.records.iter().for_each(|logged| told.take(logged));
    told.history
}

#[derive(Default)]
struct Teller {
    history: History,
    topics: BTreeMap<TopicId, String>,
    now: BTreeMap<(TopicId, i32), PartitionState>,
}

impl Teller {
    fn take(&mut self, logged: &Logged) {
        let wall_ms = logged.wall_ms;
        match &logged.record {
            MetadataRecord::Topic { name, id } => _ = self.topics.insert(*id, name.clone()),
            MetadataRecord::Partition { topic, partition, state } => {
                self.state(logged, (*topic, *partition), state.clone());
            }
            MetadataRecord::PartitionChange { topic, partition, isr, leader, replicas, recovery, elr } => {
                let Some(mut state) = self.now.get(&(*topic, *partition)).cloned() else { return };
                // A new leader, and the loss of the old one, begin a reign.
                if let Some(leader) = leader {
                    state.leader = *leader;
                    state.leader_epoch += 1;
                }
                let set = |of: &mut Vec<i32>, to: &Option<Vec<i32>>| of.clone_from(to.as_ref().unwrap_or(&of.clone()));
                set(&mut state.isr, isr);
                set(&mut state.replicas, replicas);
                set(&mut state.elr, elr);
                state.recovery = recovery.unwrap_or(state.recovery);
                state.partition_epoch += 1;
                self.state(logged, (*topic, *partition), state);
            }
            MetadataRecord::Config { resource_type, resource, name, value } => {
                let whose = match resource_type {
                    2 => "topic",
                    4 => "broker",
                    _ => "resource",
                };
                let (of, name, value) = (format!("{whose} {resource}"), name.clone(), value.clone());
                self.history.configs.push(Change { wall_ms, of, name, value });
            }
            MetadataRecord::Fence { broker, fenced, .. } => self.history.fenced.push((wall_ms, *broker, *fenced)),
            MetadataRecord::Feature { name, level } => self.history.features.push((wall_ms, name.clone(), *level)),
            MetadataRecord::RemoveTopic { .. }
            | MetadataRecord::RegisterBroker { .. }
            | MetadataRecord::ClearElr { .. }
            | MetadataRecord::Other { .. } => {}
        }
    }

    fn state(&mut self, logged: &Logged, at: (TopicId, i32), state: PartitionState) {
        let before = self.now.insert(at, state.clone());
        let elected = before.is_none_or(|b| (b.leader, b.leader_epoch) != (state.leader, state.leader_epoch));
        let topic = self.topics.get(&at.0).map_or("?", String::as_str);
        let place = (logged.file.clone(), logged.offset);
        self.history.led.push(Led { wall_ms: logged.wall_ms, log: format!("{topic}-{}", at.1), state, place, elected });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(offset: i64, record: MetadataRecord) -> Logged {
        Logged { offset, epoch: 1, wall_ms: 1000 + offset, file: "0.log".into(), record }
    }

    fn change(leader: Option<i32>, isr: &[i32], recovery: Option<i8>) -> MetadataRecord {
        let isr = Some(isr.to_vec());
        MetadataRecord::PartitionChange {
            topic: [7; 16],
            partition: 0,
            isr,
            leader,
            replicas: None,
            recovery,
            elr: None,
        }
    }

    #[test]
    fn a_reign_begins_with_each_leader_and_a_smaller_isr_begins_none() {
        let state =
            PartitionState { replicas: vec![1, 2, 3], isr: vec![1, 2, 3], leader: 1, ..PartitionState::default() };
        let records = vec![
            logged(0, MetadataRecord::Topic { name: "q".into(), id: [7; 16] }),
            logged(1, MetadataRecord::Partition { topic: [7; 16], partition: 0, state }),
            logged(2, change(None, &[1], None)),
            logged(3, change(Some(-1), &[1], None)),
            logged(4, change(Some(2), &[2], Some(1))),
        ];
        let history = changes(&MetadataLog { records, ..MetadataLog::default() });
        let told: Vec<_> = history.led.iter().map(|l| (l.state.leader, l.state.leader_epoch, l.elected)).collect();
        assert_eq!(told, [(1, 0, true), (1, 0, false), (-1, 1, true), (2, 2, true)]);
        assert_eq!((history.led[3].log.as_str(), history.led[3].state.recovery), ("q-0", 1));
    }
}
