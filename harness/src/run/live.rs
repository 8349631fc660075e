//! The running cluster as the nemesis sees it: nodes are processes, roles are what brokers answer right now.

use super::nodes::Nodes;
use super::processes::Processes;
use super::tally::Tally;
use history::{LogId, Nanos, NodeId, Offset};
use nemesis::cluster::{Appends, Cluster, Duties, Life, LogRoles, NodePart, NodeState, Probe, Reaped, Refusal};
use nemesis::disk::{Damage, DiskCounts, DiskFault, Wreck};
use nemesis::network::{Network, Traffic};
use nemesis::skew::{ClockReading, Skew};
use nemesis::{Actor, ClientId, ClientPart};
use std::collections::BTreeMap;
use workloads::clock::{self, Deadline};
use workloads::wire::{Connection, PartitionView, WireError};

const CLIENT: &str = "stormglass-controller";
const ROLES_MS_MAX: u64 = 1_000;

/// The cluster of a run.
pub struct Live<'a> {
    /// Its processes.
    pub processes: &'a mut Processes,
    /// Its nodes.
    pub nodes: &'a mut Nodes,
    /// What clients have appended.
    pub tally: &'a Tally,
    /// The topic under load.
    pub topic: &'a str,
}

impl Live<'_> {
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
        Vec::new()
    }

    fn state(&self, who: Actor) -> NodeState {
        who.node().map_or(NodeState::Down, |node| self.nodes.state(node))
    }

    fn kill(&mut self, who: Actor) -> Result<Reaped, Refusal> {
        self.nodes.kill(node(who)?, self.processes)
    }

    fn terminate(&mut self, who: Actor) -> Result<Reaped, Refusal> {
        self.nodes.terminate(node(who)?, self.processes)
    }

    fn pause(&mut self, who: Actor) -> Result<(), Refusal> {
        self.nodes.pause(node(who)?, self.processes)
    }

    fn resume(&mut self, who: Actor) -> Result<(), Refusal> {
        self.nodes.resume(node(who)?, self.processes)
    }

    fn start(&mut self, who: Actor) -> Result<Life, Refusal> {
        self.nodes.start(node(who)?, self.processes)
    }

    /// Every running broker is asked; of several answers about a partition the one of the latest reign counts.
    fn roles(&mut self) -> Vec<LogRoles> {
        let running = |node: &NodeId| {
            matches!(self.nodes.state(*node), NodeState::Running(_)) || !self.nodes.ours().contains(node)
        };
        let asked: Vec<NodeId> = self.nodes.brokers().into_iter().filter(running).collect();
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
        self.tally.appends(log)
    }

    fn probe(&mut self, node: NodeId, timeout_ms: u64) -> Probe {
        let Some(plan) = self.nodes.plan(node) else { return Probe::Refused };
        let deadline = Deadline::in_ms(timeout_ms);
        match Connection::open(&plan.address.to_string(), CLIENT, deadline) {
            Ok(_) => Probe::Answered,
            Err(WireError::Timeout { .. }) => Probe::TimedOut,
            Err(_) => Probe::Refused,
        }
    }

    fn process_state(&self, who: Actor) -> Option<char> {
        self.nodes.process_state(who.node()?)
    }

    /// Of several controllers nobody is asked yet which one is active.
    fn duties(&mut self) -> Duties {
        let parts = self.nodes.ours_to_break().into_iter();
        let controllers: Vec<NodeId> = parts.filter(|(_, p)| *p == NodePart::Controller).map(|(n, _)| n).collect();
        let controller = if let [only] = controllers[..] { Some(only) } else { None };
        Duties { controller, ..Duties::default() }
    }

    fn log_ends(&mut self, _: LogId) -> Vec<(NodeId, Offset)> {
        Vec::new()
    }

    fn set_network(&mut self, network: &Network) -> Result<(), Refusal> {
        if network.is_clear() { Ok(()) } else { Err(Refusal("there is no proxy before the nodes".into())) }
    }

    fn network(&self) -> Network {
        Network::default()
    }

    fn traffic(&mut self) -> Result<Vec<Traffic>, Refusal> {
        Ok(Vec::new())
    }

    fn round_trip(&mut self, node: NodeId, timeout_ms: u64) -> Option<u64> {
        let address = self.nodes.plan(node)?.advertised.to_string();
        let (began, deadline) = (clock::now(), Deadline::in_ms(timeout_ms));
        Connection::open(&address, CLIENT, deadline).ok().map(|_| clock::now().since(began) / 1000)
    }

    fn mend(&mut self, who: Actor) -> Result<(), Refusal> {
        self.nodes.holds().mend(node(who)?)
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
        self.nodes.holds().skew(node(who)?, skew)
    }

    fn clock_reading(&mut self, who: Actor) -> Result<ClockReading, Refusal> {
        self.nodes.holds().clock_reading(node(who)?)
    }
}

fn node(who: Actor) -> Result<NodeId, Refusal> {
    who.node().ok_or_else(|| Refusal(format!("{who} is no node")))
}

fn roles_of(view: PartitionView) -> LogRoles {
    let leader = view.leader.map(|leader| (leader, view.epoch));
    LogRoles { log: LogId(view.partition.unsigned_abs()), leader, replicas: view.replicas, isr: view.in_sync }
}
