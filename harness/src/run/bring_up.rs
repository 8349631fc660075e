//! From a scenario to a cluster that answers: ports, folders, processes, the topic.

use super::network::Hold;
use super::nodes::Nodes;
use super::processes::Processes;
use crate::commands::Failure;
use crate::guard::Ended;
use crate::holds::Holds;
use crate::scenario::Scenario;
use crate::settings::Owner;
use crate::systems::{self, NodePlan, NodeRole, Owned, System};
use crate::{ports, wait};
use history::LogId;
use nemesis::Need;
use nemesis::cluster::Refusal;
use results::Exit;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use workloads::clock::Deadline;
use workloads::spec::LogPlace;
use workloads::wire::{self, NewTopic};

const ATTEMPT_MS_MAX: u64 = 500;
const OUTPUT_LINES_MAX: usize = 12;
const OUTPUT_BYTES_MAX: u64 = 16 << 10;

/// A cluster that answered.
#[derive(Debug)]
pub struct Cluster {
    /// Its nodes.
    pub nodes: Nodes,
    /// The topic under load.
    pub topic: String,
    /// Its logs.
    pub logs: Vec<LogPlace>,
    /// The hold on the network between everybody.
    pub network: Hold,
    /// Replicas of each.
    pub replication: usize,
    /// From the first process to the last answer, the topic's leaders and in-sync replicas included.
    pub took: Duration,
}

impl Cluster {
    /// By what a run's faults are made here, for the manifest.
    pub fn backends(&mut self, scenario: &Scenario) -> BTreeMap<String, String> {
        let mut backends = self.nodes.holds().backends();
        backends.insert("processes".to_owned(), "signals by the guard".to_owned());
        if let Some(how) = self.network.how() {
            backends.insert("network".to_owned(), how.to_owned());
        }
        if scenario.fault_needs().contains(&Need::Files) {
            backends.insert("files".to_owned(), "the files themselves, while the node is down".to_owned());
        }
        if scenario.skews().clients {
            backends.insert("client clocks".to_owned(), "LD_PRELOAD".to_owned());
        }
        backends
    }

    /// A client of its own for it.
    pub fn wire(&self) -> wire::Cluster {
        wire::Cluster::new(&self.nodes.bootstrap(), "stormglass-controller")
    }
}

/// Starts every node below `folder` and creates the topic. Exit 69 if one ends or none answers.
pub fn bring_up(scenario: &Scenario, folder: &Path, processes: &mut Processes) -> Result<Cluster, Failure> {
    bring_up_as(scenario, folder, processes, |_| {})
}

/// As [`bring_up`], with every node's plan changed before it is started.
pub fn bring_up_as(
    scenario: &Scenario,
    folder: &Path,
    processes: &mut Processes,
    change: impl Fn(&mut NodePlan),
) -> Result<Cluster, Failure> {
    let system = systems::of(&scenario.system);
    let proxied = scenario.fault_needs().contains(&Need::Proxy) && system.ports(scenario) > 0;
    let mut plans = lay_out(scenario, &*system, folder, proxied)?;
    plans.iter_mut().for_each(change);
    let network = match proxied {
        true => Hold::start(&plans, system.advertises(), folder, processes)?,
        false => Hold::default(),
    };
    let began = Instant::now();
    let held = plans.iter_mut().filter(|plan| plan.owned == Owned::Ours && plan.role == NodeRole::Broker);
    let holds = Holds::take(&scenario.node_needs(), held, scenario.seed, processes).map_err(no_rights)?;
    let mut nodes = Nodes::new(plans, holds);
    for id in nodes.ours() {
        nodes.start(id, processes).map_err(|e| no_start(e.to_string()))?;
    }
    let (logs, replication) = (logs_of(scenario), usize::from(scenario.cluster.replication));
    let mut cluster = Cluster { nodes, topic: scenario.topic(), logs, network, replication, took: Duration::ZERO };
    await_topics(scenario, &*system, &mut cluster, processes)?;
    cluster.nodes.holds().checkpoint().map_err(no_rights)?;
    cluster.took = began.elapsed();
    Ok(cluster)
}

fn lay_out(scenario: &Scenario, system: &dyn System, folder: &Path, proxied: bool) -> Result<Vec<NodePlan>, Failure> {
    let count = system.ports(scenario);
    let seats = ports::seats(count, scenario.cluster.base_port, proxied);
    let seats = seats.ok_or_else(|| no_start(format!("there are no ports for {count} nodes")))?;
    system.lay_out(scenario, folder, &seats).map_err(|e| no_start(e.to_string()))
}

