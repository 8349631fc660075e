//! A cluster in memory, for the tests: nodes with sessions and in-sync sets, a clock that only the test moves, and the
//! ways in which a real one disappoints.

use crate::cluster::{Appends, Cluster, Exit, Life, LogRoles, NodeState, Probe, Reaped, Refusal, SIGKILL};
use history::{LeaderEpoch, LogId, Nanos, NodeId};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

const STEP_MS: u64 = 10;
const CATCH_UP_MS: u64 = 200;

/// What is wrong with the cluster, or with what hurts it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Flaw {
    /// Nothing.
    None,
    /// SIGKILL is reported, and the process lives on.
    KillLies,
    /// Another process is killed and reported.
    KillsAnother,
    /// SIGSTOP is reported, and the process runs on.
    PauseLies,
    /// The node is said to be paused, and the process runs on.
    PausedInNameOnly,
    /// SIGSTOP stops it for a moment only.
    PauseWearsOff,
    /// Requests are refused with this chance; half of the refused ones were done nevertheless.
    Refuses(f64),
    /// The node starts only as long as it never went down.
    NeverRestarts(NodeId),
    /// Nobody tells roles.
    NobodyAnswers,
    /// The log has no leader.
    Leaderless(LogId),
    /// Appends are acknowledged by the leader alone.
    AcksEarly,
    /// Nobody appends.
    Idle,
}

struct Node {
    id: NodeId,
    state: NodeState,
    since: Nanos,
}

struct Log {
    roles: LogRoles,
    appends: Appends,
}

/// The cluster.
pub struct Sim {
    now: Nanos,
    flaw: Flaw,
    nodes: Vec<Node>,
    logs: Vec<Log>,
    rng: Pcg64Mcg,
    next_pid: u32,
    pub session_ms: u64,
    pub lag_ms: u64,
    /// When harm was done, for the tests to see.
    pub harms: Vec<Nanos>,
}

impl Sim {
    pub fn new(seed: u64, flaw: Flaw) -> Sim {
        let now = Nanos(1_000_000_000_000);
        let ids: Vec<NodeId> = (1..=3).map(NodeId).collect();
        let node = |(at, id): (usize, &NodeId)| Node { id: *id, state: running(at as u32 + 100), since: Nanos(0) };
        let log = |log: u32| {
            let leader = Some((ids[log as usize % 3], LeaderEpoch(0)));
            let roles = LogRoles { log: LogId(log), leader, replicas: ids.clone(), isr: ids.clone() };
            Log { roles, appends: Appends::default() }
        };
        let (nodes, logs) = (ids.iter().enumerate().map(node).collect(), (0..4).map(log).collect());
        let rng = Pcg64Mcg::seed_from_u64(seed);
        Sim { now, flaw, nodes, logs, rng, next_pid: 200, session_ms: 3000, lag_ms: 3000, harms: Vec::new() }
    }

    /// Lets time pass until `to`.
    pub fn advance(&mut self, to: Nanos) {
        while self.now < to {
            self.now = self.now.plus_ms(STEP_MS);
            self.live();
        }
    }

    pub fn all_running(&self) -> bool {
        self.nodes.iter().all(|node| matches!(node.state, NodeState::Running(_)))
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).unwrap()
    }

    fn quiet_ms(node: &Node, now: Nanos) -> u64 {
        now.since(node.since) / 1_000_000
    }

    fn live(&mut self) {
        let (now, session_ms, lag_ms, flaw) = (self.now, self.session_ms, self.lag_ms, self.flaw);
        let is_running = |node: &Node| matches!(node.state, NodeState::Running(_));
        for log in &mut self.logs {
            let leader = log.roles.leader.and_then(|(id, _)| self.nodes.iter().find(|n| n.id == id));
            let led = leader.is_some_and(is_running);
            let silent = |node: &Node, ms| !is_running(node) && Sim::quiet_ms(node, now) > ms;
            let dead = leader.is_some_and(|node| silent(node, session_ms));
            for node in &self.nodes {
                let leads = leader.is_some_and(|l| l.id == node.id);
                if led && !leads && silent(node, lag_ms.min(session_ms)) {
                    log.roles.isr.retain(|id| *id != node.id);
                }
                if led
                    && is_running(node)
                    && Sim::quiet_ms(node, now) > CATCH_UP_MS
                    && !log.roles.isr.contains(&node.id)
                {
                    log.roles.isr.push(node.id);
                }
            }
            if (dead || leader.is_none()) && flaw != Flaw::Leaderless(log.roles.log) {
                let electable = |n: &&Node| is_running(n) && log.roles.isr.contains(&n.id);
                if let Some(next) = self.nodes.iter().find(electable) {
                    let epoch = log.roles.leader.map_or(1, |(_, epoch)| epoch.0 + 1);
                    log.roles.isr.retain(|id| self.nodes.iter().any(|n| n.id == *id && is_running(n)));
                    log.roles.leader = Some((next.id, LeaderEpoch(epoch)));
                }
            }
            if flaw == Flaw::Leaderless(log.roles.log) {
                log.roles.leader = None;
            }
            let all_see = log.roles.isr.iter().all(|id| self.nodes.iter().any(|n| n.id == *id && is_running(n)));
            log.appends.invoked += u64::from(flaw != Flaw::Idle);
            log.appends.acked += u64::from(flaw != Flaw::Idle && led && (all_see || flaw == Flaw::AcksEarly));
        }
    }

    /// Whether a request is refused, and whether it is done.
    fn fate(&mut self) -> (bool, bool) {
        match self.flaw {
            Flaw::Refuses(chance) if self.rng.random_bool(chance) => (true, self.rng.random_bool(0.5)),
            _ => (false, true),
        }
    }

    fn become_state(&mut self, id: NodeId, state: NodeState) {
        let now = self.now;
        let node = self.node(id);
        (node.state, node.since) = (state, now);
    }
}

