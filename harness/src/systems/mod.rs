//! Systems under test: what can be started, where it listens, where it keeps its logs, what it has and lacks.
//!
//! One file a system. A system lays its nodes out as data; starting, killing and watching them is `nodes`.

pub mod capabilities;
pub mod choice;
pub mod command;
pub mod embedded;
pub mod existing;
pub mod kafka;
pub mod tansu;

pub use capabilities::{Capabilities, Capability, Skip};
pub use choice::SystemChoice;

use crate::commands::Failure;
use crate::run::Processes;
use crate::scenario::{ClusterShape, Scenario, preset};
use history::NodeId;
use nemesis::Timing;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a node does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeRole {
    /// Holds replicas.
    Broker,
    /// Votes on metadata.
    Controller,
}

/// How a process is started beyond its program and arguments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Launch {
    /// A program with its arguments that executes what follows them, e.g. one that prepares the process; none if empty.
    pub through: Vec<String>,
    /// Variables to set in its environment, or with `None` to remove.
    pub env: BTreeMap<String, Option<String>>,
}

/// Whose process a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owned {
    /// Started, broken and ended by this program.
    Ours,
    /// Somebody else's: it is talked to and nothing else.
    Theirs,
}

/// A node, ready to be started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodePlan {
    /// Its id.
    pub id: NodeId,
    /// What it does.
    pub role: NodeRole,
    /// Whose it is.
    pub owned: Owned,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// In which surroundings.
    pub launch: Launch,
    /// Where it listens: for the run's own questions, which no network fault may reach.
    pub address: SocketAddr,
    /// Where clients and other nodes are told to connect: a proxy's port if there is a proxy, else [`NodePlan::address`].
    pub advertised: SocketAddr,
    /// Where it votes, if a broker does and at another port.
    pub voter: Option<Seat>,
    /// Its folder in the run folder.
    pub folder: PathBuf,
    /// Where it keeps its logs.
    pub data: PathBuf,
    /// Where its output goes.
    pub stdout: PathBuf,
}

/// The ports of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    /// Where the node is to listen.
    pub listens: SocketAddr,
    /// What it is to advertise, and what other nodes are told of it.
    pub advertises: SocketAddr,
}

/// A system under test.
pub trait System {
    /// The short name, e.g. `kafka`.
    fn name(&self) -> &'static str;

    /// Version, as reported; known once it was prepared.
    fn version(&self) -> String;

    /// What it has and what it lacks.
    fn capabilities(&self) -> Capabilities;

    /// Nodes and replicas where nobody said otherwise.
    fn shape(&self) -> ClusterShape {
        preset::CLUSTER
    }

    /// Broker settings that replace those of the durable preset.
    fn preset(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// How long the cluster may take to answer.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// How long a killed node usually needs until it serves again, and how long that may take, milliseconds.
    fn recovery_ms(&self) -> (u64, u64) {
        let usual = Timing::default();
        (usual.recovery_ms, usual.recovery_ms_max)
    }

    /// What a node prints once it serves, where it prints that: no node is asked before.
    fn ready_line(&self) -> Option<&'static str> {
        None
    }

    /// The program that its nodes run, as far as it is known before they are laid out.
    fn program(&self) -> Option<PathBuf> {
        None
    }

    /// Ports its nodes need.
    fn ports(&self, scenario: &Scenario) -> usize {
        usize::from(scenario.cluster.brokers + scenario.cluster.controllers)
    }

    /// True if DescribeConfigs answers with every setting that it knows: what is asked for and not answered is a typo.
    fn reads_back(&self) -> bool {
        false
    }

    /// True if its nodes can be told to advertise another address than the one they listen on. What others hand out is
    /// rewritten by the proxy before them.
    fn advertises(&self) -> bool {
        false
    }

    /// What else identifies it for the manifest, e.g. digests of its programs; known once it was prepared.
    fn facts(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Names of the settings it knows that are wrong in the scenario: what is wrong, and the nearest right.
    fn refuse(&self, scenario: &Scenario) -> Result<(), String>;

    /// Brings about what must be there before nodes are laid out: programs, caches. Exit 69 where that is impossible.
    fn prepare(&self, _scenario: &Scenario, _processes: &mut Processes) -> Result<(), Failure> {
        Ok(())
    }

    /// Writes every node's configuration below `folder` and says how to start it. Controllers come first.
    fn lay_out(&self, scenario: &Scenario, folder: &Path, seats: &[Seat]) -> std::io::Result<Vec<NodePlan>>;
}

/// The system a scenario names.
pub fn of(choice: &SystemChoice) -> Box<dyn System> {
    match choice {
        SystemChoice::Embedded => Box::new(embedded::Embedded),
        SystemChoice::Kafka(source) => Box::new(kafka::Kafka { source: source.clone() }),
        SystemChoice::Tansu(program) => Box::new(tansu::Tansu { program: program.clone() }),
        SystemChoice::Command { template, has } => {
            Box::new(command::Command { template: template.clone(), has: has.clone() })
        }
        SystemChoice::Existing { bootstrap, owned } => {
            Box::new(existing::Existing { bootstrap: bootstrap.clone(), owned: owned.clone() })
        }
    }
}
