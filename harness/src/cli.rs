//! The command line as typed. What it means is `scenario`; what it does is `commands`.

use crate::settings::Override;
use crate::systems::Capability;
use crate::units;
use clap::{Args, Parser, Subcommand, ValueEnum};
use nemesis::{FaultKind, UnknownFault};
use results::foreign::Format;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Shown by `stormglass` alone.
pub const WELCOME: &str = "\
stormglass puts real message brokers through real faults and says, with proof, what became of every acknowledged record.

  stormglass run                              30 s: 3 brokers, load, mixed faults, a verdict
  stormglass run --plant ack-before-replicate a broker that lies: see the violation and its proof
  stormglass catalogue run P07                acks=1 loses, acks=all does not, on the same schedule
  stormglass check runs/latest                judge a finished (or killed) run again, from its files

A run leaves its history, faults, verdict and every anomaly in runs/; runs/latest points at the newest.
Exit codes: 0 all claims held, 1 violation, 2 inconclusive, 64 usage, 65 unreadable input, 69 no start, 70 internal.
`stormglass help` lists all commands, `stormglass run --help` all flags.
";

const EXIT_CODES: &str = "\
EXIT CODES:
  0    every claim held and every floor was met
  1    VIOLATION: a forbidden anomaly is witnessed
  2    INCONCLUSIVE: none witnessed, but a floor, a claim's data or the checker's budget was missed
  3    SLO: safe and covered, but a latency or availability gate failed
  64   usage · 65 unreadable input · 69 the broker did not start · 70 internal error · 77 a fault needs rights this machine lacks
  130  interrupted (143 terminated); what was done is still judged and written";

/// A chaos-testing harness with a history checker for message brokers.
#[derive(Parser, Debug)]
#[command(name = "stormglass", version, about, after_long_help = EXIT_CODES, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// One run now: start a cluster, load it, break it, heal it, judge it
    Run(Box<RunArgs>),
    /// Judge a stored run again, from its files alone, or a history that somebody else wrote
    Check(CheckArgs),
    /// Write a run's history for other tools: Jepsen's EDN, JSON Lines
    Export(ExportArgs),
    /// The catalogue of ways to lose a message, as scenarios with a losing and a safe side
    Catalogue(CatalogueArgs),
    /// Start a cluster and keep it up for other clients, until Ctrl-C
    Cluster(Box<ClusterArgs>),
    /// What stands in brokers' data folders, and where they differ
    Logs(LogsArgs),
    /// Bring a system under test into the cache
    Fetch(FetchArgs),
    /// What a run would use, and where each value comes from
    Config(ConfigArgs),
    /// Every planted bug of the embedded broker must be caught; prints bug, claim and seconds
    Plants(PlantsArgs),
    /// What there is: faults, claims, bugs, workloads, brokers, scenarios
    List(ListArgs),
    /// The published schema of a file that others may write
    Schema(SchemaArgs),
    /// What this machine can make go wrong and prove, by what, and what it costs
    Doctor(DoctorArgs),
    /// Programs of which it is known what a power loss costs them must lose exactly that
    KnownAnswers(KnownArgs),
    /// Measure the harness and the embedded broker; prints the figures of the README
    Bench(BenchArgs),
    /// A broker or controller process of a run (started by `run`)
    #[command(hide = true)]
    Broker(NodeArgs),
    /// A client process of a run (started by `run`)
    #[command(hide = true)]
    Client(ClientArgs),
    /// The proxy before the nodes of a run (started by `run`)
    #[command(hide = true)]
    Proxy(ClientArgs),
    /// The guard of a run (started by `run`)
    #[command(hide = true)]
    Guard,
    /// What system calls cost in this process (started by `doctor`)
    #[command(hide = true)]
    Calls(CallsArgs),
    /// A file system in memory that can lose power (started by `run`)
    #[command(hide = true)]
    Lazyfs(LazyfsArgs),
}

/// `config`.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Options and settings as a run with the same arguments would have them
    Show {
        /// Where each value comes from: flag, environment, stormglass.toml, .properties, preset, default
        #[arg(long)]
        origin: bool,
        /// The run.
        #[command(flatten)]
        run: Box<RunArgs>,
    },
}

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