/// Every partition of every topic: those of the first topic are numbered as its partitions are.
fn logs_of(scenario: &Scenario) -> Vec<LogPlace> {
    let partitions = 0..i32::from(scenario.cluster.partitions);
    let topics = scenario.topics();
    let places = topics.iter().flat_map(|(topic, _)| partitions.clone().map(move |partition| (topic, partition)));
    let place =
        |(id, (topic, partition)): (u32, (&String, i32))| LogPlace { id: LogId(id), topic: topic.clone(), partition };
    (0u32..).zip(places).map(place).collect()
}

fn new_topics(scenario: &Scenario) -> Vec<NewTopic> {
    let shape = scenario.cluster;
    let topic = |(name, own): (String, Vec<(&str, String)>)| {
        let mut configs: BTreeMap<String, String> =
            own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        configs.extend(scenario.settings.values(Owner::Topic));
        NewTopic { name, partitions: i32::from(shape.partitions), replication: shape.replication as i16, configs }
    };
    scenario.topics().into_iter().map(topic).collect()
}

fn await_topics(
    scenario: &Scenario,
    system: &dyn System,
    cluster: &mut Cluster,
    processes: &mut Processes,
) -> Result<(), Failure> {
    let (topics, patience) = (new_topics(scenario), system.patience());
    let in_sync = usize::from(scenario.cluster.replication);
    let mut wire = cluster.wire();
    let brokers = cluster.nodes.brokers().len();
    let mut reason = String::new();
    let done = wait::until(patience, || {
        cluster.nodes.notice(processes);
        if let Some(failure) = ended_early(&cluster.nodes) {
            return Some(Err(failure));
        }
        if let Some(waiting) = system.ready_line().and_then(|line| not_ready(&cluster.nodes, line)) {
            reason = waiting;
            return None;
        }
        let tried = topics.iter().try_for_each(|topic| make_topic(&mut wire, topic, brokers, in_sync));
        tried.map_err(|e| reason = e).ok().map(Ok)
    });
    done.unwrap_or_else(|| Err(no_start(format!("the cluster did not answer within {patience:?}: {reason}"))))
}

/// One attempt: all brokers are known, the topic exists, and every partition is led and whole.
fn make_topic(wire: &mut wire::Cluster, topic: &NewTopic, brokers: usize, in_sync: usize) -> Result<(), String> {
    let deadline = Deadline::in_ms(ATTEMPT_MS_MAX);
    let view = wire.metadata(Some(&[&topic.name]), deadline).map_err(|e| e.to_string())?;
    if view.brokers.len() < brokers {
        return Err(format!("{} of {brokers} brokers have registered", view.brokers.len()));
    }
    if !view.topics.iter().any(|t| t.name == topic.name && t.error == 0) {
        wire.create_topic(topic, deadline).map_err(|e| e.to_string())?;
    }
    wire.wait_ready(&topic.name, topic.partitions as usize, in_sync, deadline).map(|_| ()).map_err(|e| e.to_string())
}

/// A broker that has not printed the line yet, in words.
fn not_ready(nodes: &Nodes, line: &str) -> Option<String> {
    let brokers = nodes.plans().filter(|p| p.role == NodeRole::Broker);
    let waiting = brokers.filter(|p| !std::fs::read_to_string(&p.stdout).is_ok_and(|text| text.contains(line)));
    waiting.map(|p| format!("node {} has not said `{line}`", p.id.0)).next()
}

fn ended_early(nodes: &Nodes) -> Option<Failure> {
    let surprise = nodes.surprises().first()?;
    let how = match surprise.ended {
        Ended::Code(code) => format!("exited with {code}"),
        Ended::Signal(signal) => format!("was ended by signal {signal}"),
    };
    let output = nodes.plan(surprise.node).map(|p| last_lines(&p.stdout)).unwrap_or_default();
    Some(no_start(format!("node {} {how} before the cluster answered{output}", surprise.node.0)))
}

fn no_rights(refusal: Refusal) -> Failure {
    let help = "\n  help: `stormglass doctor` says what this machine can do, and what would help";
    Failure { exit: Exit::NoRights, text: refusal.to_string() + help }
}

fn no_start(text: String) -> Failure {
    Failure { exit: Exit::NoBroker, text }
}

/// The last lines of a node's output, introduced; empty if there are none.
pub fn last_lines(path: &Path) -> String {
    let Ok(mut file) = std::fs::File::open(path) else { return String::new() };
    let length = file.metadata().map_or(0, |m| m.len());
    let mut bytes = Vec::new();
    let from = std::io::SeekFrom::Start(length.saturating_sub(OUTPUT_BYTES_MAX));
    if std::io::Seek::seek(&mut file, from).and_then(|_| std::io::Read::read_to_end(&mut file, &mut bytes)).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..];
    if last.is_empty() {
        return format!("\n  {} is empty", path.display());
    }
    format!("\n  last lines of {}:\n    {}", path.display(), last.join("\n    "))
}
