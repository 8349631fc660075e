//! A voter: log, state machine, network and openraft put together.

use std::{collections::BTreeMap, io::Cursor, path::PathBuf, sync::Arc, time::Duration};

use openraft::{BasicNode, Config, Raft, RaftMetrics, ServerState, Snapshot, SnapshotPolicy, error::Fatal};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::{interval, timeout},
};

use super::{
    Outcome, Types,
    files::{self, FilesError},
    machine::Machine,
    message::{RaftReply, RaftRequest},
    network::Network,
    snapshot,
    store::LogStore,
};
use crate::metadata::{
    event::{Events, Happened, MetadataEvent},
    ids::{ControllerId, Version},
    quorum::{Committed, Leadership, MetadataQuorum, ProposeError},
    record::Proposal,
    stamp::Stamp,
};

const LISTEN_PACE: Duration = Duration::from_millis(20);

/// What a voter must know.
#[derive(Clone, Debug)]
pub struct RaftConfig {
    /// Its own id, one of the voters.
    pub id: ControllerId,
    /// All voters and their addresses, host:port.
    pub voters: BTreeMap<ControllerId, String>,
    /// Its folder, `__cluster_metadata-0`.
    pub folder: PathBuf,
    /// `controller.quorum.election.timeout.ms`: after one to two of these without a leader a voter stands for election.
    pub election_timeout: Duration,
    /// `controller.quorum.fetch.timeout.ms`: a leader that has not heard from a majority for this long no longer says it leads.
    pub fetch_timeout: Duration,
    /// Entries between two snapshots; an eighth of them is kept behind one, for voters that lag a little.
    pub snapshot_entries: u64,
}

