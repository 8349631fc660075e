//! `stormglass doctor`: what this machine can make go wrong, and prove, and what it costs. Everything is tried, nothing is inferred.
//!
//! One file a mechanism tried. The table says for each kind of fault by what it is done here; what cannot be done says why not and
//! what would help.

mod calls;
mod library;
mod memory;

pub use calls::calls;

use super::Failure;
use crate::cli::DoctorArgs;
use crate::run::{self, Processes};
use crate::terminal;
use results::Exit;
use serde::Serialize;
use std::path::Path;

/// What a mechanism was seen to do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Found {
    /// It works.
    Works {
        /// What it costs, measured.
        cost: String,
    },
    /// It does not.
    Fails {
        /// Why, and what helps.
        why: String,
    },
}

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
struct Row {
    /// Which faults.
    faults: &'static str,
    /// By what.
    backend: String,
    /// Whether.
    found: Found,
}

/// Tries everything and prints the table. Exit 77 if a kind of fault cannot be done at all.
pub fn doctor(args: &DoctorArgs) -> Result<Exit, Failure> {
    let mut processes = Processes::start().map_err(Failure::internal)?;
    let folder = processes.make_folder().map_err(Failure::internal)?;
    let rows = rows(args.broker_binary.as_deref(), &folder, &mut processes);
    processes.shutdown().map_err(Failure::internal)?;
    if args.json {
        terminal::say(&serde_json::to_string_pretty(&rows).map_err(Failure::internal)?);
    } else {
        terminal::say(&table(&rows));
    }
    let lacking = FAMILIES.iter().any(|family| {
        let mut of_family = rows.iter().filter(|row| row.faults == *family);
        !of_family.any(|row| matches!(row.found, Found::Works { .. }))
    });
    Ok(if lacking { Exit::NoRights } else { Exit::Pass })
}

const SIGNALS: &str = "kill, pause, terminate, restart, throttle";
const NETWORK: &str = "isolate, partition-*, mute, deafen, slow, …";
const DISK: &str = "fsync-*, disk-full, write-error, read-error, disk-slow";
const POWER: &str = "power-loss, fsync-lies";
const FILES: &str = "bit-rot, truncate-segment, wipe-disk";
const CLOCK: &str = "clock-jump, clock-drift, clock-strobe";
const FAMILIES: [&str; 6] = [SIGNALS, NETWORK, DISK, POWER, FILES, CLOCK];
/// Why the library is never used for a power loss: it would blame brokers for what it did not see being synced.
const NO_POWER: &str =
    "refused: stores into mappings, stdio and system calls made past the C library are not seen by it";

fn rows(program: Option<&Path>, folder: &Path, processes: &mut Processes) -> Vec<Row> {
    let row = |faults, backend: &str, found: &Found| Row { faults, backend: backend.into(), found: found.clone() };
    let signals = library::signals(folder, processes).unwrap_or_else(|why| Found::Fails { why });
    let library = library::tried(program, folder, processes).unwrap_or_else(|why| Found::Fails { why });
    let (how, memory) = memory::tried(folder, processes).unwrap_or_else(|why| ("FUSE".into(), Found::Fails { why }));
    let proxy = network(folder, processes).unwrap_or_else(|why| Found::Fails { why });
    let no_power = Found::Fails { why: NO_POWER.into() };
    let files = Found::Works { cost: "none: the node is down".into() };
    vec![
        row(SIGNALS, "signals by the guard", &signals),
        row(NETWORK, "a proxy before every node", &proxy),
        row(DISK, "LD_PRELOAD library", &library),
        row(DISK, &how, &memory),
        row(POWER, &how, &memory),
        row(POWER, "LD_PRELOAD library", &no_power),
        row(FILES, "the files themselves", &files),
        row(CLOCK, "LD_PRELOAD library", &library),
    ]
}

/// Sends through a proxy, cuts and heals.
fn network(folder: &Path, processes: &mut Processes) -> Result<Found, String> {
    let took = run::network_tried(folder, processes)?;
    Ok(Found::Works {
        cost: format!("cut, held and healed; the first byte through it took {:.1} ms", took.as_secs_f64() * 1e3),
    })
}

fn table(rows: &[Row]) -> String {
    let told = |row: &Row| match &row.found {
        Found::Works { cost } => ["yes".to_owned(), cost.clone()],
        Found::Fails { why } => ["no".to_owned(), why.clone()],
    };
    let head = ["faults", "by", "here", "cost, or why not"].map(str::to_owned);
    let body = rows.iter().map(|row| {
        let [here, text] = told(row);
        [row.faults.to_owned(), row.backend.clone(), here, text]
    });
    let all: Vec<[String; 4]> = std::iter::once(head).chain(body).collect();
    let width = |column: usize| all.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |cells: &[String; 4]| {
        let [faults, by, here, text] = cells;
        format!("{faults:0$}  {by:1$}  {here:2$}  {text}", widths[0], widths[1], widths[2])
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}
