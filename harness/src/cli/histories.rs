//! What is judged, shown and written of what there is already: runs, histories, logs; and the catalogue.

use super::OutputArgs;
use crate::units;
use clap::{Args, Subcommand, ValueEnum};
use results::foreign::Format;
use std::path::PathBuf;

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