/// Why a voter cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Its timeouts.
    #[error("controller quorum timeouts: {0}")]
    Config(#[from] Box<openraft::ConfigError>),
    /// It is not among the voters.
    #[error("node {0} is not in controller.quorum.voters")]
    NoVoter(ControllerId),
    /// openraft.
    #[error("metadata quorum: {0}")]
    Raft(#[from] Box<Fatal<ControllerId>>),
}

/// See the module.
pub struct RaftQuorum {
    config: RaftConfig,
    raft: Raft<Types>,
    committed: watch::Receiver<Committed>,
    leadership: watch::Receiver<Leadership>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for RaftQuorum {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl RaftQuorum {
    /// Opens the folder, starts voting, and on the very first start proposes the configured voters.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: RaftConfig, events: Events) -> Result<Self, StartError> {
        if !config.voters.contains_key(&config.id) {
            return Err(StartError::NoVoter(config.id));
        }
        let (publish, committed) = watch::channel(Committed::default());
        let (store, machine) = open(&config, publish, Arc::clone(&events))?;
        let openraft_config = Arc::new(openraft_config(&config)?);
        let raft = Raft::new(config.id, openraft_config, Network::default(), store, machine).await.map_err(Box::new)?;
        let bootstrap = tokio::spawn(bootstrap(raft.clone(), config.clone()));
        let (leaders, leadership) = watch::channel(leadership(&raft.metrics().borrow(), &config));
        let watcher = tokio::spawn(watch_leader(raft.metrics(), config.clone(), leaders, events));
        Ok(Self { config, raft, committed, leadership, tasks: [watcher, bootstrap] })
    }

    /// This voter.
    pub fn id(&self) -> ControllerId {
        self.config.id
    }

    /// Answers another voter.
    pub async fn answer(&self, request: RaftRequest) -> RaftReply {
        match request {
            RaftRequest::Append(rpc) => RaftReply::Append(self.raft.append_entries(rpc).await),
            RaftRequest::Vote(rpc) => RaftReply::Vote(self.raft.vote(rpc).await),
            RaftRequest::Snapshot { vote, meta, image } => {
                let snapshot = Snapshot { meta, snapshot: Box::new(Cursor::new(image.into_bytes())) };
                RaftReply::Snapshot(self.raft.install_full_snapshot(vote, snapshot).await)
            }
        }
    }

    /// Returns when the voter has ended, with the reason: a failed disk, or [`RaftQuorum::shutdown`].
    pub async fn ended(&self) -> String {
        let mut metrics = self.raft.metrics();
        let ended = metrics.wait_for(|metrics| metrics.running_state.is_err()).await;
        match ended.as_deref() {
            Ok(RaftMetrics { running_state: Err(fatal), .. }) => fatal.to_string(),
            _ => "stopped".to_owned(),
        }
    }

    /// Stops voting.
    pub async fn shutdown(&self) {
        let _ended_by_itself = self.raft.shutdown().await;
    }

    fn commit_timeout(&self) -> Duration {
        self.config.election_timeout * 2 + self.config.fetch_timeout
    }
}

impl MetadataQuorum for RaftQuorum {
    async fn propose(&self, proposal: Proposal) -> Result<Version, ProposeError> {
        if let Leadership::Elsewhere { leader, .. } = *self.leadership.borrow() {
            return Err(ProposeError::NotLeader(leader));
        }
        let base = proposal.base;
        match timeout(self.commit_timeout(), self.raft.client_write(proposal)).await {
            Ok(Ok(written)) => match written.data {
                Outcome::Applied(version) => Ok(version),
                Outcome::Conflict(found) => Err(ProposeError::Conflict { base, found }),
                Outcome::Nothing => Err(ProposeError::Unknown),
            },
            Ok(Err(_)) | Err(_) => Err(ProposeError::Unknown),
        }
    }

    async fn confirm(&self) -> Result<(), ProposeError> {
        match timeout(self.commit_timeout(), self.raft.get_read_log_id()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ProposeError::Unknown),
        }
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    fn committed(&self) -> watch::Receiver<Committed> {
        self.committed.clone()
    }

    fn voters(&self) -> &BTreeMap<ControllerId, String> {
        &self.config.voters
    }
}

fn open(
    config: &RaftConfig,
    publish: watch::Sender<Committed>,
    events: Events,
) -> Result<(LogStore, Machine), FilesError> {
    let folder = &config.folder;
    let (journal, files) = files::open(folder)?;
    let saved = snapshot::load(folder).map_err(FilesError::at(folder))?.unwrap_or_default();
    let purged = journal.head.purged.map_or(0, |purged| purged.index);
    if journal.head.purged > saved.meta.last_log_id {
        return Err(FilesError::Snapshot { path: folder.clone(), index: purged });
    }
    let reported = journal.head.committed.map_or(0, |committed| committed.index);
    let machine = Machine::new(folder.clone(), saved, reported, publish, events);
    Ok((LogStore::new(journal, files), machine))
}

fn openraft_config(config: &RaftConfig) -> Result<Config, Box<openraft::ConfigError>> {
    let election = u64::try_from(config.election_timeout.as_millis()).unwrap_or(u64::MAX / 4).max(20);
    let config = Config {
        cluster_name: "stormglass".to_owned(),
        heartbeat_interval: election / 5,
        election_timeout_min: election / 2,
        election_timeout_max: election,
        install_snapshot_timeout: 10_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(config.snapshot_entries.max(8)),
        max_in_snapshot_log_to_keep: config.snapshot_entries / 8,
        purge_batch_size: (config.snapshot_entries / 8).max(1),
        ..Config::default()
    };
    config.validate().map_err(Box::new)
}

/// On the very first start: proposes the configured voters. All of them would propose the same, so that it does not matter who is first;
/// but the first one alone, once others can be reached, wins the first election at once. A voter that is a member already, or becomes one
/// meanwhile, is refused by openraft, and rightly.
async fn bootstrap(raft: Raft<Types>, config: RaftConfig) {
    if config.voters.keys().next() == Some(&config.id) {
        let _nobody_there = timeout(config.election_timeout, others_listen(&config)).await;
    } else {
        let mut metrics = raft.metrics();
        let contacted = metrics.wait_for(|metrics| metrics.current_term > 0);
        let _first_one_silent = timeout(config.election_timeout * 2, contacted).await;
    }
    if !raft.is_initialized().await.unwrap_or(true) {
        let members: BTreeMap<_, _> =
            config.voters.iter().map(|(id, address)| (*id, BasicNode::new(address))).collect();
        let _refused = raft.initialize(members).await;
    }
}

async fn others_listen(config: &RaftConfig) {
    let others = config.voters.iter().filter(|(id, _)| **id != config.id);
    let mut missing = config.voters.len() / 2;
    let mut waiting: Vec<_> = others.map(|(_, address)| address).collect();
    let mut pace = interval(LISTEN_PACE);
    while missing > 0 {
        pace.tick().await;
        let mut silent = Vec::new();
        for address in waiting {
            match TcpStream::connect(address).await {
                Ok(_) => missing = missing.saturating_sub(1),
                Err(_) => silent.push(address),
            }
        }
        waiting = silent;
    }
}

fn leadership(metrics: &RaftMetrics<ControllerId, BasicNode>, config: &RaftConfig) -> Leadership {
    let term = metrics.current_term;
    let heard = metrics.millis_since_quorum_ack.map(Duration::from_millis);
    let heard = config.voters.len() == 1 || heard.is_some_and(|silence| silence < config.fetch_timeout);
    let leads = metrics.state == ServerState::Leader && metrics.running_state.is_ok();
    if leads && heard {
        return Leadership::Here { term };
    }
    Leadership::Elsewhere { leader: metrics.current_leader.filter(|leader| *leader != config.id), term }
}

async fn watch_leader(
    mut metrics: watch::Receiver<RaftMetrics<ControllerId, BasicNode>>,
    config: RaftConfig,
    leaders: watch::Sender<Leadership>,
    events: Events,
) {
    let mut seen = None;
    while metrics.changed().await.is_ok() {
        let (now, leader, term) = {
            let metrics = metrics.borrow_and_update();
            (leadership(&metrics, &config), metrics.current_leader, metrics.current_term)
        };
        leaders.send_if_modified(|old| std::mem::replace(old, now) != now);
        if seen.replace((leader, term)) != Some((leader, term)) {
            let happened = Happened::QuorumLeader { seen_by: config.id, leader, term };
            events.event(&MetadataEvent { stamp: Stamp::now(config.id), version: Version(0), happened });
        }
    }
}
