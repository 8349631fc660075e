//! What brokers ask of the controller, and what it answers.
//!
//! A request of several items is answered item by item in the order asked. Not Kafka's protocol: only this crate speaks it.

use serde::{Deserialize, Serialize};

use super::{
    error::ControllerError,
    ids::{
        BrokerEpoch, BrokerId, ControllerId, Incarnation, LeaderEpoch, PartitionEpoch, TopicId, TopicPartition, Version,
    },
    image::{ClusterImage, Configs, PartitionImage},
    record::CommittedBatch,
};

/// A request type and the type of its answer.
pub trait Ask: Sized {
    /// What it is answered with.
    type Answer;
    /// As it goes over the wire.
    fn into_request(self) -> Request;
    /// The answer out of what came back; `None` if it answers something else.
    fn answer(reply: Reply) -> Option<Self::Answer>;
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident($ask:ty) -> $answer:ty;)*) => {
        /// Any request.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Request { $($(#[$doc])* $name($ask),)* }

        /// Any answer.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Reply { $($(#[$doc])* $name($answer),)* }

        $(impl Ask for $ask {
            type Answer = $answer;

            fn into_request(self) -> Request {
                Request::$name(self)
            }

            fn answer(reply: Reply) -> Option<$answer> {
                match reply {
                    Reply::$name(answer) => Some(answer),
                    _ => None,
                }
            }
        })*
    };
}

requests! {
    /// A broker process introduces itself.
    Register(RegisterBroker) -> Registered;
    /// It lives, and how far it has followed.
    Heartbeat(Heartbeat) -> HeartbeatAnswer;
    /// What changed since a version; waits for a change.
    FetchMetadata(FetchMetadata) -> MetadataUpdate;
    /// A leader proposes new ISRs.
    AlterPartition(AlterPartition) -> Vec<Answer<PartitionImage>>;
    /// New topics.
    CreateTopics(CreateTopics) -> Vec<Answer<CreatedTopic>>;
    /// Topics to delete.
    DeleteTopics(DeleteTopics) -> Vec<Answer<DeletedTopic>>;
    /// More partitions for topics.
    CreatePartitions(CreatePartitions) -> Vec<Answer<()>>;
    /// Dynamic configs.
    AlterConfigs(AlterConfigs) -> Vec<Answer<()>>;
    /// Elections on demand.
    ElectLeaders(ElectLeaders) -> Vec<(TopicPartition, Answer<()>)>;
    /// Replicas to move.
    AlterReassignments(AlterReassignments) -> Vec<Answer<()>>;
    /// A block of producer ids.
    AllocateProducerIds(AllocateProducerIds) -> ProducerIdBlock;
    /// Who leads the quorum; every controller answers.
    DescribeQuorum(DescribeQuorum) -> QuorumDescription;
}

/// One item's answer.
pub type Answer<T> = Result<T, ControllerError>;

/// See [`Request::Register`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterBroker {
    /// `node.id`.
    pub broker: BrokerId,
    /// Drawn anew at every start of the process.
    pub incarnation: Incarnation,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: u16,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// The epoch its last clean shutdown left behind; without it, or with another one than the controller remembers, the broker's logs
    /// may lack a tail and it loses its place in ISR and ELR (KIP-966).
    pub previous_epoch: Option<BrokerEpoch>,
}

/// Answer to [`RegisterBroker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// To be sent along with whatever the broker asks.
    pub epoch: BrokerEpoch,
}

/// See [`Request::Heartbeat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Who.
    pub broker: BrokerId,
    /// Which life of it.
    pub epoch: BrokerEpoch,
    /// The version it acts upon.
    pub applied: Version,
    /// What it wants to be.
    pub wish: Wish,
}

/// What a broker wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// A member that may lead.
    Run,
    /// Rid of its leaderships, to stop.
    Stop,
}

/// Answer to [`Heartbeat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// Whether the broker is fenced after this heartbeat.
    pub fenced: bool,
    /// Whether it knows of everything that was taken from it ([`BrokerImage::must_apply`](super::image::BrokerImage::must_apply)).
    pub caught_up: bool,
    /// The controller's version.
    pub version: Version,
}

/// See [`Request::FetchMetadata`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchMetadata {
    /// The version the asker has.
    pub from: Version,
    /// How long to wait for a newer one, at most.
    pub wait_ms_max: u64,
}

/// Answer to [`FetchMetadata`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetadataUpdate {
    /// Everything: the asker was too far behind.
    Image(Box<ClusterImage>),
    /// The batches that follow the asker's version, possibly none.
    Batches(Vec<CommittedBatch>),
}

/// See [`Request::AlterPartition`] (KIP-497).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterPartition {
    /// The leader.
    pub broker: BrokerId,
    /// Which life of it.
    pub epoch: BrokerEpoch,
    /// One proposal a partition.
    pub partitions: Vec<IsrProposal>,
}

