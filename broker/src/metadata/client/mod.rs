//! A broker's side of the controller: registers, keeps the session alive, follows the image, asks for changes.
//!
//! ```text
//! let client = ControllerClient::start(config);
//! client.ready(patience).await?;            // registered, caught up, unfenced
//! let image = client.image();               // watch::Receiver<Arc<ClusterImage>>
//! client.alter_partition(proposals).await?; // one answer a proposal
//! ```
//!
//! **Invariants:** the image only moves forward. A broker that learns that a newer incarnation took its id stops asking for ever
//! ([`Standing::Superseded`]). A request whose outcome is unknown is repeated only where repeating is harmless.
//!
//! It decides nothing: whether a fenced broker goes on serving is the server's business.

mod link;
mod session;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::{
    error::ControllerError,
    ids::{BrokerEpoch, BrokerId, ControllerId, Incarnation, TopicPartition, Version},
    image::{ClusterImage, PartitionImage},
    rpc::{
        AllocateProducerIds, AlterConfigs, AlterPartition, AlterReassignments, Answer, Ask, CreatePartitions,
        CreateTopics, CreatedTopic, DeleteTopics, DeletedTopic, DescribeQuorum, ElectLeaders, IsrProposal,
        ProducerIdBlock, QuorumDescription, Wish,
    },
};
use link::Link;

/// Who the broker is and how patient.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `node.id`.
    pub broker: BrokerId,
    /// Drawn anew at every start: [`Incarnation`].
    pub incarnation: Incarnation,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: u16,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// The epoch the last clean shutdown left behind ([`ControllerClient::stop`]), to keep the place in ISR and ELR (KIP-966).
    pub previous_epoch: Option<BrokerEpoch>,
    /// `controller.quorum.voters`.
    pub voters: BTreeMap<ControllerId, String>,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// How long one controller may take to answer once.
    pub attempt_timeout: Duration,
    /// How long a request may take over all attempts: `controller.quorum.request.timeout.ms`.
    pub request_timeout: Duration,
    /// When the broker acts upon a new image.
    pub applies: Applies,
}

/// When a broker acts upon a new image: only then is it unfenced, or its heartbeat good for [`ControllerClient::heard_ns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// As soon as [`ControllerClient::image`] has it.
    OnReceipt,
    /// When it says so: [`ControllerClient::applied`].
    WhenTold,
}

/// What the controller makes of this broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does not know it yet.
    Registering,
    /// Known, but it leads nothing and joins no ISR.
    Fenced(BrokerEpoch),
    /// A full member.
    Active(BrokerEpoch),
    /// Another process has registered under the same id: this one is to stop.
    Superseded,
    /// Fenced by its own wish.
    Stopped(BrokerEpoch),
}

impl Standing {
    /// The present epoch, once there is one.
    pub fn epoch(self) -> Option<BrokerEpoch> {
        match self {
            Self::Fenced(epoch) | Self::Active(epoch) | Self::Stopped(epoch) => Some(epoch),
            Self::Registering | Self::Superseded => None,
        }
    }
}

