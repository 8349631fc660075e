//! A cluster in memory, for the tests: nodes with sessions and in-sync sets, a clock that only the test moves, and the
//! ways in which a real one disappoints.

use crate::actor::{Actor, ClientId, ClientPart};
use crate::cluster::{
    Appends, Cluster, Duties, Exit, Life, LogRoles, NodePart, NodeState, Probe, Reaped, Refusal, SIGKILL,
};
use crate::disk::{Damage, DiskCounts, DiskFault, Wreck};
use crate::network::{Counts, Network, Traffic, Weather};
use crate::skew::{ClockReading, Skew};
use history::{LeaderEpoch, LogId, Nanos, NodeId, Offset};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;

const STEP_MS: u64 = 10;
const CATCH_UP_MS: u64 = 200;

const CONTROLLER: NodeId = NodeId(100);
const BYTES: u64 = 10;
const ROUND_TRIP_US: u64 = 200;

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
    /// The network is said to be broken, and everything passes.
    NetworkLies,
    /// SIGTERM is reported, and the process lives on.
    TerminateLies,
    /// Disks and clocks are said to be broken and are not.
    HoldsLie,
}

struct Process {
    who: Actor,
    state: NodeState,
    /// Since when it does what it does.
    since: Nanos,
    /// When the controller last heard of it.
    heard: Nanos,
}

struct Log {
    roles: LogRoles,
    appends: Appends,
    /// When the leader last heard of each of the others.
    fetched: BTreeMap<NodeId, Nanos>,
}

/// The cluster.
pub struct Sim {
    now: Nanos,
    flaw: Flaw,
    processes: Vec<Process>,
    logs: Vec<Log>,
    network: Network,
    counts: BTreeMap<(Actor, Actor), Counts>,
    counted: Nanos,
    rng: Pcg64Mcg,
    next_pid: u32,
    disks: DiskCounts,
    broken: bool,
    skew_ms: i64,
    pub session_ms: u64,
    pub lag_ms: u64,
    /// When harm was done, for the tests to see.
    pub harms: Vec<Nanos>,
}

impl Sim {
    pub fn new(seed: u64, flaw: Flaw) -> Sim {
        let now = Nanos(1_000_000_000_000);
        let brokers: Vec<NodeId> = (1..=3).map(NodeId).collect();
        let nodes = brokers.iter().copied().chain([CONTROLLER]).map(Actor::Node);
        let actors = nodes.chain([0, 1].map(|n| Actor::Client(ClientId(n))));
        let process = |(at, who): (usize, Actor)| {
            let state = running(at as u32 + 100);
            Process { who, state, since: Nanos(0), heard: now }
        };
        let log = |log: u32| {
            let leader = Some((brokers[log as usize % 3], LeaderEpoch(0)));
            let roles = LogRoles { log: LogId(log), leader, replicas: brokers.clone(), isr: brokers.clone() };
            Log { roles, appends: Appends::default(), fetched: brokers.iter().map(|n| (*n, now)).collect() }
        };
        Sim {
            now,
            flaw,
            processes: actors.enumerate().map(process).collect(),
            logs: (0..4).map(log).collect(),
            network: Network::default(),
            counts: BTreeMap::new(),
            counted: now,
            rng: Pcg64Mcg::seed_from_u64(seed),
            next_pid: 200,
            disks: DiskCounts::default(),
            broken: false,
            skew_ms: 0,
            session_ms: 3000,
            lag_ms: 3000,
            harms: Vec::new(),
        }
    }

    /// Lets time pass until `to`.
    pub fn advance(&mut self, to: Nanos) {
        while self.now < to {
            self.now = self.now.plus_ms(STEP_MS);
            self.live();
        }
    }

    pub fn all_running(&self) -> bool {
        self.processes.iter().all(|p| matches!(p.state, NodeState::Running(_))) && self.network.is_clear()
    }

    fn process(&self, who: Actor) -> Option<&Process> {
        self.processes.iter().find(|p| p.who == who)
    }

