//! What a controller refuses and why, with Kafka's number for each.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ids::{ControllerId, TopicId};

/// Why a request to the controller was not done. Except for [`ControllerError::Timeout`], nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum ControllerError {
    /// This controller does not lead the quorum; it may know who does.
    #[error("not the active controller (active: {0:?})")]
    NotController(Option<ControllerId>),
    /// No answer in time: nobody can tell whether it was or will be done.
    #[error("no answer from the controller quorum in time")]
    Timeout,
    /// The broker never registered with this quorum, or its registration is gone.
    #[error("broker is not registered")]
    BrokerNotRegistered,
    /// Another incarnation of the broker has registered since.
    #[error("broker epoch is stale: a newer incarnation has registered")]
    StaleBrokerEpoch,
    /// The leader epoch of the request is older than the partition's.
    #[error("leader epoch is older than the partition's")]
    FencedLeaderEpoch,
    /// The partition epoch of the request is older than the partition's.
    #[error("partition epoch is older than the partition's")]
    InvalidUpdateVersion,
    /// A member of the proposed ISR is fenced, unknown or of another incarnation.
    #[error("a proposed in-sync replica is not eligible: {0}")]
    IneligibleReplica(String),
    /// The request contradicts itself or the image.
    #[error("invalid request: {0}")]
    InvalidRequest(String),
    /// A topic of that name exists.
    #[error("topic {0} already exists")]
    TopicExists(String),
    /// There is no such topic or partition.
    #[error("unknown topic or partition {0}")]
    UnknownTopic(String),
    /// There is no topic of that id.
    #[error("unknown topic id {0}")]
    UnknownTopicId(TopicId),
    /// The name is no topic name.
    #[error("invalid topic name: {0}")]
    InvalidTopic(String),
    /// More replicas than brokers, or none.
    #[error("invalid replication factor: {0}")]
    InvalidReplicationFactor(String),
    /// A partition count that cannot be.
    #[error("invalid number of partitions: {0}")]
    InvalidPartitions(String),
    /// An assignment that cannot be.
    #[error("invalid replica assignment: {0}")]
    InvalidReplicaAssignment(String),
    /// A config value that cannot be.
    #[error("invalid config: {0}")]
    InvalidConfig(String),
    /// The leader is the wanted one already.
    #[error("the partition has the wanted leader already")]
    ElectionNotNeeded,
    /// The preferred leader is dead or out of sync.
    #[error("the preferred leader is not available")]
    PreferredLeaderNotAvailable,
    /// Nobody eligible is alive.
    #[error("no eligible leader is available")]
    EligibleLeadersNotAvailable,
    /// There is no reassignment to cancel.
    #[error("no reassignment is in progress")]
    NoReassignmentInProgress,
    /// A limit of this implementation.
    #[error("limit exceeded: {0}")]
    PolicyViolation(String),
}

impl ControllerError {
    /// Kafka's error code (`org.apache.kafka.common.protocol.Errors`).
    pub fn kafka_code(&self) -> i16 {
        match self {
            Self::UnknownTopic(_) => 3,
            Self::Timeout => 7,
            Self::InvalidTopic(_) => 17,
            Self::TopicExists(_) => 36,
            Self::InvalidPartitions(_) => 37,
            Self::InvalidReplicationFactor(_) => 38,
            Self::InvalidReplicaAssignment(_) => 39,
            Self::InvalidConfig(_) => 40,
            Self::NotController(_) => 41,
            Self::InvalidRequest(_) => 42,
            Self::PolicyViolation(_) => 44,
            Self::FencedLeaderEpoch => 74,
            Self::StaleBrokerEpoch => 77,
            Self::PreferredLeaderNotAvailable => 80,
            Self::EligibleLeadersNotAvailable => 83,
            Self::ElectionNotNeeded => 84,
            Self::NoReassignmentInProgress => 85,
            Self::InvalidUpdateVersion => 95,
            Self::UnknownTopicId(_) => 100,
            Self::BrokerNotRegistered => 102,
            Self::IneligibleReplica(_) => 107,
        }
    }

    /// Whether asking again, perhaps somebody else, can help without any change by the asker.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::NotController(_) | Self::Timeout)
    }
}
