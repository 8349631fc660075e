//! What is run, on what, under which faults.

use super::{EXIT_CODES, OutputArgs};
use crate::settings::Override;
use crate::systems::Capability;
use crate::units;
use clap::{Args, ValueEnum};
use nemesis::{FaultKind, UnknownFault};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The system under test and its shape.
#[derive(Args, Debug, Clone)]
pub struct SystemArgs {
    /// Plant a bug in the embedded broker (see `stormglass list bugs`)
    #[arg(long, value_name = "BUG")]
    pub plant: Option<String>,
    /// The system under test: embedded, kafka=VERSION|DIR, tansu=BIN, cmd='PROGRAM … {id} {port} {dir} …'
    #[arg(long, default_value = "embedded", value_name = "SYSTEM")]
    pub broker: String,
    /// What a `cmd=` has, comma-separated: durable, replication, groups, transactions, log-folder, …
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = capability)]
    pub has: Vec<Capability>,
    /// Load a cluster that somebody else runs, and break nothing
    #[arg(short = 'b', long, value_name = "HOST:PORT", value_delimiter = ',', conflicts_with_all = ["broker", "plant"])]
    pub bootstrap_server: Vec<String>,
    /// Repeat its cluster id: faults of our own clients are allowed
    #[arg(long, value_name = "ID", requires = "bootstrap_server")]
    pub i_own_this_cluster: Option<String>,
    /// Brokers [default: 3, or what the system is made of]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=9))]
    pub brokers: Option<u16>,
    /// Dedicated controllers: 1 or 3; 0 where every broker is one too [default: 1, or what the system is made of]
    #[arg(long, value_parser = controllers, value_name = "N")]
    pub controllers: Option<u16>,
    /// Replicas of each partition [default: 3, or what the system allows]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=9))]
    pub rf: Option<u16>,
    /// Partitions of the topic
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub partitions: u16,
    /// Use this port and the ones after it, one a node [default: free ones below 32000]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub base_port: Option<u16>,
    /// A setting: ROLE:NAME=VALUE with ROLE broker, topic, producer, consumer or feature
    #[arg(short = 'X', value_name = "ROLE:NAME=VALUE")]
    pub set: Vec<Override>,
    /// Broker settings from a .properties file
    #[arg(long, value_name = "FILE")]
    pub broker_config: Option<PathBuf>,
    /// Topic settings from a .properties file
    #[arg(long, value_name = "FILE")]
    pub topic_config: Option<PathBuf>,
    /// Producer settings from a .properties file
    #[arg(long, value_name = "FILE")]
    pub producer_config: Option<PathBuf>,
    /// Consumer settings from a .properties file
    #[arg(long, value_name = "FILE")]
    pub consumer_config: Option<PathBuf>,
}

/// `cluster`.
#[derive(Args, Debug, Clone)]
pub struct ClusterArgs {
    /// What is started.
    #[command(flatten)]
    pub system: SystemArgs,
    /// Where nodes keep their folders [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `run`.
#[derive(Args, Debug, Clone)]
#[command(after_long_help = EXIT_CODES)]
pub struct RunArgs {
    /// The workload, or a file FILE.toml that says one in a shape of its own
    #[arg(default_value = "queue")]
    pub scenario: String,
    /// The workload, as an option (see `stormglass list workloads`)
    #[arg(long, value_name = "NAME", conflicts_with = "scenario")]
    pub workload: Option<String>,
    /// The client library that applications use: librdkafka, java, java=RELEASE of Apache Kafka's, wire [default: the
    /// scenario's, or librdkafka]
    #[arg(long, value_name = "LIBRARY")]
    pub client: Option<String>,
    /// Repeat what was tried: 1 to 16 hexadecimal digits [default: random, printed]
    #[arg(long, value_parser = units::seed, value_name = "HEX")]
    pub seed: Option<u64>,
    /// How long the load lasts
    #[arg(long, value_parser = units::duration, default_value = "30s", value_name = "DUR")]
    pub time: Duration,
    /// Records a second over all producers (open loop), or `max` (closed loop)
    #[arg(long, value_parser = units::rate, default_value = "2000/s")]
    pub rate: u64,
    /// Payload size of a record
    #[arg(long, value_parser = units::size, default_value = "100B", value_name = "SIZE")]
    pub record: usize,
    /// Comma-separated fault names, `mixed`, `survivable`, `all` or `none`; a leading `-` takes one away (see `stormglass list faults`)
    #[arg(short, long, default_value = "mixed", value_name = "LIST", allow_hyphen_values = true)]
    pub faults: String,
    /// Leave out what this machine cannot make and prove, as a hole in the report: fault names, or everything
    #[arg(long, value_name = "LIST", num_args = 0..=1, default_missing_value = "all")]
    pub allow_unproven: Option<Holes>,
    /// A schedule of faults from a file (see `stormglass run --help`)
    #[arg(long, value_name = "FILE", conflicts_with = "faults")]
    pub schedule: Option<PathBuf>,
    /// Effective episodes below which the run is inconclusive: FAULT=N, or *=N for every fault that is asked for
    #[arg(long, value_name = "FAULT=N")]
    pub floor: Vec<Floor>,
    /// For tests of the harness: replace what does the breaking by something that does nothing
    #[arg(long, value_name = "WHAT", hide = true)]
    pub plant_injector: Option<PlantedInjector>,
    /// What is tested.
    #[command(flatten)]
    pub system: SystemArgs,
    /// Where and how to leave results
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Faults that may be left out where they cannot be made and proven: `all`, or names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Holes {
    /// Any.
    All,
    /// These.
    Of(Vec<FaultKind>),
}

impl FromStr for Holes {
    type Err = String;

    fn from_str(text: &str) -> Result<Holes, String> {
        if text.trim() == "all" {
            return Ok(Holes::All);
        }
        let names = text.split(',').map(|name| name.trim().parse().map_err(|e: UnknownFault| e.to_string()));
        names.collect::<Result<_, _>>().map(Holes::Of)
    }
}

/// Injectors that can be planted.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlantedInjector {
    /// Reports everything as done and does nothing
    Noop,
}

/// `FAULT=N` or `*=N`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Floor {
    /// Which; every one that is asked for if absent.
    pub fault: Option<FaultKind>,
    /// How many effective episodes at least.
    pub episodes_min: u32,
}

impl FromStr for Floor {
    type Err = String;

    fn from_str(text: &str) -> Result<Floor, String> {
        let malformed = || format!("`{text}` is not a floor; write kill-leader=3, or *=1");
        let (name, number) = text.split_once('=').ok_or_else(malformed)?;
        let episodes_min = number.trim().parse().map_err(|_| malformed())?;
        let fault =
            if name.trim() == "*" { None } else { Some(name.trim().parse().map_err(|e: UnknownFault| e.to_string())?) };
        Ok(Floor { fault, episodes_min })
    }
}

fn controllers(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|n| matches!(n, 0 | 1 | 3)).ok_or_else(|| "a quorum has 1 or 3 controllers".into())
}

fn capability(text: &str) -> Result<Capability, String> {
    let found = Capability::ALL.into_iter().find(|c| c.name() == text);
    let known = Capability::ALL.iter().map(|c| c.name());
    found.ok_or_else(|| crate::suggest::unknown("capability", text, known, None))
}
