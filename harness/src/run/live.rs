//! The running cluster as the nemesis sees it: nodes are processes, roles are what brokers answer right now.

use super::clients::Clients;
use super::duties::{self, Asking};
use super::log_ends::LogEnds;
use super::network::Hold;
use super::nodes::Nodes;
use super::processes::Processes;
use crate::guard::Signal;
use crate::systems::{NodeRole, Owned};
use history::{LogId, Nanos, NodeId, Offset};
use nemesis::cluster::{Appends, Cluster, Duties, Life, LogRoles, NodePart, NodeState, Probe, Reaped, Refusal};
use nemesis::disk::{Damage, DiskCounts, DiskFault, Wreck};
use nemesis::network::{Network, Traffic};
use nemesis::skew::{ClockReading, Skew};
use nemesis::{Actor, ClientId, ClientPart};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use workloads::clock::{self, Deadline};
use workloads::spec::LogPlace;
use workloads::wire::{Connection, PartitionView, WireError};

pub(super) const CLIENT: &str = "stormglass-controller";
const ROLES_MS_MAX: u64 = 1_000;

/// The cluster of a run.
pub struct Live<'a> {
    /// Its processes.
    pub processes: &'a mut Processes,
    /// Its nodes.
    pub nodes: &'a mut Nodes,
    /// Its clients, and what they have appended.
    pub clients: &'a mut Clients,
    /// The hold on the network.
    pub network: &'a mut Hold,
    /// The ends of replicas, followed.
    pub ends: &'a mut LogEnds,
    /// Its logs.
    pub logs: &'a [LogPlace],
    /// The topic under load.
    pub topic: &'a str,
}

impl Live<'_> {
    /// The brokers that can be asked; of somebody else's it is not known.
    fn running_brokers(&self) -> Vec<NodeId> {
        let running = |node: &NodeId| {
            matches!(self.nodes.state(*node), NodeState::Running(_)) || !self.nodes.ours().contains(node)
        };
        self.nodes.brokers().into_iter().filter(running).collect()
    }

    fn partitions_seen_by(&self, node: NodeId) -> Result<Vec<PartitionView>, WireError> {
        let address = self.nodes.plan(node).map(|p| p.address.to_string()).unwrap_or_default();
        let deadline = Deadline::in_ms(ROLES_MS_MAX);
        let mut connection = Connection::open(&address, CLIENT, deadline)?;
        let view = connection.metadata(Some(&[self.topic]), deadline)?;
        Ok(view.topics.into_iter().filter(|t| t.name == self.topic).flat_map(|t| t.partitions).collect())
    }
}

