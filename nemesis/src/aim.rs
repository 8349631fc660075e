//! Whom a fault hits: a role, resolved to processes at the moment of the injection. Pure.

use crate::actor::{Actor, ClientPart};
use crate::cluster::NodePart;
use crate::episode::Duty;
use crate::scene::{Scene, Skip};
use history::{LogId, NodeId};
use std::fmt;

/// A role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Aim {
    /// The node that leads the log.
    Leader,
    /// One of the nodes that follow it.
    Follower,
    /// Every node in sync on the log, its leader included.
    Isr,
    /// The controller that is active at the moment.
    Controller,
    /// The node that coordinates the consumers' group.
    GroupCoordinator,
    /// The node that coordinates the producers' transactions.
    TransactionCoordinator,
    /// Every broker.
    All,
    /// Some brokers, from one to all but one.
    Some,
    /// Fewer than half of the brokers, the leader among them.
    Minority,
    /// More than half of the brokers, the leader among them.
    Majority,
    /// A client process that appends.
    Producer,
    /// A client process that reads.
    Consumer,
    /// The cluster as a whole: the fault itself says who.
    Cluster,
    /// Requests of a kind, wherever clients send them.
    Requests(Api),
}

/// A kind of request of the Kafka protocol that faults are aimed at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "named as in the protocol")]
pub enum Api {
    Produce,
    Fetch,
    Metadata,
    OffsetCommit,
    FindCoordinator,
    JoinGroup,
    Heartbeat,
    InitProducerId,
    AddPartitionsToTxn,
    EndTxn,
}

impl Api {
    /// Its number in the protocol.
    pub fn key(self) -> i16 {
        match self {
            Api::Produce => 0,
            Api::Fetch => 1,
            Api::Metadata => 3,
            Api::OffsetCommit => 8,
            Api::FindCoordinator => 10,
            Api::JoinGroup => 11,
            Api::Heartbeat => 12,
            Api::InitProducerId => 22,
            Api::AddPartitionsToTxn => 24,
            Api::EndTxn => 26,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Api::Produce => "produce",
            Api::Fetch => "fetch",
            Api::Metadata => "metadata",
            Api::OffsetCommit => "offset-commit",
            Api::FindCoordinator => "find-coordinator",
            Api::JoinGroup => "join-group",
            Api::Heartbeat => "heartbeat",
            Api::InitProducerId => "init-producer-id",
            Api::AddPartitionsToTxn => "add-partitions-to-txn",
            Api::EndTxn => "end-txn",
        }
    }

    /// True if only members of a group send it.
    pub fn is_of_groups(self) -> bool {
        matches!(self, Api::OffsetCommit | Api::JoinGroup | Api::Heartbeat)
    }

    /// True if only producers with transactions send it.
    pub fn is_of_transactions(self) -> bool {
        matches!(self, Api::AddPartitionsToTxn | Api::EndTxn)
    }
}

impl Aim {
    /// Every aim that is somebody: nodes first, then clients, then everybody at once.
    pub const ALL: [Aim; 13] = [
        Aim::Leader,
        Aim::Follower,
        Aim::Isr,
        Aim::Controller,
        Aim::GroupCoordinator,
        Aim::TransactionCoordinator,
        Aim::All,
        Aim::Some,
        Aim::Minority,
        Aim::Majority,
        Aim::Producer,
        Aim::Consumer,
        Aim::Cluster,
    ];

    /// Every aim that is a process or several.
    pub const PROCESSES: &'static [Aim] = Aim::LISTED.split_at(12).0;

    /// Every aim that is one node or several.
    pub const NODES: &'static [Aim] = Aim::LISTED.split_at(10).0;

    const LISTED: &'static [Aim; 13] = &Aim::ALL;

