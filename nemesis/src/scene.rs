//! The scene of an episode: who leads and keeps what, and which processes live, at one moment. Pure data.

use crate::actor::{Actor, ClientId, ClientPart};
use crate::cluster::{Cluster, Duties, Life, LogRoles, NodePart, NodeState};
use crate::episode::Duty;
use history::{LeaderEpoch, LogId, NodeId};

/// A snapshot of roles and processes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scene {
    /// One entry a log, from one answer of the cluster.
    pub roles: Vec<LogRoles>,
    /// Every node a fault may touch.
    pub nodes: Vec<(NodeId, NodePart)>,
    /// Every client process.
    pub clients: Vec<(ClientId, ClientPart)>,
    /// What the process of each is doing.
    pub processes: Vec<(Actor, NodeState)>,
    /// Who has the other duties, if that was asked.
    pub duties: Duties,
}

/// Why a fault cannot be done now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Skip {
    /// No roles were told.
    #[error("nobody answered who leads")]
    NobodyAnswers,
    /// The log has no leader at this moment.
    #[error("log {} has no leader now", .0.0)]
    NoLeader(LogId),
    /// The log has no follower to hit.
    #[error("log {} has no follower", .0.0)]
    NoFollower(LogId),
    /// A follower is not in sync.
    #[error("node {} is not in sync on log {}", .1.0, .0.0)]
    NotInSync(LogId, NodeId),
    /// A process does not run.
    #[error("{0} does not run")]
    NotRunning(Actor),
    /// Nobody has the duty, or nobody tells who.
    #[error("nobody is known to {}", .0.verb())]
    NobodyOnDuty(Duty),
    /// No client does that.
    #[error("no client is a {}", .0.word())]
    NoSuchClient(ClientPart),
    /// There are too few brokers to hit that many and leave others.
    #[error("there are too few brokers")]
    TooFewBrokers,
    /// More replicas would lose what they had not made durable than the budget allows.
    #[error("{0} replicas of a log would lose what they had not made durable, the budget is {1}")]
    OverBudget(usize, u32),
    /// The condition did not hold while there was time.
    #[error("`{0}` did not hold in time")]
    NeverHeld(String),
    /// It would reach into the quiet end of the run.
    #[error("no time left before the quiet end")]
    NoTimeLeft,
    /// The run was interrupted first.
    #[error("interrupted")]
    Interrupted,
}

impl Scene {
    /// Takes the snapshot. Processes first: a role told for a process that has ended meanwhile shows as a contradiction
    /// later, the other way round it would not.
    pub fn take(cluster: &mut dyn Cluster) -> Scene {
        let (nodes, clients) = (cluster.nodes(), cluster.clients());
        let actors = nodes.iter().map(|(node, _)| Actor::Node(*node));
        let actors = actors.chain(clients.iter().map(|(client, _)| Actor::Client(*client)));
        let processes = actors.map(|actor| (actor, cluster.state(actor))).collect();
        Scene { nodes, clients, processes, roles: cluster.roles(), duties: Duties::default() }
    }

    /// The same, with the duties freshly asked.
    pub fn with_duties(self, cluster: &mut dyn Cluster) -> Scene {
        Scene { duties: cluster.duties(), ..self }
    }

    /// The life of a running process.
    pub fn life(&self, who: Actor) -> Result<Life, Skip> {
        match self.processes.iter().find(|(actor, _)| *actor == who) {
            Some((_, NodeState::Running(life))) => Ok(*life),
            _ => Err(Skip::NotRunning(who)),
        }
    }

    /// Says no unless every process runs.
    pub fn all_running(&self) -> Result<(), Skip> {
        self.processes.iter().try_for_each(|(actor, _)| self.life(*actor).map(drop))
    }

    /// Every node of a part.
    pub fn of_part(&self, part: NodePart) -> Vec<NodeId> {
        self.nodes.iter().filter(|(_, p)| *p == part).map(|(node, _)| *node).collect()
    }

    /// Everybody there is: nodes, clients and the observer.
    pub fn everybody(&self) -> Vec<Actor> {
        self.processes.iter().map(|(actor, _)| *actor).chain([Actor::Observer]).collect()
    }

    /// Every client process.
    pub fn client_actors(&self) -> Vec<Actor> {
        self.clients.iter().map(|(client, _)| Actor::Client(*client)).collect()
    }

    /// Who has a duty.
    pub fn on_duty(&self, duty: Duty) -> Option<NodeId> {
        match duty {
            Duty::Controller => self.duties.controller,
            Duty::GroupCoordinator => self.duties.group_coordinator,
            Duty::TransactionCoordinator => self.duties.transaction_coordinator,
        }
    }

    /// The roles of a log.
    pub fn log(&self, log: LogId) -> Option<&LogRoles> {
        self.roles.iter().find(|roles| roles.log == log)
    }

    /// Who leads the log.
    pub fn leader(&self, log: LogId) -> Result<(NodeId, LeaderEpoch), Skip> {
        if self.roles.is_empty() {
            return Err(Skip::NobodyAnswers);
        }
        self.log(log).and_then(|roles| roles.leader).ok_or(Skip::NoLeader(log))
    }

    /// The replicas of the log that do not lead it; at least one.
    pub fn followers(&self, log: LogId) -> Result<Vec<NodeId>, Skip> {
        let (leader, _) = self.leader(log)?;
        let replicas = self.log(log).map_or(&[][..], |roles| &roles.replicas);
        let followers: Vec<NodeId> = replicas.iter().copied().filter(|node| *node != leader).collect();
        if followers.is_empty() { Err(Skip::NoFollower(log)) } else { Ok(followers) }
    }

    /// One of the followers.
    pub fn follower(&self, log: LogId, pick: u32) -> Result<NodeId, Skip> {
        let followers = self.followers(log)?;
        Ok(followers[pick as usize % followers.len()])
    }

    /// Says no unless the node counts as in sync on the log.
    pub fn in_sync(&self, log: LogId, node: NodeId) -> Result<(), Skip> {
        let isr = self.log(log).map_or(&[][..], |roles| &roles.isr);
        if isr.contains(&node) { Ok(()) } else { Err(Skip::NotInSync(log, node)) }
    }

    /// True if every log is led and every replica is in sync.
    pub fn all_in_sync(&self) -> bool {
        let whole = |r: &LogRoles| r.leader.is_some() && r.replicas.iter().all(|node| r.isr.contains(node));
        !self.roles.is_empty() && self.roles.iter().all(whole)
    }
}
