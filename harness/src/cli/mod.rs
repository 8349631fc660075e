//! The command line as typed: the commands here, what each takes beside it. What it means is `scenario`; what it does is
//! `commands`.

mod histories;
mod runs;
mod started;
mod tools;

pub use histories::*;
pub use runs::*;
pub use started::*;
pub use tools::*;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
