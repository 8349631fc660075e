//! What the handlers of a broker share: its parts, and a few answers that several of them need.
//!
//! **Invariant:** everything here is either immutable or a handle to something that guards itself; a handler may keep
//! a clone for as long as it likes.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::config::Config;
use crate::coordinator::transaction::{Pendings, Transactions};
use crate::evidence::Events;
use crate::groups::desk::Desk;
use crate::halt::Halt;
use crate::ids::{LeaderEpoch, NodeId};
use crate::metadata::{ClusterImage, ControllerClient, TopicId};
use crate::partition::{Context, Partition, PartitionError, Proposal};
use crate::peers::Peers;
use crate::producer_ids::ProducerIds;
use crate::replicas::Replicas;
use crate::replication::isr::IsrChanges;

/// See the module.
pub struct Broker {
    /// What it was told.
    pub config: Config,
    /// `cluster.id`
    pub cluster_id: String,
    /// Where events go.
    pub events: Events,
    /// The way to the controller.
    pub controller: ControllerClient,
    /// The replicas kept here.
    pub replicas: Arc<Replicas>,
    /// What every partition shares.
    pub context: Arc<Context>,
    /// Where proposals for ISRs go.
    pub isr: IsrChanges,
    /// Ids for producers.
    pub producer_ids: ProducerIds,
    /// Consumer groups coordinated here.
    pub groups: Arc<Desk>,
    /// Transactions coordinated here.
    pub transactions: Transactions,
    /// Produce requests that wait for a transaction's coordinator.
    pub pendings: Pendings,
    /// Connections to other brokers.
    pub peers: Peers,
    /// Told of a failure that ends the node.
    pub halt: Halt,
    /// The newest image that the replicas follow.
    pub applied: watch::Sender<Arc<ClusterImage>>,
}

impl Broker {
    /// The newest image that the replicas here follow: what clients are told is true here already.
    pub fn image(&self) -> Arc<ClusterImage> {
        self.applied.borrow().clone()
    }

    /// Waits for such images.
    pub fn images(&self) -> watch::Receiver<Arc<ClusterImage>> {
        self.applied.subscribe()
    }

    /// Waits until this broker acts upon all that the controller has committed by now, but no longer than this.
    pub async fn catch_up(&self, patience: Duration) {
        let Ok(quorum) = self.controller.describe_quorum().await else { return };
        let mut images = self.images();
        let _late = timeout(patience, images.wait_for(|image| image.version >= quorum.version)).await;
    }

    /// Writes the checkpoints now.
    pub async fn checkpoint(self: &Arc<Self>) {
        let broker = self.clone();
        let written = tokio::task::spawn_blocking(move || broker.replicas.checkpoint()).await;
        if let Ok(Err(error)) = written {
            self.halt.because(&error);
        }
    }

    /// The replica kept here, or why there is none.
    ///
    /// # Errors
    /// UNKNOWN_TOPIC_OR_PARTITION if there is no such partition, NOT_LEADER_OR_FOLLOWER if it is elsewhere.
    pub fn partition(&self, topic: &str, index: i32) -> Result<Arc<Partition>, ResponseError> {
        if let Some(partition) = self.replicas.find(topic, index) {
            return Ok(partition);
        }
        match self.applied.borrow().partition(topic, index) {
            Some(_) => Err(ResponseError::NotLeaderOrFollower),
            None => Err(ResponseError::UnknownTopicOrPartition),
        }
    }

    /// The name of a topic by its id.
    pub fn topic_name(&self, id: TopicId) -> Option<String> {
        self.applied.borrow().topic_by_id(id).map(|(name, _)| name.to_owned())
    }

    /// Who leads a partition now, for clients that were told the wrong one (KIP-951).
    pub fn leader_of(&self, topic: &str, index: i32) -> Option<(NodeId, LeaderEpoch)> {
        let image = self.applied.borrow();
        let partition = image.partition(topic, index)?;
        Some((partition.leader?, partition.leader_epoch))
    }

    /// Kafka's error for a partition's, after seeing to what it means for the node.
    pub fn refusal(&self, error: &PartitionError) -> ResponseError {
        if let Some(storage) = error.storage() {
            self.halt.because(storage);
        }
        error.kafka()
    }

    /// Sends a proposal on its way.
    pub fn propose(&self, partition: &Arc<Partition>, proposal: Option<Proposal>) {
        if let Some(proposal) = proposal {
            self.isr.propose(partition.clone(), proposal);
        }
    }

    /// Syncs a partition in the background, as long as its topic asks for it.
    pub fn sync(&self, partition: &Arc<Partition>) {
        let (partition, halt) = (partition.clone(), self.halt.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = partition.sync_while_due() {
                halt.because(&error);
            }
        });
    }
}
