//! `stormglass bench cluster`: how long the embedded cluster takes to answer, and what an idle broker weighs.

use crate::commands::{Failure, run};
use crate::run::{Processes, bring_up};
use crate::scenario::Scenario;
use crate::terminal;
use history::NodeId;
use results::Exit;
use std::time::Duration;

const IDLE: Duration = Duration::from_secs(2);

struct Measured {
    answered: Duration,
    rss_bytes: u64,
}

/// Starts clusters one after the other and prints a table.
pub fn bench(times: u32) -> Result<Exit, Failure> {
    let measured: Vec<Measured> = (0..times).map(|_| measure()).collect::<Result<_, _>>()?;
    let mut answers: Vec<f64> = measured.iter().map(|m| m.answered.as_secs_f64()).collect();
    answers.sort_by(f64::total_cmp);
    let rss_max = measured.iter().map(|m| m.rss_bytes).max().unwrap_or(0);
    terminal::say(&format!(
        "| figure, {times} starts of 3 brokers and 1 controller | median | worst |\n|---|---|---|\n\
         | start to every partition led and in sync | {:.2} s | {:.2} s |\n\
         | resident memory of an idle broker, largest | | {:.1} MB |",
        answers[answers.len() / 2],
        answers[answers.len() - 1],
        rss_max as f64 / 1e6,
    ));
    Ok(Exit::Pass)
}

fn measure() -> Result<Measured, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let mut processes = Processes::start().map_err(Failure::internal)?;
    let mut cluster = bring_up(&scenario(), folder.path(), &mut processes)?;
    processes.wait_event(IDLE);
    let rss = |node: NodeId| cluster.nodes.rss_bytes(node).unwrap_or(0);
    let rss_bytes = cluster.nodes.brokers().into_iter().map(rss).max().unwrap_or(0);
    cluster.nodes.stop_all(&mut processes, Duration::from_secs(10));
    processes.shutdown().map_err(Failure::internal)?;
    Ok(Measured { answered: cluster.took, rss_bytes })
}

fn scenario() -> Scenario {
    Scenario::new("bench", run::random_seed())
}