    /// As it is part of a fault's name.
    pub fn word(self) -> &'static str {
        match self {
            Aim::Leader => "leader",
            Aim::Follower => "follower",
            Aim::Isr => "isr",
            Aim::Controller => "controller",
            Aim::GroupCoordinator => "group-coordinator",
            Aim::TransactionCoordinator => "transaction-coordinator",
            Aim::All => "all",
            Aim::Some => "some",
            Aim::Minority => "minority",
            Aim::Majority => "majority",
            Aim::Producer => "producer",
            Aim::Consumer => "consumer",
            Aim::Cluster => "cluster",
            Aim::Requests(api) => api.word(),
        }
    }

    /// In words.
    pub fn about(self) -> &'static str {
        match self {
            Aim::Leader => "the node that leads a log",
            Aim::Follower => "a node that follows a log",
            Aim::Isr => "every node in sync on a log",
            Aim::Controller => "the active controller",
            Aim::GroupCoordinator => "the coordinator of the consumers' group",
            Aim::TransactionCoordinator => "the coordinator of transactions",
            Aim::All => "every broker",
            Aim::Some => "some brokers",
            Aim::Minority => "fewer than half of the brokers, a log's leader among them",
            Aim::Majority => "more than half of the brokers, a log's leader among them",
            Aim::Producer => "a producer's process",
            Aim::Consumer => "a consumer's process",
            Aim::Cluster => "the cluster",
            Aim::Requests(api) => api.word(),
        }
    }

    /// True if it hits processes of clients.
    pub fn is_of_clients(self) -> bool {
        matches!(self, Aim::Producer | Aim::Consumer)
    }

    /// True if it hits one process, never several.
    pub fn is_single(self) -> bool {
        !matches!(
            self,
            Aim::Isr | Aim::All | Aim::Some | Aim::Minority | Aim::Majority | Aim::Cluster | Aim::Requests(_)
        )
    }

    /// The duty it asks for, if it is one that only the cluster can tell.
    pub fn duty(self) -> Option<Duty> {
        match self {
            Aim::Controller => Some(Duty::Controller),
            Aim::GroupCoordinator => Some(Duty::GroupCoordinator),
            Aim::TransactionCoordinator => Some(Duty::TransactionCoordinator),
            _ => None,
        }
    }

    /// Who that is now, at least one; `pick` decides where the role leaves a choice.
    pub fn resolve(self, scene: &Scene, log: LogId, pick: u32) -> Result<Vec<Actor>, Skip> {
        let nodes = |nodes: Vec<NodeId>| nodes.into_iter().map(Actor::Node).collect();
        match self {
            Aim::Leader => Ok(vec![scene.leader(log)?.0.into()]),
            Aim::Follower => Ok(vec![scene.follower(log, pick)?.into()]),
            Aim::Isr => scene.leader(log).map(|_| nodes(scene.log(log).map_or(Vec::new(), |roles| roles.isr.clone()))),
            Aim::Controller | Aim::GroupCoordinator | Aim::TransactionCoordinator => {
                let duty = self.duty().unwrap_or(Duty::Controller);
                scene.on_duty(duty).map(|node| vec![node.into()]).ok_or(Skip::NobodyOnDuty(duty))
            }
            Aim::Requests(Api::Produce | Api::Fetch) => Ok(vec![scene.leader(log)?.0.into()]),
            Aim::All | Aim::Cluster | Aim::Requests(_) => Ok(nodes(scene.of_part(NodePart::Broker))),
            Aim::Some => Ok(nodes(some(scene, pick))),
            Aim::Minority => around_leader(scene, log, |brokers| (brokers.saturating_sub(1)) / 2).map(nodes),
            Aim::Majority => around_leader(scene, log, |brokers| brokers / 2 + 1).map(nodes),
            Aim::Producer => client(scene, ClientPart::Producer, pick),
            Aim::Consumer => client(scene, ClientPart::Consumer, pick),
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A subset of the brokers: neither empty nor, where there are two or more, all of them.
fn some(scene: &Scene, pick: u32) -> Vec<NodeId> {
    let brokers = scene.of_part(NodePart::Broker);
    let subsets = (1_u64 << brokers.len().min(32)).saturating_sub(2).max(1);
    let chosen = 1 + u64::from(pick) % subsets;
    brokers.into_iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, node)| node).collect()
}

