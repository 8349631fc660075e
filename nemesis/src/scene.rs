//! The scene of an episode: who leads and keeps what, and which processes live, at one moment. Pure data.

use crate::cluster::{Cluster, Life, LogRoles, NodeState};
use history::{LeaderEpoch, LogId, NodeId};

/// A snapshot of roles and processes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scene {
    /// One entry a log, from one answer of the cluster.
    pub roles: Vec<LogRoles>,
    /// Every node a fault may touch.
    pub nodes: Vec<(NodeId, NodeState)>,
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
    /// A node does not run.
    #[error("node {} does not run", .0.0)]
    NotRunning(NodeId),
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
        let nodes = cluster.nodes().into_iter().map(|node| (node, cluster.state(node))).collect();
        Scene { nodes, roles: cluster.roles() }
    }

    /// The life of a running node.
    pub fn life(&self, node: NodeId) -> Result<Life, Skip> {
        match self.nodes.iter().find(|(n, _)| *n == node) {
            Some((_, NodeState::Running(life))) => Ok(*life),
            _ => Err(Skip::NotRunning(node)),
        }
    }

    /// Says no unless every node runs.
    pub fn all_running(&self) -> Result<(), Skip> {
        self.nodes.iter().try_for_each(|(node, _)| self.life(*node).map(drop))
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