fn running(pid: u32) -> NodeState {
    NodeState::Running(Life { pid, start_time: 7 })
}

fn answer<T>(refused: bool, ok: T) -> Result<T, Refusal> {
    if refused { Err(Refusal("refused".into())) } else { Ok(ok) }
}

impl Cluster for Sim {
    fn now(&self) -> Nanos {
        self.now
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    fn state(&self, node: NodeId) -> NodeState {
        self.nodes.iter().find(|n| n.id == node).map_or(NodeState::Down, |n| n.state)
    }

    fn kill(&mut self, node: NodeId) -> Result<Reaped, Refusal> {
        self.harms.push(self.now);
        let Some(life) = self.state(node).life() else { return Err(Refusal("there is no process".into())) };
        let (refused, done) = self.fate();
        let reaped = |pid| Reaped { pid, exit: Exit::Signal(SIGKILL) };
        match self.flaw {
            Flaw::KillLies => return Ok(reaped(life.pid)),
            Flaw::KillsAnother => {
                self.become_state(node, NodeState::Down);
                return Ok(reaped(life.pid + 1));
            }
            _ if done => self.become_state(node, NodeState::Down),
            _ => (),
        }
        answer(refused, reaped(life.pid))
    }

    fn pause(&mut self, node: NodeId) -> Result<(), Refusal> {
        self.harms.push(self.now);
        let (refused, done) = self.fate();
        if let (NodeState::Running(life), true, true) = (self.state(node), done, self.flaw != Flaw::PauseLies) {
            self.become_state(node, NodeState::Paused(life));
        }
        answer(refused, ())
    }

    fn resume(&mut self, node: NodeId) -> Result<(), Refusal> {
        let (refused, done) = self.fate();
        if let (NodeState::Paused(life), true) = (self.state(node), done) {
            self.become_state(node, NodeState::Running(life));
        }
        answer(refused, ())
    }

    fn start(&mut self, node: NodeId) -> Result<Life, Refusal> {
        let (refused, done) = self.fate();
        if self.flaw == Flaw::NeverRestarts(node) {
            return Err(Refusal("its folder is gone".into()));
        }
        self.next_pid += 1;
        let state = running(self.next_pid);
        if let (NodeState::Down, true) = (self.state(node), done) {
            self.become_state(node, state);
        }
        answer(refused, state.life().unwrap())
    }

    fn roles(&mut self) -> Vec<LogRoles> {
        let (refused, _) = self.fate();
        let anybody = self.nodes.iter().any(|node| matches!(node.state, NodeState::Running(_)));
        let silent = refused || !anybody || self.flaw == Flaw::NobodyAnswers;
        if silent { Vec::new() } else { self.logs.iter().map(|log| log.roles.clone()).collect() }
    }

    fn appends(&self, log: LogId) -> Appends {
        self.logs[log.0 as usize].appends
    }

    fn probe(&mut self, node: NodeId, timeout_ms: u64) -> Probe {
        match (self.state(node), self.flaw) {
            (NodeState::Running(_), _) | (_, Flaw::PausedInNameOnly) => Probe::Answered,
            (NodeState::Paused(_), _) => {
                self.advance(self.now.plus_ms(timeout_ms));
                Probe::TimedOut
            }
            (NodeState::Down, _) => Probe::Refused,
        }
    }

    fn process_state(&self, node: NodeId) -> Option<char> {
        let node = self.nodes.iter().find(|n| n.id == node)?;
        match (node.state, self.flaw) {
            (NodeState::Down, _) => None,
            (NodeState::Running(_), _) | (_, Flaw::PausedInNameOnly) => Some('S'),
            (_, Flaw::PauseWearsOff) if Sim::quiet_ms(node, self.now) > 20 => Some('S'),
            (NodeState::Paused(_), _) => Some('T'),
        }
    }
}