    fn process_mut(&mut self, who: Actor) -> &mut Process {
        self.processes.iter_mut().find(|p| p.who == who).unwrap()
    }

    fn runs(&self, who: Actor) -> bool {
        self.process(who).is_some_and(|p| matches!(p.state, NodeState::Running(_)))
    }

    /// What the weather really is on a link.
    fn weather(&self, from: Actor, to: Actor) -> Vec<Weather> {
        if self.flaw == Flaw::NetworkLies { Vec::new() } else { self.network.on(from, to).collect() }
    }

    /// Both run, and both directions work.
    fn reach(&self, one: Actor, other: Actor) -> bool {
        if self.network.is_clear() {
            return self.runs(one) && self.runs(other);
        }
        let passes = |from, to| self.weather(from, to).iter().all(|w| matches!(w, Weather::Slow { .. }));
        let shut = self.network.doors.iter().any(|(node, _)| [one, other].contains(&Actor::Node(*node)));
        let shut = shut && self.flaw != Flaw::NetworkLies;
        self.runs(one) && self.runs(other) && passes(one, other) && passes(other, one) && !shut
    }

    fn quiet_ms(process: &Process, now: Nanos) -> u64 {
        now.since(process.since) / 1_000_000
    }

    fn live(&mut self) {
        let now = self.now;
        let heard: Vec<Actor> = self.processes.iter().map(|p| p.who).filter(|who| self.heard(*who)).collect();
        for process in self.processes.iter_mut().filter(|p| heard.contains(&p.who)) {
            process.heard = now;
        }
        for at in 0..self.logs.len() {
            let mut log = std::mem::replace(&mut self.logs[at], empty());
            self.live_log(&mut log);
            self.logs[at] = log;
        }
    }

    /// The controller hears of it; while the controller is away nobody's session ends.
    fn heard(&self, who: Actor) -> bool {
        !self.runs(CONTROLLER.into()) || who == CONTROLLER.into() || self.reach(who, CONTROLLER.into())
    }

    fn live_log(&self, log: &mut Log) {
        let (now, flaw) = (self.now, self.flaw);
        let silent = |since: Nanos, ms: u64| now.since(since) > ms * 1_000_000;
        let leader = log.roles.leader.map(|(node, _)| node);
        let led = leader.is_some_and(|leader| self.runs(leader.into()));
        for node in log.roles.replicas.clone() {
            let leads = leader == Some(node);
            let process = self.process(node.into()).unwrap();
            if leads || leader.is_some_and(|leader| self.reach(leader.into(), node.into())) {
                log.fetched.insert(node, now);
            }
            if led && !leads && silent(log.fetched[&node], self.lag_ms.min(self.session_ms)) {
                log.roles.isr.retain(|id| *id != node);
            }
            let caught_up = Sim::quiet_ms(process, now) > CATCH_UP_MS && log.fetched[&node] == now;
            if led && self.runs(node.into()) && caught_up && !log.roles.isr.contains(&node) {
                log.roles.isr.push(node);
            }
        }
        let dead = leader.is_some_and(|leader| silent(self.process(leader.into()).unwrap().heard, self.session_ms));
        if (dead || leader.is_none()) && flaw != Flaw::Leaderless(log.roles.log) {
            self.elect(log);
        }
        if flaw == Flaw::Leaderless(log.roles.log) {
            log.roles.leader = None;
        }
        let client = Actor::Client(ClientId(0));
        let reached = |leader: NodeId| self.reach(leader.into(), client);
        let all_see =
            |leader: NodeId| log.roles.isr.iter().all(|id| *id == leader || self.reach(leader.into(), (*id).into()));
        let acks = leader.is_some_and(|l| reached(l) && (all_see(l) || flaw == Flaw::AcksEarly));
        let appends = self.runs(client) && flaw != Flaw::Idle;
        log.appends.invoked += u64::from(appends);
        if appends && acks {
            log.appends.acked += 1;
            log.appends.acked_at = now;
        }
    }

