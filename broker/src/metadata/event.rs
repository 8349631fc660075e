//! Evidence: what the metadata of a run went through, one structured event a change.
//!
//! Every controller reports what it applies, so an event of a quorum of three is seen three times; `version` tells that it is one.
//! What was applied again after a restart is not reported again.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    ids::{BrokerEpoch, BrokerId, ControllerId, Incarnation, LeaderEpoch, PartitionEpoch, Version},
    image::{ClusterImage, PartitionImage},
    record::{CommittedBatch, Election, FenceReason, MetadataRecord},
    stamp::Stamp,
};

/// Where events go; the node's events file.
pub trait EventSink: Send + Sync + 'static {
    /// Takes one event. Must not block for long: it is called where records are applied.
    fn event(&self, event: &MetadataEvent);
}

/// Forgets all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unheard;

impl EventSink for Unheard {
    fn event(&self, _: &MetadataEvent) {}
}

/// A shared sink.
pub type Events = Arc<dyn EventSink>;

/// What happened, when, and at which version of the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataEvent {
    /// When it was decided (or, of the quorum, seen) and by whom.
    pub stamp: Stamp,
    /// The image's version after it.
    pub version: Version,
    /// What.
    #[serde(flatten)]
    pub happened: Happened,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Happened {
    /// The quorum has another leader, or none.
    QuorumLeader {
        /// Who saw it.
        seen_by: ControllerId,
        /// The new one.
        leader: Option<ControllerId>,
        /// Raft's term.
        term: u64,
    },
    /// A controller took over.
    ControllerActive {
        /// Who.
        controller: ControllerId,
        /// Raft's term.
        term: u64,
    },
    /// A broker process introduced itself.
    BrokerRegistered {
        /// Who.
        broker: BrokerId,
        /// Its new epoch.
        epoch: BrokerEpoch,
        /// Which start of it.
        incarnation: Incarnation,
    },
    /// A broker was fenced.
    BrokerFenced {
        /// Who.
        broker: BrokerId,
        /// Which life of it.
        epoch: BrokerEpoch,
        /// Why.
        reason: FenceReason,
    },
    /// A broker was unfenced.
    BrokerUnfenced {
        /// Who.
        broker: BrokerId,
        /// Which life of it.
        epoch: BrokerEpoch,
    },
    /// A partition has another leader, or none.
    LeaderElected {
        /// Topic's name.
        topic: String,
        /// Partition's number.
        partition: i32,
        /// The new one.
        leader: Option<BrokerId>,
        /// The one before.
        before: Option<BrokerId>,
        /// The new leader's epoch.
        leader_epoch: LeaderEpoch,
        /// From where it was taken.
        election: Option<Election>,
        /// ISR after it.
        isr: Vec<BrokerId>,
        /// ELR after it.
        elr: Vec<BrokerId>,
    },
    /// A partition's ISR or ELR changed.
    IsrChanged {
        /// Topic's name.
        topic: String,
        /// Partition's number.
        partition: i32,
        /// The leader's epoch after it.
        leader_epoch: LeaderEpoch,
        /// The state's epoch after it.
        partition_epoch: PartitionEpoch,
        /// ISR after it.
        isr: Vec<BrokerId>,
        /// ISR before it.
        before: Vec<BrokerId>,
        /// ELR after it.
        elr: Vec<BrokerId>,
    },
    /// A topic was created.
    TopicCreated {
        /// Name.
        topic: String,
        /// Leader of each partition.
        leaders: Vec<Option<BrokerId>>,
    },
    /// A topic was deleted.
    TopicDeleted {
        /// Name.
        topic: String,
    },
}

/// The events of a batch, told from the image before it.
pub fn of_batch(before: &ClusterImage, batch: &CommittedBatch) -> Vec<MetadataEvent> {
    let mut partitions = BTreeMap::new();
    let happened = batch.records.iter().flat_map(|record| of_record(before, &mut partitions, record));
    happened.map(|happened| MetadataEvent { stamp: batch.stamp, version: batch.version, happened }).collect()
}

type Partitions<'a> = BTreeMap<(&'a str, i32), &'a PartitionImage>;

fn of_record<'a>(before: &'a ClusterImage, seen: &mut Partitions<'a>, record: &'a MetadataRecord) -> Vec<Happened> {
    match record {
        MetadataRecord::ControllerActive { controller, term } => {
            vec![Happened::ControllerActive { controller: *controller, term: *term }]
        }
        MetadataRecord::RegisterBroker(new) => {
            let (broker, epoch, incarnation) = (new.broker, new.epoch, new.incarnation);
            vec![Happened::BrokerRegistered { broker, epoch, incarnation }]
        }
        MetadataRecord::FenceBroker { broker, epoch, reason } => {
            vec![Happened::BrokerFenced { broker: *broker, epoch: *epoch, reason: *reason }]
        }
        MetadataRecord::UnfenceBroker { broker, epoch } => {
            vec![Happened::BrokerUnfenced { broker: *broker, epoch: *epoch }]
        }
        MetadataRecord::CreateTopic { name, partitions, .. } => {
            let leaders = partitions.iter().map(|partition| partition.leader).collect();
            vec![Happened::TopicCreated { topic: name.clone(), leaders }]
        }
        MetadataRecord::DeleteTopic { name, .. } => vec![Happened::TopicDeleted { topic: name.clone() }],
        MetadataRecord::PartitionChange { topic, partition, election, state } => {
            let key = (topic.as_str(), *partition);
            let old = seen.insert(key, state).or_else(|| before.partition(topic, *partition));
            old.map(|old| of_change(key, *election, old, state)).unwrap_or_default()
        }
        MetadataRecord::AddPartitions { .. }
        | MetadataRecord::TopicConfig { .. }
        | MetadataRecord::BrokerConfig { .. }
        | MetadataRecord::ProducerIds { .. }
        | MetadataRecord::FeatureLevel { .. } => Vec::new(),
    }
}

fn of_change(
    (topic, partition): (&str, i32),
    election: Option<Election>,
    old: &PartitionImage,
    new: &PartitionImage,
) -> Vec<Happened> {
    let elected = (old.leader_epoch != new.leader_epoch).then(|| Happened::LeaderElected {
        topic: topic.to_owned(),
        partition,
        leader: new.leader,
        before: old.leader,
        leader_epoch: new.leader_epoch,
        election,
        isr: new.isr.clone(),
        elr: new.elr.clone(),
    });
    let changed = (old.isr != new.isr || old.elr != new.elr).then(|| Happened::IsrChanged {
        topic: topic.to_owned(),
        partition,
        leader_epoch: new.leader_epoch,
        partition_epoch: new.partition_epoch,
        isr: new.isr.clone(),
        before: old.isr.clone(),
        elr: new.elr.clone(),
    });
    elected.into_iter().chain(changed).collect()
}
