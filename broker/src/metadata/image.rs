//! The cluster as its metadata log says it is: brokers, topics, partitions, configs.
//!
//! A [`ClusterImage`] is a value: the controller decides upon one, brokers follow it. It changes only through [`super::apply`].
//!
//! **Invariants**, kept by the decisions in [`crate::controller::decide`]:
//! - `leader`, when there is one, is a member of `isr`; `isr` and `elr` are disjoint subsets of `replicas`;
//! - `isr` is empty only after its last member came back from an unclean stop (KIP-966);
//! - two leaders never share a leader epoch.
//!
//! It knows nothing of sessions, sockets or clocks: who is alive is `fenced`, and a decision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{BrokerEpoch, BrokerId, Incarnation, LeaderEpoch, PartitionEpoch, TopicId, Version};

/// Feature name and level that switch Eligible Leader Replicas (KIP-966).
pub const ELR_FEATURE: &str = "eligible.leader.replicas.version";

/// Topic or broker properties, by Kafka's names.
pub type Configs = BTreeMap<String, String>;

/// The whole metadata of a cluster at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterImage {
    /// Index of the last committed batch that changed anything; 0 for the empty cluster.
    pub version: Version,
    /// Every broker ever registered, fenced ones included.
    pub brokers: BTreeMap<BrokerId, BrokerImage>,
    /// Topics by name.
    pub topics: BTreeMap<String, TopicImage>,
    /// Cluster-wide dynamic broker configs.
    pub default_configs: Configs,
    /// Dynamic configs of single brokers.
    pub broker_configs: BTreeMap<BrokerId, Configs>,
    /// Finalised features and their levels (KIP-584).
    pub features: BTreeMap<String, i16>,
    /// First producer id not yet given out in a block.
    pub next_producer_id: i64,
    /// Largest broker epoch given out.
    pub last_broker_epoch: BrokerEpoch,
}

/// One broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerImage {
    /// `node.id`.
    pub id: BrokerId,
    /// Of its present incarnation.
    pub epoch: BrokerEpoch,
    /// Which start of its process.
    pub incarnation: Incarnation,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: u16,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Fenced brokers lead nothing and join no ISR.
    pub fenced: bool,
    /// The last version that took something from the broker: its former life, its membership, a leadership. It is caught up once it has
    /// applied this version, and only then is it unfenced or may it count on still leading what it leads.
    pub must_apply: Version,
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicImage {
    /// Differs between two topics that bore the same name.
    pub id: TopicId,
    /// Partition `i` at index `i`.
    pub partitions: Vec<PartitionImage>,
    /// Dynamic topic configs.
    pub configs: Configs,
}

/// One partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionImage {
    /// Assigned brokers; the first is the preferred leader.
    pub replicas: Vec<BrokerId>,
    /// In-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Eligible leader replicas: left the ISR while it was below `min.insync.replicas` (KIP-966).
    pub elr: Vec<BrokerId>,
    /// Who leads; nobody while no eligible replica is alive.
    pub leader: Option<BrokerId>,
    /// Who led last, while nobody leads.
    pub last_known_leader: Option<BrokerId>,
    /// Of the present (or absent) leader.
    pub leader_epoch: LeaderEpoch,
    /// Of this very state.
    pub partition_epoch: PartitionEpoch,
    /// The leader was not chosen from ISR or ELR and has not yet reported its recovery (KIP-704).
    pub recovery: bool,
    /// Replicas a reassignment adds.
    pub adding: Vec<BrokerId>,
    /// Replicas a reassignment will drop.
    pub removing: Vec<BrokerId>,
}

impl ClusterImage {
    /// Whether the broker is registered and not fenced.
    pub fn is_alive(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_some_and(|broker| !broker.fenced)
    }

    /// The brokers that are not fenced, by id.
    pub fn alive(&self) -> impl Iterator<Item = &BrokerImage> {
        self.brokers.values().filter(|broker| !broker.fenced)
    }

    /// The topic with this id and its name.
    pub fn topic_by_id(&self, id: TopicId) -> Option<(&str, &TopicImage)> {
        self.topics.iter().find(|(_, topic)| topic.id == id).map(|(name, topic)| (name.as_str(), topic))
    }

    /// One partition.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionImage> {
        self.topics.get(topic)?.partition(partition)
    }

    /// Every partition with the name of its topic and its number.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, i32, &PartitionImage)> {
        self.topics.iter().flat_map(|(name, topic)| {
            (0..).zip(&topic.partitions).map(move |(number, partition)| (name.as_str(), number, partition))
        })
    }

    /// Whether Eligible Leader Replicas are switched on.
    pub fn elr_enabled(&self) -> bool {
        self.features.get(ELR_FEATURE).is_some_and(|level| *level > 0)
    }
}

impl TopicImage {
    /// One partition by number.
    pub fn partition(&self, partition: i32) -> Option<&PartitionImage> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }
}

impl PartitionImage {
    /// A new partition led by the first of its in-sync replicas.
    pub fn new(replicas: Vec<BrokerId>, isr: Vec<BrokerId>) -> Self {
        let leader = isr.first().copied();
        Self { replicas, isr, leader, ..Self::default() }
    }

    /// The leader's first choice.
    pub fn preferred(&self) -> Option<BrokerId> {
        self.replicas.first().copied()
    }

    /// Whether a reassignment is under way.
    pub fn is_reassigning(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }
}