/// So many brokers as `count` says of all, the log's leader first.
fn around_leader(scene: &Scene, log: LogId, count: fn(usize) -> usize) -> Result<Vec<NodeId>, Skip> {
    let (leader, _) = scene.leader(log)?;
    let brokers = scene.of_part(NodePart::Broker);
    let wanted = count(brokers.len());
    let others = brokers.into_iter().filter(|node| *node != leader);
    let chosen: Vec<NodeId> = std::iter::once(leader).chain(others).take(wanted).collect();
    if chosen.is_empty() { Err(Skip::TooFewBrokers) } else { Ok(chosen) }
}

fn client(scene: &Scene, part: ClientPart, pick: u32) -> Result<Vec<Actor>, Skip> {
    let clients: Vec<Actor> =
        scene.clients.iter().filter(|(_, p)| p.does(part)).map(|(id, _)| Actor::Client(*id)).collect();
    match clients.len() {
        0 => Err(Skip::NoSuchClient(part)),
        n => Ok(vec![clients[pick as usize % n]]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::ClientId;
    use crate::sim::{Flaw, Sim};
    use std::collections::BTreeSet;

    fn resolved(aim: Aim, pick: u32) -> Vec<Actor> {
        let mut sim = Sim::new(1, Flaw::None);
        let scene = Scene::take(&mut sim).with_duties(&mut sim);
        let mut actors = aim.resolve(&scene, LogId(1), pick).unwrap();
        actors.sort_unstable();
        actors
    }

    fn nodes(ids: &[i32]) -> Vec<Actor> {
        ids.iter().map(|id| Actor::Node(NodeId(*id))).collect()
    }

    #[test]
    fn a_role_is_who_has_it_at_that_moment() {
        for (aim, expected) in [
            (Aim::Leader, &[2][..]),
            (Aim::Isr, &[1, 2, 3]),
            (Aim::Controller, &[100]),
            (Aim::GroupCoordinator, &[1]),
            (Aim::TransactionCoordinator, &[3]),
            (Aim::All, &[1, 2, 3]),
            (Aim::Minority, &[2]),
            (Aim::Majority, &[1, 2]),
        ] {
            assert_eq!(resolved(aim, 7), nodes(expected), "{aim}");
        }
        assert!((0..9).all(|pick| matches!(resolved(Aim::Producer, pick)[..], [Actor::Client(_)])));
    }

    #[test]
    fn who_makes_records_of_records_is_hit_as_a_producer_and_as_a_consumer() {
        let clients = [ClientPart::Producer, ClientPart::Transformer, ClientPart::Consumer, ClientPart::Other];
        let clients = (0..).map(ClientId).zip(clients).collect();
        let scene = Scene { clients, ..Scene::default() };
        let hit = |aim: Aim| (0..4).map(|pick| aim.resolve(&scene, LogId(0), pick).unwrap()).collect::<BTreeSet<_>>();
        let those = |ids: [u32; 2]| ids.map(|id| vec![Actor::Client(ClientId(id))]).into();
        assert_eq!(hit(Aim::Producer), those([0, 1]));
        assert_eq!(hit(Aim::Consumer), those([1, 2]));
        let skip = Aim::Consumer.resolve(&Scene::default(), LogId(0), 0).unwrap_err();
        assert_eq!(skip.to_string(), "no client is a consumer");
    }

    #[test]
    fn some_are_neither_none_nor_all_and_each_choice_comes() {
        let choices: BTreeSet<Vec<Actor>> = (0..60).map(|pick| resolved(Aim::Some, pick)).collect();
        assert_eq!(choices.len(), 6);
        assert!(choices.iter().all(|c| (1..3).contains(&c.len())));
    }

    #[test]
    fn nobody_on_duty_is_a_skip_with_a_reason() {
        let mut sim = Sim::new(1, Flaw::None);
        let scene = Scene::take(&mut sim);
        let skip = Aim::GroupCoordinator.resolve(&scene, LogId(0), 0).unwrap_err();
        assert_eq!(skip.to_string(), "nobody is known to coordinate the group");
    }
}