impl Cluster for Live<'_> {
    fn now(&self) -> Nanos {
        clock::now()
    }

    fn nodes(&self) -> Vec<(NodeId, NodePart)> {
        self.nodes.ours_to_break()
    }

    fn clients(&self) -> Vec<(ClientId, ClientPart)> {
        self.clients.parts()
    }

    fn state(&self, who: Actor) -> NodeState {
        match who {
            Actor::Node(node) => self.nodes.state(node),
            Actor::Client(client) => self.clients.state(client),
            Actor::Observer => NodeState::Down,
        }
    }

    fn kill(&mut self, who: Actor) -> Result<Reaped, Refusal> {
        match who {
            Actor::Client(client) => self.clients.end(client, Signal::Kill, self.processes),
            who => self.nodes.kill(node(who)?, self.processes),
        }
    }

    fn terminate(&mut self, who: Actor) -> Result<Reaped, Refusal> {
        match who {
            Actor::Client(client) => self.clients.end(client, Signal::Terminate, self.processes),
            who => self.nodes.terminate(node(who)?, self.processes),
        }
    }

    fn pause(&mut self, who: Actor) -> Result<(), Refusal> {
        match who {
            Actor::Client(client) => self.clients.pause(client, self.processes),
            who => self.nodes.pause(node(who)?, self.processes),
        }
    }

    fn resume(&mut self, who: Actor) -> Result<(), Refusal> {
        match who {
            Actor::Client(client) => self.clients.resume(client, self.processes),
            who => self.nodes.resume(node(who)?, self.processes),
        }
    }

    fn start(&mut self, who: Actor) -> Result<Life, Refusal> {
        match who {
            Actor::Client(client) => self.clients.start_successor(client, self.processes),
            who => self.nodes.start(node(who)?, self.processes),
        }
    }

    /// Every running broker is asked; of several answers about a partition the one of the latest reign counts.
    fn roles(&mut self) -> Vec<LogRoles> {
        let asked = self.running_brokers();
        let mut latest: BTreeMap<i32, PartitionView> = BTreeMap::new();
        for view in asked.into_iter().filter_map(|node| self.partitions_seen_by(node).ok()).flatten() {
            let known = latest.get(&view.partition);
            if known.is_none_or(|k| (view.epoch, view.leader.is_some()) > (k.epoch, k.leader.is_some())) {
                latest.insert(view.partition, view);
            }
        }
        latest.into_values().map(roles_of).collect()
    }

    fn appends(&self, log: LogId) -> Appends {
        self.clients.tally.appends(log)
    }

    fn probe(&mut self, node: NodeId, timeout_ms: u64) -> Probe {
        let Some(plan) = self.nodes.plan(node) else { return Probe::Refused };
        let deadline = Deadline::in_ms(timeout_ms);
        match Connection::open(&plan.address.to_string(), CLIENT, deadline) {
            Ok(_) => Probe::Answered,
            Err(WireError::Timeout { .. }) => Probe::TimedOut,
            // A controller may speak a protocol of its own, and hangs up on another one: that, too, is an answer.
            Err(WireError::Io { source, .. })
                if plan.role == NodeRole::Controller && source.kind() != ErrorKind::ConnectionRefused =>
            {
                Probe::Answered
            }
            Err(_) => Probe::Refused,
        }
    }

    fn process_state(&self, who: Actor) -> Option<char> {
        match who {
            Actor::Node(node) => self.nodes.process_state(node),
            Actor::Client(client) => self.clients.process_state(client),
            Actor::Observer => None,
        }
    }

    fn duties(&mut self) -> Duties {
        let parts = self.nodes.ours_to_break().into_iter();
        let controllers: Vec<NodeId> = parts.filter(|(_, p)| *p == NodePart::Controller).map(|(n, _)| n).collect();
        let running = self.running_brokers().into_iter();
        let addresses = running.filter_map(|node| Some(self.nodes.plan(node)?.address.to_string())).collect();
        duties::ask(&Asking {
            brokers: addresses,
            only_controller: if let [only] = controllers[..] { Some(only) } else { None },
            group: self.clients.group(),
            transactional_id: self.clients.transactional_id(),
        })
    }

    /// As the brokers' files have it, up or down.
    fn log_ends(&mut self, log: LogId) -> Vec<(NodeId, Offset)> {
        let Some(place) = self.logs.iter().find(|place| place.id == log) else { return Vec::new() };
        let folder = format!("{}-{}", place.topic, place.partition);
        let brokers = self.nodes.plans().filter(|plan| plan.role == NodeRole::Broker && plan.owned == Owned::Ours);
        let ends = &mut *self.ends;
        brokers.filter_map(|plan| Some((plan.id, ends.of(plan.id, &plan.data.join(&folder))?))).collect()
    }

    fn set_network(&mut self, network: &Network) -> Result<(), Refusal> {
        self.network.set(network)
    }

    fn network(&self) -> Network {
        self.network.network().clone()
    }

    fn traffic(&mut self) -> Result<Vec<Traffic>, Refusal> {
        self.network.traffic()
    }

    fn round_trip(&mut self, node: NodeId, timeout_ms: u64) -> Option<u64> {
        let address = self.nodes.plan(node)?.advertised.to_string();
        let (began, deadline) = (clock::now(), Deadline::in_ms(timeout_ms));
        Connection::open(&address, CLIENT, deadline).ok().map(|_| clock::now().since(began) / 1000)
    }

    fn mend(&mut self, who: Actor) -> Result<(), Refusal> {
        match who {
            Actor::Client(client) => self.clients.mend(client),
            who => self.nodes.holds().mend(node(who)?)?,
        }
        Ok(())
    }

    fn break_disk(&mut self, node: NodeId, fault: DiskFault) -> Result<(), Refusal> {
        self.nodes.holds().break_disk(node, fault)
    }

    fn wreck_disk(&mut self, node: NodeId, wreck: Wreck, seed: u64) -> Result<Damage, Refusal> {
        self.nodes.wreck(node, wreck, seed)
    }

    fn disk_counts(&mut self, node: NodeId) -> Result<DiskCounts, Refusal> {
        self.nodes.holds().disk_counts(node)
    }

    fn skew_clock(&mut self, who: Actor, skew: Skew) -> Result<(), Refusal> {
        match who {
            Actor::Client(client) => self.clients.skew(client, skew),
            who => self.nodes.holds().skew(node(who)?, skew),
        }
    }

    fn clock_reading(&mut self, who: Actor) -> Result<ClockReading, Refusal> {
        match who {
            Actor::Client(client) => self.clients.clock_reading(client),
            who => self.nodes.holds().clock_reading(node(who)?),
        }
    }
}

fn node(who: Actor) -> Result<NodeId, Refusal> {
    who.node().ok_or_else(|| Refusal(format!("{who} is no node")))
}

fn roles_of(view: PartitionView) -> LogRoles {
    let leader = view.leader.map(|leader| (leader, view.epoch));
    LogRoles { log: LogId(view.partition.unsigned_abs()), leader, replicas: view.replicas, isr: view.in_sync }
}