    /// A node that ends in an orderly way leaves nobody without a leader.
    fn hand_over(&mut self, who: Actor) {
        for at in 0..self.logs.len() {
            let mut log = std::mem::replace(&mut self.logs[at], empty());
            if log.roles.leader.is_some_and(|(leader, _)| who == leader.into()) {
                self.elect(&mut log);
            }
            self.logs[at] = log;
        }
    }

    fn elect(&self, log: &mut Log) {
        let electable = |node: &NodeId| {
            let process = self.process((*node).into()).unwrap();
            self.runs(process.who) && process.heard == self.now && log.roles.isr.contains(node)
        };
        if let Some(next) = log.roles.replicas.iter().copied().find(electable) {
            let epoch = log.roles.leader.map_or(1, |(_, epoch)| epoch.0 + 1);
            log.roles.isr.retain(|id| self.runs((*id).into()));
            log.roles.leader = Some((next, LeaderEpoch(epoch)));
        }
    }

    /// Everybody has said something to everybody else, each step since the last change.
    fn travel(&mut self) {
        let steps = self.now.since(self.counted) / 1_000_000 / STEP_MS;
        self.counted = self.now;
        let actors: Vec<Actor> = self.processes.iter().map(|p| p.who).filter(|who| self.runs(*who)).collect();
        for from in &actors {
            for to in actors.iter().filter(|to| *to != from) {
                let weather = self.weather(*from, *to);
                let lies = self.flaw == Flaw::NetworkLies;
                let frames = self.network.frames.iter().filter(|f| f.from.contains(from) && f.to.contains(to)).count();
                let counts = self.counts.entry((*from, *to)).or_default();
                counts.frames += if lies { 0 } else { steps * frames as u64 };
                match weather.first() {
                    None => counts.passed += steps * BYTES,
                    Some(Weather::Cut | Weather::Stalled | Weather::Reset) => {
                        counts.held += steps * BYTES;
                        counts.connects_held += u64::from(steps > 100 && weather.contains(&Weather::Cut));
                        counts.refused += u64::from(weather.contains(&Weather::Reset));
                    }
                    Some(Weather::Slow { .. } | Weather::Narrow { .. }) => {
                        counts.delayed += steps * BYTES;
                        counts.passed += steps * BYTES;
                    }
                }
            }
        }
    }

    /// Whether a request is refused, and whether it is done.
    fn fate(&mut self) -> (bool, bool) {
        match self.flaw {
            Flaw::Refuses(chance) if self.rng.random_bool(chance) => (true, self.rng.random_bool(0.5)),
            _ => (false, true),
        }
    }

    fn become_state(&mut self, who: Actor, state: NodeState) {
        self.travel();
        let now = self.now;
        let process = self.process_mut(who);
        (process.state, process.since) = (state, now);
    }

    fn end(&mut self, who: Actor, exit: Exit) -> Result<Reaped, Refusal> {
        self.harms.push(self.now);
        let Some(life) = self.state(who).life() else { return Err(Refusal("there is no process".into())) };
        let (refused, done) = self.fate();
        let reaped = |pid| Reaped { pid, exit };
        match self.flaw {
            Flaw::KillLies if exit == Exit::Signal(SIGKILL) => return Ok(reaped(life.pid)),
            Flaw::TerminateLies if exit == Exit::Code(0) => return Ok(reaped(life.pid)),
            Flaw::KillsAnother => {
                self.become_state(who, NodeState::Down);
                return Ok(reaped(life.pid + 1));
            }
            _ if done => self.become_state(who, NodeState::Down),
            _ => (),
        }
        if done && exit == Exit::Code(0) {
            self.hand_over(who);
        }
        answer(refused, reaped(life.pid))
    }
}