/// The ISR a leader wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsrProposal {
    /// Topic.
    pub topic: TopicId,
    /// Partition's number.
    pub partition: i32,
    /// Under which it leads.
    pub leader_epoch: LeaderEpoch,
    /// The state it proposes to change.
    pub partition_epoch: PartitionEpoch,
    /// The wanted ISR, each member with the broker epoch the leader last saw of it (KIP-903); `None` skips that check.
    pub isr: Vec<(BrokerId, Option<BrokerEpoch>)>,
    /// Whether the leader is still recovering from an unclean election (KIP-704).
    pub recovery: bool,
}

/// See [`Request::CreateTopics`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTopics {
    /// What to create.
    pub topics: Vec<NewTopic>,
    /// Answer as if, and do nothing.
    pub validate_only: bool,
}

/// A topic to create.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTopic {
    /// Name.
    pub name: String,
    /// Where its replicas live.
    pub placement: Placement,
    /// Its dynamic configs.
    pub configs: Configs,
}

/// Where replicas live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// The controller chooses; -1 for the defaults `num.partitions` and `default.replication.factor`.
    Automatic {
        /// Number of partitions.
        partitions: i32,
        /// Replicas of each.
        replication_factor: i16,
    },
    /// Replicas of partition `i` at index `i`, the preferred leader first.
    Manual(Vec<Vec<BrokerId>>),
}

impl Default for Placement {
    fn default() -> Self {
        Self::Automatic { partitions: -1, replication_factor: -1 }
    }
}

/// A topic that was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedTopic {
    /// Its id.
    pub id: TopicId,
    /// Its number of partitions.
    pub partitions: i32,
    /// Replicas of its first partition.
    pub replication_factor: i16,
}

/// See [`Request::DeleteTopics`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteTopics {
    /// What to delete.
    pub topics: Vec<TopicRef>,
}

/// A topic by one of its two names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TopicRef {
    /// By name.
    Name(String),
    /// By id.
    Id(TopicId),
}

/// A topic that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedTopic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: TopicId,
}

/// See [`Request::CreatePartitions`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatePartitions {
    /// Which topics.
    pub topics: Vec<MorePartitions>,
    /// Answer as if, and do nothing.
    pub validate_only: bool,
}

/// A topic that shall have more partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MorePartitions {
    /// Name.
    pub topic: String,
    /// Partitions in all, old ones included.
    pub count: i32,
    /// Replicas of the new partitions, or `None` for the controller to choose.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// See [`Request::AlterConfigs`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterConfigs {
    /// One entry a resource.
    pub resources: Vec<ConfigChange>,
    /// Answer as if, and do nothing.
    pub validate_only: bool,
}

/// Whose configs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigResource {
    /// A topic's.
    Topic(String),
    /// One broker's, or all brokers'.
    Broker(Option<BrokerId>),
}

/// What becomes of a resource's configs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// Whose.
    pub resource: ConfigResource,
    /// How.
    pub change: ConfigEdit,
}

/// The two ways of changing configs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigEdit {
    /// These and no others (AlterConfigs).
    Replace(Configs),
    /// One step after the other (IncrementalAlterConfigs, KIP-339).
    Incremental(Vec<(String, ConfigOp)>),
}

/// One step of an incremental change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigOp {
    /// The new value.
    Set(String),
    /// Back to the default.
    Delete,
    /// Add an element to a comma-separated list.
    Append(String),
    /// Take an element out of a comma-separated list.
    Subtract(String),
}

/// See [`Request::ElectLeaders`] (KIP-460).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectLeaders {
    /// Which election.
    pub kind: ElectionKind,
    /// Where; `None` for every partition that needs it.
    pub partitions: Option<Vec<TopicPartition>>,
}

/// The elections an operator can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElectionKind {
    /// Back to the preferred leader.
    Preferred,
    /// Anybody alive, where nobody leads.
    Unclean,
}

/// See [`Request::AlterReassignments`] (KIP-455).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterReassignments {
    /// Wanted replicas a partition; `None` cancels.
    pub partitions: Vec<(TopicPartition, Option<Vec<BrokerId>>)>,
}

/// See [`Request::AllocateProducerIds`] (KIP-730).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocateProducerIds {
    /// Who.
    pub broker: BrokerId,
    /// Which life of it.
    pub epoch: BrokerEpoch,
}

/// Ids `first .. first + len` belong to the asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerIdBlock {
    /// First id.
    pub first: i64,
    /// How many.
    pub len: i32,
}

/// See [`Request::DescribeQuorum`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeQuorum {}

/// The quorum as one controller sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumDescription {
    /// Who leads, as far as it knows.
    pub leader: Option<ControllerId>,
    /// In which term.
    pub term: u64,
    /// Each voter's address, host:port.
    pub voters: Vec<(ControllerId, String)>,
    /// The version it has applied.
    pub version: Version,
}
