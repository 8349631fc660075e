//! The nodes of the cluster as processes: running, paused or down.
//!
//! **Invariant:** a node's state says what was done to its process and what the guard reported of it; a node that ended
//! without being asked to is Down and remembered as a surprise.

use super::processes::Processes;
use crate::guard::proc::{self, Stat};
use crate::guard::{Ended, GuardError, Signal, Spawned};
use crate::holds::Holds;
use crate::systems::{NodePlan, NodeRole, Owned};
use history::NodeId;
use nemesis::cluster::{Exit, Life, NodePart, NodeState, Reaped, Refusal};
use nemesis::disk::{Damage, Wreck};
use std::collections::BTreeMap;
use std::time::Duration;

const REAP_DEADLINE: Duration = Duration::from_secs(5);
const TERMINATE_DEADLINE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
enum State {
    Running(Spawned),
    Paused(Spawned),
    Down,
}

#[derive(Debug)]
struct Node {
    plan: NodePlan,
    state: State,
}

/// A node that ended without being asked to.
#[derive(Clone, Copy, Debug)]
pub struct Surprise {
    /// Which.
    pub node: NodeId,
    /// How.
    pub ended: Ended,
}

/// All nodes of a cluster.
#[derive(Debug)]
pub struct Nodes {
    nodes: BTreeMap<NodeId, Node>,
    holds: Holds,
    surprises: Vec<Surprise>,
}

impl Nodes {
    /// Nodes that have not been started, with the grips on their disks and clocks.
    pub fn new(plans: Vec<NodePlan>, holds: Holds) -> Nodes {
        let nodes = plans.into_iter().map(|plan| (plan.id, Node { plan, state: State::Down })).collect();
        Nodes { nodes, holds, surprises: Vec::new() }
    }

    /// Their plans, by id.
    pub fn plans(&self) -> impl Iterator<Item = &NodePlan> {
        self.nodes.values().map(|n| &n.plan)
    }

    /// The plan of one.
    pub fn plan(&self, node: NodeId) -> Option<&NodePlan> {
        self.nodes.get(&node).map(|n| &n.plan)
    }

    /// The brokers.
    pub fn brokers(&self) -> Vec<NodeId> {
        self.plans().filter(|p| p.role == NodeRole::Broker).map(|p| p.id).collect()
    }

    /// The nodes that are ours to start and end, by id.
    pub fn ours(&self) -> Vec<NodeId> {
        self.plans().filter(|p| p.owned == Owned::Ours).map(|p| p.id).collect()
    }

    /// The nodes that are ours to break.
    pub fn ours_to_break(&self) -> Vec<(NodeId, NodePart)> {
        let part = |role| match role {
            NodeRole::Broker => NodePart::Broker,
            NodeRole::Controller => NodePart::Controller,
        };
        self.plans().filter(|p| p.owned == Owned::Ours).map(|p| (p.id, part(p.role))).collect()
    }

    /// `host:port` of every broker, as its clients are to reach it.
    pub fn bootstrap(&self) -> Vec<String> {
        self.plans().filter(|p| p.role == NodeRole::Broker).map(|p| p.advertised.to_string()).collect()
    }

    /// Nodes that ended without being asked to, so far.
    pub fn surprises(&self) -> &[Surprise] {
        &self.surprises
    }

    /// Learns which running nodes have ended.
    pub fn notice(&mut self, processes: &mut Processes) {
        for (id, node) in &mut self.nodes {
            if let State::Running(life) | State::Paused(life) = node.state
                && let Some(exited) = processes.ended(life.child)
            {
                node.state = State::Down;
                if self.holds.excuses(*id) {
                    continue;
                }
                self.surprises.push(Surprise { node: *id, ended: exited.ended });
            }
        }
    }

    /// What a node's process is doing.
    pub fn state(&self, node: NodeId) -> NodeState {
        match self.nodes.get(&node).map(|n| n.state) {
            Some(State::Running(life)) => NodeState::Running(life_of(life)),
            Some(State::Paused(life)) => NodeState::Paused(life_of(life)),
            Some(State::Down) | None => NodeState::Down,
        }
    }

    /// The kernel's state letter of a node's process.
    pub fn process_state(&self, node: NodeId) -> Option<char> {
        let life = self.life(node)?;
        Stat::read(life.pid).ok().filter(|s| s.start_time == life.start_time).map(|s| s.state)
    }

    /// Resident memory of a node's process, bytes.
    pub fn rss_bytes(&self, node: NodeId) -> Option<u64> {
        proc::rss_bytes(self.life(node)?.pid).ok()
    }

    /// Starts a node that is down.
    pub fn start(&mut self, node: NodeId, processes: &mut Processes) -> Result<Life, Refusal> {
        let entry = self.entry(node)?;
        if entry.plan.owned == Owned::Theirs {
            return Err(Refusal(format!("node {} is somebody else's", node.0)));
        }
        if !matches!(entry.state, State::Down) {
            return Err(Refusal(format!("node {} is already running", node.0)));
        }
        let life = processes.spawn(&entry.plan.argv, &entry.plan.launch, &entry.plan.stdout).map_err(refusal)?;
        entry.state = State::Running(life);
        self.holds.excuse_no_more(node);
        Ok(life_of(life))
    }