/// Where and how to leave results.
#[derive(Args, Debug, Clone)]
pub struct OutputArgs {
    /// Folder of all runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub out: PathBuf,
    /// What to keep of the brokers' data when nothing was violated
    #[arg(long, default_value = "none", value_name = "WHAT")]
    pub keep: Keep,
    /// Print verdict.json on stdout, human text on stderr
    #[arg(long)]
    pub json: bool,
    /// No progress on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

/// What to keep.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Brokers' data folders
    Data,
    /// Only what judging needs
    None,
}

/// `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A run folder, e.g. runs/latest, or a file: history.arrow, Jepsen's history.edn, JSON Lines, Porcupine's and Knossos's
    /// texts, the output of Kafka's verifiable clients
    pub path: PathBuf,
    /// How the file is written: arrow, jsonl, edn, register-text, store-text, verifiable [default: detected]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Print the verdict as JSON on stdout, human text on stderr
    #[arg(long)]
    pub json: bool,
}

/// `export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// A run folder, e.g. runs/latest, or a history.arrow
    pub run: PathBuf,
    /// The format
    #[arg(long)]
    pub format: Exported,
    /// Where to [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Formats of a history.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exported {
    /// What Jepsen's Kafka checker reads
    Edn,
    /// One operation an object
    Jsonl,
}

/// `catalogue`.
#[derive(Args, Debug)]
pub struct CatalogueArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: CatalogueCommand,
}

/// What to do with the catalogue.
#[derive(Subcommand, Debug)]
pub enum CatalogueCommand {
    /// Run every side of a scenario
    Run {
        /// Its id, e.g. P07
        id: String,
        /// Repeat what was tried
        #[arg(long, value_parser = units::seed, value_name = "HEX")]
        seed: Option<u64>,
        /// The system under test
        #[arg(long, default_value = "embedded", value_name = "SYSTEM")]
        broker: String,
        /// Where and how to leave results
        #[command(flatten)]
        output: OutputArgs,
    },
    /// What can be run
    List,
}

/// `logs`.
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: LogsCommand,
}

/// What to do with logs.
#[derive(Subcommand, Debug)]
pub enum LogsCommand {
    /// Tell what stands in a data folder: segments, epochs, indexes, snapshots, the metadata log
    Dump(DumpArgs),
    /// Compare the replicas in several data folders; exit 1 if they differ below their high watermarks
    Diff(DiffArgs),
}

/// `logs dump`.
#[derive(Args, Debug)]
pub struct DumpArgs {
    /// A broker's data folder (one of its log.dirs), one partition's, or a single file of one
    pub dir: PathBuf,
    /// Only this partition, e.g. orders-7
    #[arg(long, short, value_name = "TOPIC-N")]
    pub partition: Option<String>,
    /// A line a batch, as Kafka's DumpLogSegments prints it
    #[arg(long)]
    pub batches: bool,
}

/// `logs diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// A replica's name and its broker's data folder, e.g. b1=/data1
    #[arg(value_name = "NAME=DIR", value_parser = named_folder)]
    pub replicas: Vec<(String, PathBuf)>,
    /// Only this partition, e.g. orders-7
    #[arg(long, short, value_name = "TOPIC-N")]
    pub partition: Option<String>,
    /// Show the picture around this offset [default: the first difference]
    #[arg(long, value_name = "OFFSET")]
    pub around: Option<i64>,
}

fn named_folder(text: &str) -> Result<(String, PathBuf), String> {
    let (name, folder) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=DIR, e.g. b1=/data1"))?;
    Ok((name.to_owned(), folder.into()))
}

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

/// `broker`.
#[derive(Args, Debug)]
pub struct NodeArgs {
    /// Its .properties file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
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

/// `calls`.
#[derive(Args, Debug)]
pub struct CallsArgs {
    /// Where it writes
    pub dir: PathBuf,
}

/// `lazyfs`: serves the mounted file system whose descriptor is its standard input.
#[derive(Args, Debug)]
pub struct LazyfsArgs {
    /// Where it takes orders
    #[arg(long, value_name = "FILE")]
    pub socket: PathBuf,
    /// The folder whose content it takes in
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Names become durable by an fsync of their folder only, not by any fsync
    #[arg(long)]
    pub strict_names: bool,
    /// Chooses which reads and writes fail
    #[arg(long, value_parser = units::seed, value_name = "HEX", default_value = "0")]
    pub seed: u64,
}

/// `client`.
#[derive(Args, Debug)]
pub struct ClientArgs {
    /// Its specification
    #[arg(long, value_name = "FILE")]
    pub spec: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
