//! What breaks: faults, their schedule, and the evidence that they took effect.
//!
//! A [`Plan`] is drawn from the seed before the run; a [`Runner`] executes it one episode at a time against a
//! [`Cluster`], driven by ticks; every episode ends as an [`Episode`], from which [`exposure`] and [`Coverage`] say
//! what was at risk and which floor was missed.
//!
//! **Invariants:** whatever happens, the runner ends with every node running, or says which one it could not start. An
//! episode is called effective only by evidence, never because it was asked for. Nothing here sleeps, spawns a thread
//! or a process, or reads a clock of its own; [`proxy`] alone does, which is a process by itself.

mod act;
pub mod actor;
pub mod aim;
pub mod cluster;
pub mod coverage;
pub mod disk;
pub mod episode;
pub mod exposure;
pub mod fault;
pub mod faults;
pub mod ground;
pub mod harm;
pub mod heal;
mod holding;
pub mod mix;
pub mod network;
pub mod noop;
pub mod plan;
pub mod proxy;
pub mod runner;
pub mod scene;
pub mod schedule;
#[cfg(test)]
mod sim;
pub mod skew;
pub mod step;
mod throttle;
mod watch;
pub mod when;

pub use actor::{Actor, ClientId, ClientPart};
pub use aim::{Aim, Api};
pub use cluster::Cluster;
pub use coverage::{Coverage, Floors, MissedFloor};
pub use episode::Episode;
pub use exposure::{RiskWindow, exposure};
pub use fault::{FaultKind, Need, UnknownFault};
pub use ground::{Ground, Timing};
pub use harm::Harm;
pub use heal::{Unhealed, heal_all};
pub use mix::{Mix, MixError, WORDS};
pub use network::Network;
pub use noop::Noop;
pub use plan::{Plan, PlanError};
pub use runner::{Next, Runner};
pub use schedule::{Schedule, ScheduleError};