fn empty() -> Log {
    let roles = LogRoles { log: LogId(0), leader: None, replicas: Vec::new(), isr: Vec::new() };
    Log { roles, appends: Appends::default(), fetched: BTreeMap::new() }
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

    fn nodes(&self) -> Vec<(NodeId, NodePart)> {
        let part = |node| if node == CONTROLLER { NodePart::Controller } else { NodePart::Broker };
        self.processes.iter().filter_map(|p| p.who.node()).map(|node| (node, part(node))).collect()
    }

    fn clients(&self) -> Vec<(ClientId, ClientPart)> {
        vec![(ClientId(0), ClientPart::Producer), (ClientId(1), ClientPart::Consumer)]
    }

    fn state(&self, who: Actor) -> NodeState {
        self.process(who).map_or(NodeState::Down, |p| p.state)
    }

    fn kill(&mut self, who: Actor) -> Result<Reaped, Refusal> {
        self.end(who, Exit::Signal(SIGKILL))
    }

    fn terminate(&mut self, who: Actor) -> Result<Reaped, Refusal> {
        self.end(who, Exit::Code(0))
    }

    fn pause(&mut self, who: Actor) -> Result<(), Refusal> {
        self.harms.push(self.now);
        let (refused, done) = self.fate();
        if let (NodeState::Running(life), true, true) = (self.state(who), done, self.flaw != Flaw::PauseLies) {
            self.become_state(who, NodeState::Paused(life));
        }
        answer(refused, ())
    }

    fn resume(&mut self, who: Actor) -> Result<(), Refusal> {
        let (refused, done) = self.fate();
        if let (NodeState::Paused(life), true) = (self.state(who), done) {
            self.become_state(who, NodeState::Running(life));
        }
        answer(refused, ())
    }

    fn start(&mut self, who: Actor) -> Result<Life, Refusal> {
        let (refused, done) = self.fate();
        if matches!((self.flaw, who), (Flaw::NeverRestarts(node), Actor::Node(it)) if node == it) {
            return Err(Refusal("its folder is gone".into()));
        }
        self.next_pid += 1;
        let state = running(self.next_pid);
        if let (NodeState::Down, true) = (self.state(who), done) {
            self.become_state(who, state);
        }
        answer(refused, state.life().unwrap())
    }

    fn roles(&mut self) -> Vec<LogRoles> {
        let (refused, _) = self.fate();
        let anybody = self.nodes().into_iter().any(|(node, part)| part == NodePart::Broker && self.runs(node.into()));
        let silent = refused || !anybody || self.flaw == Flaw::NobodyAnswers;
        if silent { Vec::new() } else { self.logs.iter().map(|log| log.roles.clone()).collect() }
    }

    fn duties(&mut self) -> Duties {
        let (group, transactions) = (Some(NodeId(1)), Some(NodeId(3)));
        Duties { controller: Some(CONTROLLER), group_coordinator: group, transaction_coordinator: transactions }
    }

    fn appends(&self, log: LogId) -> Appends {
        self.logs[log.0 as usize].appends
    }

    fn log_ends(&mut self, log: LogId) -> Vec<(NodeId, Offset)> {
        let log = &self.logs[log.0 as usize];
        let behind = |node: &NodeId| self.now.since(log.fetched[node]) / 1_000_000 / STEP_MS;
        let end = |node: &NodeId| Offset(log.appends.invoked.saturating_sub(behind(node)) as i64);
        log.roles.replicas.iter().map(|node| (*node, end(node))).collect()
    }

    fn probe(&mut self, node: NodeId, timeout_ms: u64) -> Probe {
        match (self.state(node.into()), self.flaw) {
            (NodeState::Running(_), _) | (_, Flaw::PausedInNameOnly) => Probe::Answered,
            (NodeState::Paused(_), _) => {
                self.advance(self.now.plus_ms(timeout_ms));
                Probe::TimedOut
            }
            (NodeState::Down, _) => Probe::Refused,
        }
    }

    fn process_state(&self, who: Actor) -> Option<char> {
        let process = self.process(who)?;
        match (process.state, self.flaw) {
            (NodeState::Down, _) => None,
            (NodeState::Running(_), _) | (_, Flaw::PausedInNameOnly) => Some('S'),
            (_, Flaw::PauseWearsOff) if Sim::quiet_ms(process, self.now) > 20 => Some('S'),
            (NodeState::Paused(_), _) => Some('T'),
        }
    }

    fn set_network(&mut self, network: &Network) -> Result<(), Refusal> {
        self.travel();
        let (refused, done) = self.fate();
        if done {
            if !network.is_clear() {
                self.harms.push(self.now);
            }
            self.network = network.clone();
        }
        let actors: Vec<Actor> = self.processes.iter().map(|p| p.who).collect();
        for (from, to) in actors.iter().flat_map(|from| actors.iter().map(move |to| (*from, *to))) {
            let shut = network.doors.iter().any(|(node, _)| to == Actor::Node(*node));
            let resets = shut || network.on(from, to).any(|w| w == Weather::Reset);
            let counts = self.counts.entry((from, to)).or_default();
            counts.resets += u64::from(resets && self.flaw != Flaw::NetworkLies);
        }
        answer(refused, ())
    }

    fn network(&self) -> Network {
        self.network.clone()
    }

    fn traffic(&mut self) -> Result<Vec<Traffic>, Refusal> {
        self.travel();
        let traffic = |(&(from, to), &counts): (&(Actor, Actor), &Counts)| Traffic { from, to, counts };
        Ok(self.counts.iter().map(traffic).collect())
    }

    fn round_trip(&mut self, node: NodeId, _: u64) -> Option<u64> {
        let weather = [(Actor::Observer, node.into()), (node.into(), Actor::Observer)].map(|(a, b)| self.weather(a, b));
        let late = |w: &Weather| match w {
            Weather::Slow { latency_us, jitter_us } => Some(*latency_us + jitter_us / 2),
            Weather::Narrow { .. } => Some(1_000_000),
            Weather::Stalled => Some(0),
            Weather::Cut | Weather::Reset => None,
        };
        let shut = self.network.doors.iter().any(|(shut, _)| *shut == node) && self.flaw != Flaw::NetworkLies;
        if shut || !self.runs(node.into()) {
            return None;
        }
        weather.iter().flatten().map(late).sum::<Option<u64>>().map(|late| late + ROUND_TRIP_US)
    }

    fn mend(&mut self, _: Actor) -> Result<(), Refusal> {
        (self.broken, self.skew_ms) = (false, 0);
        Ok(())
    }

    fn break_disk(&mut self, _: NodeId, _: DiskFault) -> Result<(), Refusal> {
        self.harms.push(self.now);
        let (refused, done) = self.fate();
        self.broken = done && self.flaw != Flaw::HoldsLie;
        answer(refused, ())
    }

    fn wreck_disk(&mut self, node: NodeId, _: Wreck, _: u64) -> Result<Damage, Refusal> {
        let (refused, _) = self.fate();
        let bytes = u64::from(self.state(node.into()) == NodeState::Down && self.flaw != Flaw::HoldsLie);
        answer(refused, Damage { bytes, unsynced: bytes, ..Damage::default() })
    }

    /// A broken disk is felt whenever it is asked.
    fn disk_counts(&mut self, _: NodeId) -> Result<DiskCounts, Refusal> {
        let felt = u64::from(self.broken);
        let more = DiskCounts {
            fsyncs_lied: felt,
            fsyncs_failed: felt,
            fsyncs_slowed: felt,
            reads_failed: felt,
            writes_failed: felt,
            slowed: felt,
            writes_full: felt,
            ..DiskCounts::default()
        };
        self.disks = self.disks + more;
        Ok(self.disks)
    }

    fn skew_clock(&mut self, _: Actor, skew: Skew) -> Result<(), Refusal> {
        self.harms.push(self.now);
        let (refused, done) = self.fate();
        let ms = match skew {
            Skew::Jump { ms } | Skew::Strobe { ms, .. } => ms,
            Skew::Drift { ppm } => ppm,
        };
        self.skew_ms = if done && self.flaw != Flaw::HoldsLie { ms } else { 0 };
        answer(refused, ())
    }

    fn clock_reading(&mut self, _: Actor) -> Result<ClockReading, Refusal> {
        let (ahead_ms, behind_ms) = (self.skew_ms.max(0), self.skew_ms.min(0));
        Ok(ClockReading { skewed: u64::from(self.skew_ms != 0), ahead_ms, behind_ms })
    }
}
