//! `stormglass calls`: measures what system calls and clocks cost in this very process, with or without a library preloaded.

use super::Failure;
use crate::cli::CallsArgs;
use crate::terminal;
use results::Exit;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const ROUNDS: usize = 15;
const WRITES: u32 = 4_000;
const CLOCKS: u32 = 20_000;

/// What was measured, the best of some rounds: what comes on top is the machine's other work.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// A write of 64 bytes to a file, nanoseconds.
    pub write_ns: f64,
    /// A look at the wall clock, nanoseconds.
    pub clock_ns: f64,
    /// What the wall clock says, milliseconds since 1970.
    pub wall_ms: i64,
    /// Whether an fsync was answered.
    pub fsync: Answer,
}

/// What an fsync said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Done.
    Done,
    /// An error.
    Failed,
}

/// Measures and prints one JSON object.
pub fn calls(args: &CallsArgs) -> Result<Exit, Failure> {
    let file = args.dir.join("calls");
    let mut file = OpenOptions::new().create(true).append(true).open(file).map_err(Failure::unreadable)?;
    let mut write = || _ = file.write_all(&[7; 64]);
    let write_ns = best(WRITES, &mut write);
    let fsync = if file.sync_all().is_ok() { Answer::Done } else { Answer::Failed };
    let clock_ns = best(CLOCKS, &mut || _ = std::hint::black_box(SystemTime::now()));
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let measured = Measured { write_ns, clock_ns, wall_ms: since.as_millis() as i64, fsync };
    terminal::say(&serde_json::to_string(&measured).map_err(Failure::internal)?);
    Ok(Exit::Pass)
}

fn best(times: u32, call: &mut dyn FnMut()) -> f64 {
    let round = |call: &mut dyn FnMut()| {
        let began = Instant::now();
        (0..times).for_each(|_| call());
        began.elapsed()
    };
    let best = (0..ROUNDS).map(|_| round(call)).min().unwrap_or(Duration::ZERO);
    best.as_nanos() as f64 / f64::from(times)
}
