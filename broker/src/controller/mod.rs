//! The controller: decides who is alive, who leads, what exists.
//!
//! ```text
//! server    the listener: other controllers' raft, brokers' requests
//! reign     the one task that decides, while this controller leads
//! sessions  who has been heard of (pure)
//! decide    image and request in, records out (pure)
//! ```
//!
//! The agreement upon what was decided is [`crate::metadata::quorum`].

pub mod decide;
pub mod reign;
pub mod server;
pub mod sessions;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::metadata::{
    event::Events,
    ids::ControllerId,
    image::Configs,
    quorum::{Committed, Leadership, MetadataQuorum},
    raft::{RaftConfig, RaftQuorum, quorum::StartError},
};
use reign::Reign;
use server::Service;

/// Folder of the metadata log within a controller's data folder.
pub const LOG_FOLDER: &str = "__cluster_metadata-0";

const INBOX_REQUESTS_MAX: usize = 1024;

/// What a controller must know.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// `node.id`.
    pub id: ControllerId,
    /// `controller.quorum.voters`: host:port of each, this one included.
    pub voters: BTreeMap<ControllerId, String>,
    /// host:port to listen on; by default its own of `voters`.
    pub listen: Option<String>,
    /// Data folder (`log.dirs`); the log goes into [`LOG_FOLDER`] in it.
    pub data_folder: PathBuf,
    /// `controller.quorum.election.timeout.ms`.
    pub election_timeout: Duration,
    /// `controller.quorum.fetch.timeout.ms`.
    pub fetch_timeout: Duration,
    /// `broker.session.timeout.ms`.
    pub session_timeout: Duration,
    /// Entries of the metadata log between two snapshots.
    pub snapshot_entries: u64,
    /// `eligible.leader.replicas.enable` (KIP-966).
    pub elr: bool,
    /// The node's properties, for what topics inherit: `min.insync.replicas`, `unclean.leader.election.enable`, `num.partitions`,
    /// `default.replication.factor`.
    pub defaults: Configs,
}

impl ControllerConfig {
    /// A controller with the timeouts of a test cluster: half a second for elections, three for sessions.
    pub fn new(id: ControllerId, voters: BTreeMap<ControllerId, String>, data_folder: PathBuf) -> Self {
        Self {
            id,
            voters,
            listen: None,
            data_folder,
            election_timeout: Duration::from_millis(500),
            fetch_timeout: Duration::from_millis(1000),
            session_timeout: Duration::from_millis(3000),
            snapshot_entries: 4096,
            elr: true,
            defaults: Configs::new(),
        }
    }
}

/// Why a controller does not run.
#[derive(Debug, Error)]
pub enum ControllerFailure {
    /// It cannot listen.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Its quorum does not start.
    #[error(transparent)]
    Quorum(#[from] StartError),
    /// It ran and had to end.
    #[error("the controller ended: {0}")]
    Ended(String),
}

/// A running controller. Dropping it stops serving at once; [`Controller::shutdown`] also ends the voter in order.
pub struct Controller {
    quorum: Arc<RaftQuorum>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Runs a controller until it fails.
///
/// # Errors
/// Always one, at last: [`ControllerFailure`].
pub async fn run(config: ControllerConfig, events: Events) -> Result<(), ControllerFailure> {
    let controller = start(config, events).await?;
    Err(ControllerFailure::Ended(controller.ended().await))
}

/// Starts a controller on its address.
///
/// # Errors
/// [`ControllerFailure`].
pub async fn start(config: ControllerConfig, events: Events) -> Result<Controller, ControllerFailure> {
    let own = config.voters.get(&config.id).cloned();
    let address = config.listen.clone().or(own).ok_or(StartError::NoVoter(config.id))?;
    let listening = TcpListener::bind(&address).await;
    let listener = listening.map_err(|source| ControllerFailure::Listen { address, source })?;
    start_on(listener, config, events).await
}

/// Starts a controller on a socket that is bound already.
///
/// # Errors
/// [`ControllerFailure`].
pub async fn start_on(
    listener: TcpListener,
    config: ControllerConfig,
    events: Events,
) -> Result<Controller, ControllerFailure> {
    let raft = RaftConfig {
        id: config.id,
        voters: config.voters,
        folder: config.data_folder.join(LOG_FOLDER),
        election_timeout: config.election_timeout,
        fetch_timeout: config.fetch_timeout,
        snapshot_entries: config.snapshot_entries,
    };
    let quorum = Arc::new(RaftQuorum::start(raft, events).await?);
    let (asks, inbox) = mpsc::channel(INBOX_REQUESTS_MAX);
    let reign = Reign {
        id: config.id,
        quorum: Arc::clone(&quorum),
        inbox,
        session_timeout: config.session_timeout,
        elr: config.elr,
        defaults: config.defaults,
    };
    let service = Service { quorum: Arc::clone(&quorum), reign: asks };
    let tasks = [tokio::spawn(reign.run()), tokio::spawn(server::serve(listener, service))];
    Ok(Controller { quorum, tasks })
}

impl Controller {
    /// Returns when the voter has failed or was shut down, with the reason.
    pub async fn ended(&self) -> String {
        self.quorum.ended().await
    }

    /// Who leads the quorum.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.quorum.leadership()
    }

    /// What is committed.
    pub fn committed(&self) -> watch::Receiver<Committed> {
        self.quorum.committed()
    }

    /// Stops serving and voting.
    pub async fn shutdown(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.quorum.shutdown().await;
    }
}
