//! `stormglass bench checker`: the checkers on generated histories, one core, and a history file judged end to end.

use crate::commands::Failure;
use crate::terminal;
use checker::bench as pieces;
use checker::{Contract, Promises};
use results::Exit;
use results::arrow::history::{read_history, write_history};
use results::merge::Recording;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 3;

/// Measures and prints a table. Every piece checks its own answer.
pub fn bench(ops: usize) -> Result<Exit, Failure> {
    let one = pieces::prepare(ops, 1);
    let n = one.ops.len() as f64;
    let scan = best(|| pieces::scan(&one).0 == 0)?;
    let bytes = pieces::scan(&one).1 as f64 / n;
    let events = pieces::events(&one);
    let stream = best(|| pieces::stream(&events) == 0)?;
    drop((one, events));
    let many = pieces::prepare(ops, 4);
    let all = best(|| pieces::judge_all(&many, 1))?;
    let state = pieces::state_bytes(&many) as f64 / n;
    let (file_seconds, file_bytes) = end_to_end(many)?;
    let rate = |seconds: f64| n / seconds / 1e6;
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor =
        processor.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("").trim_start_matches(['\t', ':', ' ']);
    terminal::say(&format!(
        "{ops} operations, best of {ROUNDS}, one core of: {processor}\n\n| piece | figure |\n|---|---|\n\
         | linearizability scan, any order | {:.0} M operations/s, {bytes:.1} B of state an operation |\n\
         | linearizability scan, events in the order of time | {:.0} M operations/s |\n\
         | all per-log claims | {:.1} M operations/s, {state:.1} B of state an operation |\n\
         | history.arrow of {:.0} MB read and judged | {file_seconds:.2} s |\n\
         | peak memory of this benchmark | {:.2} GB |",
        rate(scan),
        rate(stream),
        rate(all),
        file_bytes as f64 / 1e6,
        peak_bytes() as f64 / 1e9,
    ));
    Ok(Exit::Pass)
}

fn best(mut piece: impl FnMut() -> bool) -> Result<f64, Failure> {
    let mut fastest = f64::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        if !black_box(piece()) {
            return Err(Failure::internal("a checker found an anomaly in a correct history"));
        }
        fastest = fastest.min(began.elapsed().as_secs_f64());
    }
    Ok(fastest)
}

fn end_to_end(history: history::History) -> Result<(f64, u64), Failure> {
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let path = folder.path().join("history.arrow");
    let intended = history.ops.iter().map(|op| op.invoked).collect();
    write_history(&path, &Recording { history, intended, errors: Vec::new() }).map_err(Failure::internal)?;
    let bytes = std::fs::metadata(&path).map_err(Failure::internal)?.len();
    let began = Instant::now();
    let recording = read_history(&path).map_err(Failure::internal)?;
    let judgement = checker::judge(&recording.history, &[], &Contract::durable(), &Promises::strict());
    match judgement.anomalies.is_empty() {
        true => Ok((began.elapsed().as_secs_f64(), bytes)),
        false => Err(Failure::internal("a checker found an anomaly in a correct history")),
    }
}

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    peak.unwrap_or(0) * 1024
}
