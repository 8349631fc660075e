//! What breaks: faults, their schedule, and the evidence that they took effect.
//!
//! A `Plan` is drawn from the seed before the run; a `Runner` executes it one episode at a time
//! against a [`cluster::Cluster`], driven by ticks; every episode ends as an `Episode`, from which
//! `exposure` and `coverage` say what was at risk and which floor was missed.
//!
//! **Invariants:** whatever happens, the runner ends with every node running, or says which one it could not start. An
//! episode is called effective only by evidence, never because it was asked for. Nothing here sleeps, spawns a thread
//! or a process, or reads a clock of its own.

pub mod cluster;
