//! `stormglass bench episodes`: effective fault episodes a minute, with embedded clusters side by side, each run of them
//! healed, drained and judged. The time counted is from the first start to the last verdict.

use crate::commands::Failure;
use crate::terminal;
use results::Exit;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CLUSTERS: u64 = 8;
const FAULTS: &str =
    "kill-leader,kill-follower,pause-leader,pause-follower,restart-follower,reset-leader,refuse-follower";
const RUN: [&str; 10] =
    ["--time", "20s", "--rate", "200/s", "--partitions", "2", "--quiet", "--json", "--faults", FAULTS];

/// What the runs of one place came to.
#[derive(Default)]
struct Done {
    runs: u64,
    effective: u64,
    passed: u64,
    inconclusive: u64,
    /// Seeds of runs that accused the broker: there is nothing wrong with it.
    accusing: Vec<String>,
}

/// Starts runs for `seconds`, waits for the last of them and prints a table.
pub fn bench(seconds: u32) -> Result<Exit, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds.into());
    let place = |place: u64| {
        let folder = folder.path().join(place.to_string());
        move || {
            let mut done = Done::default();
            while Instant::now() < until {
                let seed = format!("{:x}", place * 1000 + done.runs);
                done.take(run(&folder, &seed)?, seed);
            }
            Ok::<Done, Failure>(done)
        }
    };
    let all: Vec<Done> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLUSTERS).map(|n| scope.spawn(place(n))).collect();
        let broke = |_| Failure::internal("a thread of the bench ended early");
        threads.into_iter().map(|thread| thread.join().map_err(broke)?).collect::<Result<_, _>>()
    })?;
    terminal::say(&table(&all, began.elapsed()));
    let accusing: Vec<&str> = all.iter().flat_map(|done| done.accusing.iter().map(String::as_str)).collect();
    if accusing.is_empty() {
        return Ok(Exit::Pass);
    }
    terminal::say(&format!(
        "accused, seeds: {}\nrepeat: stormglass run {} --seed SEED",
        accusing.join(" "),
        RUN.join(" ")
    ));
    Ok(Exit::Violation)
}

impl Done {
    fn take(&mut self, verdict: Value, seed: String) {
        self.runs += 1;
        self.effective += verdict["coverage"]["total"]["effective"].as_u64().unwrap_or(0);
        match verdict["verdict"].as_str() {
            Some("PASS") => self.passed += 1,
            Some("VIOLATION") => self.accusing.push(seed),
            _ => self.inconclusive += 1,
        }
    }
}

fn run(out: &Path, seed: &str) -> Result<Value, Failure> {
    let program = std::env::current_exe().map_err(Failure::internal)?;
    let mut command = Command::new(program);
    command.arg("run").args(RUN).args(["--seed", seed, "--out"]).arg(out);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().map_err(Failure::internal)?;
    serde_json::from_slice(&output.stdout).map_err(|e| Failure::internal(format!("seed {seed} gave no verdict: {e}")))
}

fn table(all: &[Done], took: Duration) -> String {
    let sum = |of: fn(&Done) -> u64| all.iter().map(of).sum::<u64>();
    let (runs, effective) = (sum(|d| d.runs), sum(|d| d.effective));
    let (passed, inconclusive) = (sum(|d| d.passed), sum(|d| d.inconclusive));
    let minutes = took.as_secs_f64() / 60.0;
    format!(
        "| {CLUSTERS} clusters side by side | |\n|---|---|\n| runs judged | {runs}, of them PASS {passed}, INCONCLUSIVE {inconclusive} |\n\
         | effective episodes | {effective} |\n| minutes, the last verdict included | {minutes:.2} |\n\
         | effective episodes a minute | {:.0} |",
        effective as f64 / minutes
    )
}
