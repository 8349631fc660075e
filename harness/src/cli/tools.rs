//! What is fetched, listed, measured and proven.

use super::OutputArgs;
use crate::units;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `fetch`.
#[derive(Args, Debug)]
pub struct FetchArgs {
    /// What to fetch
    pub what: Fetched,
    /// Which release, e.g. 4.1.0
    pub version: String,
}

/// What can be fetched.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fetched {
    /// Apache Kafka's server and its dependencies
    Kafka,
    /// Apache Kafka's Java client, for `run --client java`
    JavaClient,
}

/// `plants`.
#[derive(Args, Debug)]
pub struct PlantsArgs {
    /// These bugs only (see `stormglass list bugs`)
    pub bugs: Vec<String>,
    /// Break every claim of every workload instead, each by some planted bug
    #[arg(long, conflicts_with = "bugs")]
    pub claims: bool,
    /// With --claims: of this workload only (again for several)
    #[arg(long, requires = "claims", value_name = "NAME")]
    pub workload: Vec<String>,
    /// First of the seeds tried
    #[arg(long, value_parser = units::seed, value_name = "HEX")]
    pub seed: Option<u64>,
    /// Where and how to leave results
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// What to list
    pub what: Listed,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be listed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listed {
    /// Faults a run can draw from
    Faults,
    /// Workloads a run can use
    Workloads,
    /// Properties a run is judged by, each with the anomalies that break it
    Claims,
    /// Anomalies, each with its smallest history and a near-miss
    Anomalies,
    /// Bugs that can be planted in the embedded broker
    Bugs,
    /// Systems under test
    Brokers,
    /// Scenarios of the catalogue
    Scenarios,
}

/// `schema`.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// Of what
    pub of: Schemed,
}

/// Files whose schema is published.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schemed {
    /// A line of a history in JSON Lines, as `check` reads and `export` writes it
    History,
}

/// `bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// What to measure
    pub what: Bench,
    /// How many times, or how much
    #[arg(long, value_name = "N")]
    pub times: Option<u32>,
    /// For the checker: a checkout of Porcupine, whose test histories are judged, too
    #[arg(long, value_name = "DIR")]
    pub histories: Option<PathBuf>,
    /// What the embedded broker is measured against
    #[arg(long, value_name = "SYSTEM", default_value = "kafka=4.1.0")]
    pub against: String,
}

/// What can be measured.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bench {
    /// Start of the embedded cluster, memory of an idle broker
    Cluster,
    /// The checkers on generated histories
    Checker,
    /// What the proxy adds to a round trip, as many as `--times` says
    Proxy,
    /// Effective fault episodes a minute, starting runs for as many seconds as `--times` says
    Episodes,
    /// A producer with its journal and without it
    Load,
    /// Throughput and round trips of the embedded broker beside Apache Kafka's
    Broker,
}

/// `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Look into this program too: is it one that a preloaded library reaches?
    #[arg(long, value_name = "PATH")]
    pub broker_binary: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `known-answers`.
#[derive(Args, Debug)]
pub struct KnownArgs {
    /// The program
    pub subject: KnownSubject,
    /// Where it is [default: found in PATH]; for kafka a release or a distribution [default: 4.1.0]
    #[arg(long, value_name = "PATH")]
    pub program: Option<PathBuf>,
}

/// Programs whose answers are known.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum KnownSubject {
    /// redis-server with its append-only file
    Redis,
    /// nats-server with JetStream, a static Go program
    Nats,
    /// One broker of the embedded system
    Embedded,
    /// One broker of Apache Kafka (a JVM needed)
    Kafka,
}
