//! What the metadata log is made of.
//!
//! A record says what became so, never why it was decided, and holds whole states rather than differences: the history of a partition
//! is the list of its [`MetadataRecord::PartitionChange`] records.

use serde::{Deserialize, Serialize};

use super::{
    ids::{BrokerEpoch, BrokerId, ControllerId, Incarnation, TopicId, Version},
    image::{Configs, PartitionImage},
    stamp::Stamp,
};

/// One change of the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetadataRecord {
    /// A controller took over and has seen everything committed before.
    ControllerActive {
        /// Who.
        controller: ControllerId,
        /// Its term in the quorum.
        term: u64,
    },
    /// A broker process introduced itself; it is fenced until it has caught up.
    RegisterBroker(Registration),
    /// The broker leads nothing from here on.
    FenceBroker {
        /// Who.
        broker: BrokerId,
        /// Which life of it.
        epoch: BrokerEpoch,
        /// Why.
        reason: FenceReason,
    },
    /// The broker may lead and join ISRs.
    UnfenceBroker {
        /// Who.
        broker: BrokerId,
        /// Which life of it.
        epoch: BrokerEpoch,
    },
    /// A new topic with all its partitions.
    CreateTopic {
        /// Name.
        name: String,
        /// Id.
        id: TopicId,
        /// Partition `i` at index `i`.
        partitions: Vec<PartitionImage>,
        /// Its dynamic configs.
        configs: Configs,
    },
    /// The topic is gone.
    DeleteTopic {
        /// Name.
        name: String,
        /// Id.
        id: TopicId,
    },
    /// More partitions at the end of the topic's list.
    AddPartitions {
        /// Name.
        name: String,
        /// The new ones.
        partitions: Vec<PartitionImage>,
    },
    /// A partition's new state, whole.
    PartitionChange {
        /// Topic's name.
        topic: String,
        /// Partition's number.
        partition: i32,
        /// How the leader was found, when it changed.
        election: Option<Election>,
        /// The new state.
        state: PartitionImage,
    },
    /// A topic's config, set or (`None`) deleted.
    TopicConfig {
        /// Topic's name.
        topic: String,
        /// Property.
        key: String,
        /// Value.
        value: Option<String>,
    },
    /// A broker's (or, without a broker, the cluster's) config, set or deleted.
    BrokerConfig {
        /// Which broker; `None` for all.
        broker: Option<BrokerId>,
        /// Property.
        key: String,
        /// Value.
        value: Option<String>,
    },
    /// Producer ids below `next` are given out.
    ProducerIds {
        /// First one still free.
        next: i64,
    },
    /// A feature's level; 0 switches it off.
    FeatureLevel {
        /// Feature.
        name: String,
        /// Level.
        level: i16,
    },
}

/// What a broker says of itself when it registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// `node.id`.
    pub broker: BrokerId,
    /// The epoch it was given.
    pub epoch: BrokerEpoch,
    /// Which start of its process.
    pub incarnation: Incarnation,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: u16,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// Why a broker was fenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FenceReason {
    /// No heartbeat within `broker.session.timeout.ms`.
    SessionExpired,
    /// The broker asked for it before it stopped.
    Shutdown,
}

/// From where a leader was taken; the order is the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Election {
    /// The preferred leader was asked for.
    Preferred,
    /// First living member of the ISR in replica order.
    Isr,
    /// First living member of the ELR in replica order.
    Elr,
    /// The last leader, after ISR and ELR all came back from unclean stops (KIP-966).
    LastKnown,
    /// Any living replica: acknowledged records may be lost.
    Unclean,
    /// Nobody could be elected.
    NoLeader,
}

/// Records that were decided together and take effect together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The image they were decided upon; committed on top of any other they have no effect.
    pub base: Version,
    /// Who decided, and when.
    pub stamp: Stamp,
    /// In the order in which they apply.
    pub records: Vec<MetadataRecord>,
}

/// A proposal that took effect, and its place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedBatch {
    /// The image's version after it.
    pub version: Version,
    /// The version before it.
    pub base: Version,
    /// Who decided, and when.
    pub stamp: Stamp,
    /// In the order in which they apply.
    pub records: Vec<MetadataRecord>,
}