    /// SIGKILLs a node and waits until it was reaped.
    pub fn kill(&mut self, node: NodeId, processes: &mut Processes) -> Result<Reaped, Refusal> {
        let life = self.life(node).ok_or_else(|| Refusal(format!("node {} has no process", node.0)))?;
        processes.signal(life.child, Signal::Kill).map_err(refusal)?;
        let exited = processes.wait_ended(life.child, REAP_DEADLINE);
        let exited = exited.ok_or_else(|| Refusal(format!("node {} was killed and not reaped", node.0)))?;
        self.entry(node)?.state = State::Down;
        Ok(Reaped { pid: exited.pid, exit: exit_of(exited.ended) })
    }

    /// SIGTERMs a node and waits until it has ended.
    pub fn terminate(&mut self, node: NodeId, processes: &mut Processes) -> Result<Reaped, Refusal> {
        let life = self.life(node).ok_or_else(|| Refusal(format!("node {} has no process", node.0)))?;
        processes.signal(life.child, Signal::Terminate).map_err(refusal)?;
        let exited = processes.wait_ended(life.child, TERMINATE_DEADLINE);
        let exited = exited.ok_or_else(|| Refusal(format!("node {} did not end on SIGTERM", node.0)))?;
        self.entry(node)?.state = State::Down;
        Ok(Reaped { pid: exited.pid, exit: exit_of(exited.ended) })
    }

    /// SIGSTOPs a running node.
    pub fn pause(&mut self, node: NodeId, processes: &mut Processes) -> Result<(), Refusal> {
        let entry = self.entry(node)?;
        let State::Running(life) = entry.state else { return Err(Refusal(format!("node {} is not running", node.0))) };
        processes.signal(life.child, Signal::Stop).map_err(refusal)?;
        entry.state = State::Paused(life);
        Ok(())
    }

    /// SIGCONTs a paused node.
    pub fn resume(&mut self, node: NodeId, processes: &mut Processes) -> Result<(), Refusal> {
        let entry = self.entry(node)?;
        let State::Paused(life) = entry.state else { return Err(Refusal(format!("node {} is not paused", node.0))) };
        processes.signal(life.child, Signal::Continue).map_err(refusal)?;
        entry.state = State::Running(life);
        Ok(())
    }

    /// The grips on disks and clocks.
    pub fn holds(&mut self) -> &mut Holds {
        &mut self.holds
    }

    /// Harms the disk of a node that is down.
    pub fn wreck(&mut self, node: NodeId, wreck: Wreck, seed: u64) -> Result<Damage, Refusal> {
        if self.life(node).is_some() {
            return Err(Refusal(format!("node {} runs: its disk is in use", node.0)));
        }
        let plan = self.nodes.get(&node).map(|n| &n.plan);
        let plan = plan.ok_or_else(|| Refusal(format!("there is no node {}", node.0)))?;
        self.holds.wreck(plan, wreck, seed)
    }

    /// Asks every node to end in an orderly way, brokers before controllers, and kills those that do not in time.
    pub fn stop_all(&mut self, processes: &mut Processes, deadline: Duration) {
        for node in self.ours() {
            let _ = self.holds.mend(node);
        }
        self.notice(processes);
        for role in [NodeRole::Broker, NodeRole::Controller] {
            let lives: Vec<Spawned> = self.take_running(role);
            for life in &lives {
                let _ = processes.signal(life.child, Signal::Terminate);
                let _ = processes.signal(life.child, Signal::Continue);
            }
            for life in lives {
                if processes.wait_ended(life.child, deadline).is_none() {
                    let _ = processes.signal(life.child, Signal::Kill);
                    let _ = processes.wait_ended(life.child, REAP_DEADLINE);
                }
            }
        }
    }

    fn take_running(&mut self, role: NodeRole) -> Vec<Spawned> {
        let nodes = self.nodes.values_mut().filter(|n| n.plan.role == role);
        nodes
            .filter_map(|node| match std::mem::replace(&mut node.state, State::Down) {
                State::Running(life) | State::Paused(life) => Some(life),
                State::Down => None,
            })
            .collect()
    }

    fn entry(&mut self, node: NodeId) -> Result<&mut Node, Refusal> {
        self.nodes.get_mut(&node).ok_or_else(|| Refusal(format!("there is no node {}", node.0)))
    }

    fn life(&self, node: NodeId) -> Option<Spawned> {
        match self.nodes.get(&node)?.state {
            State::Running(life) | State::Paused(life) => Some(life),
            State::Down => None,
        }
    }
}

fn life_of(spawned: Spawned) -> Life {
    Life { pid: spawned.pid, start_time: spawned.start_time }
}

fn exit_of(ended: Ended) -> Exit {
    match ended {
        Ended::Code(code) => Exit::Code(code),
        Ended::Signal(signal) => Exit::Signal(signal),
    }
}

fn refusal(error: GuardError) -> Refusal {
    Refusal(error.to_string())
}