/// See the module. Clones share one session; it ends when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct ControllerClient {
    config: Arc<ClientConfig>,
    link: Arc<Link>,
    image: watch::Receiver<Arc<ClusterImage>>,
    standing: watch::Receiver<Standing>,
    wishes: Arc<watch::Sender<Wish>>,
    applied: watch::Sender<Version>,
    heard_ns: Arc<AtomicU64>,
    _tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl ControllerClient {
    /// Starts registering, heartbeating and following in the background.
    pub fn start(config: ClientConfig) -> Self {
        let config = Arc::new(config);
        let link = Arc::new(Link::new(config.voters.clone(), config.attempt_timeout));
        let (images, image) = watch::channel(Arc::new(ClusterImage::default()));
        let (standings, standing) = watch::channel(Standing::Registering);
        let (wishes, wish) = watch::channel(Wish::Run);
        let heard_ns = Arc::new(AtomicU64::new(0));
        let applied = watch::Sender::new(Version(0));
        let session = session::Session {
            heard_ns: Arc::clone(&heard_ns),
            config: Arc::clone(&config),
            link: Arc::clone(&link),
            applied: applied.subscribe(),
            standing: standings,
            wish,
        };
        let told = (config.applies == Applies::OnReceipt).then(|| applied.clone());
        let follow = session::follow(Arc::clone(&link), images, told);
        let tasks = Arc::new(Tasks(vec![tokio::spawn(session.run()), tokio::spawn(follow)]));
        Self { config, link, image, standing, wishes: Arc::new(wishes), applied, heard_ns, _tasks: tasks }
    }

    /// Whose client this is.
    pub fn broker(&self) -> BrokerId {
        self.config.broker
    }

    /// The committed image, as far as this broker has followed it.
    pub fn image(&self) -> watch::Receiver<Arc<ClusterImage>> {
        self.image.clone()
    }

    /// What the controller makes of this broker.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// The broker acts upon the image of this version from now on ([`Applies::WhenTold`]).
    pub fn applied(&self, version: Version) {
        self.applied.send_replace(version);
    }

    /// When the last heartbeat was sent that was answered by "you are a full member, and know all that was taken from you": boot-time
    /// nanoseconds, 0 while there is none.
    /// The controller fences this broker no sooner than a session timeout after it.
    pub fn heard_ns(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.heard_ns)
    }

    /// Waits until the broker is a full member, and says under which epoch.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]; [`ControllerError::StaleBrokerEpoch`] if another process took the id.
    pub async fn ready(&self, patience: Duration) -> Result<BrokerEpoch, ControllerError> {
        let mut standing = self.standing.clone();
        let settled = standing.wait_for(|standing| matches!(standing, Standing::Active(_) | Standing::Superseded));
        match timeout(patience, settled).await.map_err(|_| ControllerError::Timeout)?.as_deref() {
            Ok(Standing::Active(epoch)) => Ok(*epoch),
            Ok(_) => Err(ControllerError::StaleBrokerEpoch),
            Err(_) => Err(ControllerError::Timeout),
        }
    }

    /// Gives up all leaderships before a clean stop. The answer belongs into the clean-shutdown file, for
    /// [`ClientConfig::previous_epoch`], once all logs are flushed.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]; [`ControllerError::StaleBrokerEpoch`] if another process took the id.
    pub async fn stop(&self, patience: Duration) -> Result<BrokerEpoch, ControllerError> {
        self.wishes.send_replace(Wish::Stop);
        let mut standing = self.standing.clone();
        let settled = standing.wait_for(|standing| matches!(standing, Standing::Stopped(_) | Standing::Superseded));
        match timeout(patience, settled).await.map_err(|_| ControllerError::Timeout)?.as_deref() {
            Ok(Standing::Stopped(epoch)) => Ok(*epoch),
            Ok(_) => Err(ControllerError::StaleBrokerEpoch),
            Err(_) => Err(ControllerError::Timeout),
        }
    }

    /// Proposes new ISRs for partitions this broker leads; the answers are the partitions' new states, in the order asked.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]: it may or may not have been done; the image will tell.
    pub async fn alter_partition(
        &self,
        partitions: Vec<IsrProposal>,
    ) -> Result<Vec<Answer<PartitionImage>>, ControllerError> {
        let epoch = self.epoch()?;
        self.ask(AlterPartition { broker: self.config.broker, epoch, partitions }).await
    }

    /// Takes a block of producer ids for this broker.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]; [`ControllerError::StaleBrokerEpoch`].
    pub async fn allocate_producer_ids(&self) -> Result<ProducerIdBlock, ControllerError> {
        let epoch = self.epoch()?;
        self.ask(AllocateProducerIds { broker: self.config.broker, epoch }).await
    }

    /// Creates topics.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]: they may or may not have been created.
    pub async fn create_topics(&self, ask: CreateTopics) -> Result<Vec<Answer<CreatedTopic>>, ControllerError> {
        self.ask(ask).await
    }

    /// Deletes topics.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]: they may or may not have been deleted.
    pub async fn delete_topics(&self, ask: DeleteTopics) -> Result<Vec<Answer<DeletedTopic>>, ControllerError> {
        self.ask(ask).await
    }

    /// Adds partitions to topics.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]: they may or may not have been added.
    pub async fn create_partitions(&self, ask: CreatePartitions) -> Result<Vec<Answer<()>>, ControllerError> {
        self.ask(ask).await
    }

    /// Changes dynamic configs.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]: they may or may not have been changed.
    pub async fn alter_configs(&self, ask: AlterConfigs) -> Result<Vec<Answer<()>>, ControllerError> {
        self.ask(ask).await
    }

    /// Asks for elections.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]: they may or may not have been held.
    pub async fn elect_leaders(&self, ask: ElectLeaders) -> Result<Vec<(TopicPartition, Answer<()>)>, ControllerError> {
        self.ask(ask).await
    }

    /// Moves replicas, or stops moving them.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`]: it may or may not have begun.
    pub async fn alter_reassignments(&self, ask: AlterReassignments) -> Result<Vec<Answer<()>>, ControllerError> {
        self.ask(ask).await
    }

    /// Who leads the metadata quorum, as the active controller sees it.
    ///
    /// # Errors
    /// [`ControllerError::Timeout`].
    pub async fn describe_quorum(&self) -> Result<QuorumDescription, ControllerError> {
        self.ask(DescribeQuorum {}).await
    }

    /// Waits until the image is at least at this version or `patience` is over; whether it is.
    pub async fn wait_for_version(&self, version: Version, patience: Duration) -> bool {
        let mut image = self.image.clone();
        matches!(timeout(patience, image.wait_for(|image| image.version >= version)).await, Ok(Ok(_)))
    }

    async fn ask<A: Ask>(&self, ask: A) -> Result<A::Answer, ControllerError> {
        self.link.ask(ask, self.config.request_timeout).await
    }

    fn epoch(&self) -> Result<BrokerEpoch, ControllerError> {
        match *self.standing.borrow() {
            Standing::Superseded => Err(ControllerError::StaleBrokerEpoch),
            standing => standing.epoch().ok_or(ControllerError::BrokerNotRegistered),
        }
    }
}
