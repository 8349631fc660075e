//! Transactions over logs: what they saw, and whether any order explains it.
//!
//! Offsets give the order of versions in each log, reads tell who saw whom, and so the dependencies of Adya 1999 are known
//! rather than guessed (Elle's traceability, VLDB 2020): `edges`. Together with real time, in linear size
//! (`realtime`), they make a graph whose cycles are the anomalies: `graph`, `cycles`, `explain`. Each other
//! anomaly is a file of its own.
//!
//! In a log the records of open transactions interleave, so that write order is not the order of transactions. Cycles are
//! therefore looked for both without ww edges, where every one is real, and with them; [`CycleShape::ww`] tells which.
//!
//! **Invariants:** linear in the operations but for a sort; searches for cycles within a component have a budget, and a
//! component that has a cycle always yields at least one finding. Nothing recurses. A transaction of unknown fate happened
//! if another saw something of it, and takes no part otherwise. Only reads that say so are taken to prove that something
//! was not there.
//!
//! Deliberately absent: the isolation level a run was promised (the contract's), and single logs (the per-log claims').

mod aborted_read;
mod anomalies;
mod build;
mod case;
mod coverage;
pub(crate) mod cycle_definitions;
mod cycles;
pub(crate) mod definitions;
mod edges;
mod explain;
mod finding;
mod graph;
mod ids;
mod int_send;
mod intermediate_read;
mod own_read;
mod positions;
mod realtime;
mod stall;
mod torn;
mod transaction;
mod versions;
mod withheld;
mod writers;
mod zombie;

#[cfg(test)]
mod tests;

pub(crate) use anomalies::{Answers, anomalies};
pub use build::{Gathered, gather};
pub use cycles::{CycleKind, CycleShape};
pub use edges::Dependency;
pub use finding::{Because, Finding, FindingKind, Step};
pub use stall::stalls;
pub use transaction::{Extent, MicroOp, Place, PositionRead, Status, Transaction, View};
pub use withheld::withheld;

use case::Case;
use cycles::CycleSearch;
use edges::Edge;
use graph::Component;
use history::Names;

/// Steps a judgement may spend on looking for the smallest cycles, by default.
pub const CYCLE_STEPS_MAX: u64 = 50_000_000;

/// What was found, and over what.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Everything wrong, by kind.
    pub findings: Vec<Finding>,
    /// Transactions that happened.
    pub happened: u64,
    /// Dependencies by data.
    pub dependencies: u64,
    /// Components of the graph that have cycles.
    pub components: u64,
    /// The budget for cycles ran out: there may be more kinds of cycle, and smaller ones.
    pub budget_spent: bool,
}

/// The dependency graph of a set of transactions.
pub struct Graph<'a> {
    case: Case<'a>,
    edges: Vec<Edge>,
    dependencies: usize,
    nodes: u32,
}

impl<'a> Graph<'a> {
    /// Builds it: writers, version orders, dependencies, real time.
    pub fn new(transactions: &'a [Transaction], positions: &'a [PositionRead], names: &'a Names) -> Graph<'a> {
        let case = Case::new(transactions, positions, names);
        let mut edges = edges::data(transactions, &case.writers, &case.versions);
        let dependencies = edges.len();
        let nodes = realtime::barriers(transactions, &case.versions.happened, &mut edges);
        Graph { case, edges, dependencies, nodes }
    }

    /// Edges, those of real time included.
    pub fn edges(&self) -> usize {
        self.edges.len()
    }

    /// Everything wrong with it.
    pub fn judge(&self, cycle_steps_max: u64) -> Report {
        let case = &self.case;
        let components = graph::components(self.nodes, &self.edges);
        let mut budget = cycle_steps_max;
        let mut findings: Vec<Finding> =
            components.iter().flat_map(|component| self.cycles_of(component, &mut budget)).collect();
        for find in [
            aborted_read::find,
            intermediate_read::find,
            own_read::find,
            torn::find,
            zombie::find,
            positions::find,
            int_send::find,
        ] {
            findings.extend(find(case));
        }
        findings.sort_by_key(|finding| finding.kind);
        Report {
            findings,
            happened: case.versions.happened.iter().filter(|happened| **happened).count() as u64,
            dependencies: self.dependencies as u64,
            components: components.len() as u64,
            budget_spent: budget == 0,
        }
    }

    /// The smallest cycle of each kind, with and without real time; without the order of writes if there is such a one.
    fn cycles_of(&self, component: &Component, budget: &mut u64) -> Vec<Finding> {
        let mut search = CycleSearch::new(component, self.case.transactions.len() as u32, *budget);
        let mut findings: Vec<Finding> = Vec::new();
        let mut found: Vec<CycleShape> = Vec::new();
        for shape in CycleShape::all() {
            if found.iter().any(|known| (known.kind, known.realtime) == (shape.kind, shape.realtime)) {
                continue;
            }
            if let Some(hops) = search.smallest(shape) {
                found.push(shape);
                findings.push(explain::cycle(&self.case, shape, &component.nodes, &hops));
            }
        }
        *budget = search.budget;
        findings
    }
}

/// Judges transactions and positions read.
pub fn judge(transactions: &[Transaction], positions: &[PositionRead], names: &Names) -> Report {
    Graph::new(transactions, positions, names).judge(CYCLE_STEPS_MAX)
}
