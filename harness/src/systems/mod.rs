//! Systems under test: what can be started, where it listens, where it keeps its logs.
//!
//! One file a system. A system lays its nodes out as data; starting, killing and watching them is `nodes`.

pub mod embedded;

use crate::scenario::{Scenario, SystemChoice};
use history::NodeId;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

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

/// A node, ready to be started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodePlan {
    /// Its id.
    pub id: NodeId,
    /// What it does.
    pub role: NodeRole,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// In which surroundings.
    pub launch: Launch,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its folder in the run folder.
    pub folder: PathBuf,
    /// Where it keeps its logs.
    pub data: PathBuf,
    /// Where its output goes.
    pub stdout: PathBuf,
}

/// A system under test.
pub trait System {
    /// As written after `--broker`.
    fn name(&self) -> &'static str;

    /// Version, as reported.
    fn version(&self) -> String;

    /// Names of the settings it knows that are wrong in the scenario: what is wrong, and the nearest right.
    fn refuse(&self, scenario: &Scenario) -> Result<(), String>;

    /// Writes every node's configuration below `folder` and says how to start it. Controllers come first.
    fn lay_out(&self, scenario: &Scenario, folder: &Path, ports: &[u16]) -> std::io::Result<Vec<NodePlan>>;
}

/// The system a scenario names.
pub fn of(choice: &SystemChoice) -> Box<dyn System> {
    match choice {
        SystemChoice::Embedded => Box::new(embedded::Embedded),
    }
}
