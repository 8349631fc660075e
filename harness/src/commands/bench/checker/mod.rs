//! `stormglass bench checker`: the checkers on generated histories, history files judged end to end, the general search on
//! the histories of others. Rates are of processor time on one core; every piece checks its own answer.

mod cost;
mod files;
mod porcupine;

use crate::cli::BenchArgs;
use crate::commands::Failure;
use crate::terminal;
use checker::bench::{self as pieces, registers, transactions};
use checker::synth::repeated::Repeated;
use checker::synth::{Shape, correct};
use cost::{Cost, best};
use results::Exit;
use std::path::Path;

const ROUNDS: usize = 3;
/// Operations of one round of a long history.
const ROUND_OPS: usize = 1_000_000;
const LOGS: u32 = 4;
/// Operations of a history as Jepsen's users have it.
const EDN_OPS: usize = 100_000;
const TRANSACTIONS: u64 = 1_000_000;
const CLIENTS: usize = 20;
const REGISTER_OPS: usize = 5000;

/// Measures and prints a table.
pub fn bench(args: &BenchArgs) -> Result<Exit, Failure> {
    let ops = args.times.unwrap_or(10_000_000).clamp(1_000, 200_000_000) as usize;
    say(&format!("machine: {}; rates are of CPU time on one core, best of {ROUNDS}\n", machine()));
    say("| piece | figure | cost |");
    say("|---|---|---|");
    of_edn(ops.min(EDN_OPS))?;
    end_to_end(ops)?;
    scans(ops.min(10_000_000))?;
    claims(ops.min(10_000_000))?;
    of_transactions()?;
    of_registers()?;
    match &args.histories {
        Some(folder) => of_porcupine(folder),
        None => Ok(Exit::Pass),
    }
}

fn say(line: &str) {
    terminal::say(line);
}

fn row(what: &str, figure: &str, cost: Cost) {
    say(&format!("| {what} | {figure} | {} |", cost.text()));
}

fn scans(ops: usize) -> Result<(), Failure> {
    let history = pieces::prepare(ops, 1);
    let n = history.ops.len() as f64;
    let bytes = pieces::scan(&history).1 as f64 / n;
    let cost = best(ROUNDS, || pieces::scan(&history).0 == 0)?;
    row(
        &format!("linearizability scan of {ops} operations, any order"),
        &format!("{:.0} M operations/s, {bytes:.1} B of state an operation", cost.rate(n)),
        cost,
    );
    let events = pieces::events(&history);
    drop(history);
    let cost = best(ROUNDS, || pieces::stream(&events) == 0)?;
    row("the same, events in the order of time", &format!("{:.0} M operations/s", cost.rate(n)), cost);
    Ok(())
}

fn claims(ops: usize) -> Result<(), Failure> {
    let history = pieces::prepare(ops, LOGS);
    let n = history.ops.len() as f64;
    let bytes = pieces::state_bytes(&history) as f64 / n;
    let cost = best(ROUNDS, || pieces::judge_all(&history, 1))?;
    row(
        &format!("all per-log claims of {ops} operations on {LOGS} logs"),
        &format!("{:.1} M operations/s, {bytes:.1} B of state an operation", cost.rate(n)),
        cost,
    );
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let cost = best(ROUNDS, || pieces::judge_all(&history, cores))?;
    row(
        &format!("the same on {cores} cores"),
        &format!("{:.1} M operations/s of wall time", n / cost.wall / 1e6),
        cost,
    );
    Ok(())
}

fn end_to_end(ops: usize) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let round = correct(Shape { logs: LOGS, ..Shape::large(ops.min(ROUND_OPS)) }).history;
    let rounds = ops.div_ceil(ROUND_OPS) as u64;
    let long = Repeated::new(round, rounds);
    let judged = files::judge(&long, folder.path())?;
    let (peak, size) = (judged.child.peak_bytes as f64 / 1e9, judged.bytes as f64 / 1e9);
    row(
        &format!("history.arrow of {} operations, {size:.2} GB, judged by `check`", long.operations()),
        &format!("{peak:.2} GB at most"),
        judged.child.cost,
    );
    Ok(())
}

fn of_edn(ops: usize) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(Failure::internal)?;
    let history = correct(Shape { logs: LOGS, ..Shape::large(ops) }).history;
    let records = history.records.len() as f64;
    let judged = files::judge_edn(&history, folder.path())?;
    row(
        &format!("Jepsen's history.edn of {ops} operations, {records} records, judged by `check`"),
        &format!("{:.1} MB, {:.2} M records/s", judged.bytes as f64 / 1e6, judged.child.cost.rate(records)),
        judged.child.cost,
    );
    Ok(())
}

fn of_transactions() -> Result<(), Failure> {
    let prepared = transactions::prepare(TRANSACTIONS);
    let n = prepared.len() as f64;
    let cost = best(ROUNDS, || transactions::build(&prepared) > prepared.len())?;
    let figure = |cost: Cost| format!("{:.2} M transactions/s", cost.rate(n));
    row(&format!("dependency graph of {TRANSACTIONS} transactions"), &figure(cost), cost);
    let cost = best(1, || transactions::judge(&prepared))?;
    row("the same built, and judged", &figure(cost), cost);
    Ok(())
}

fn of_registers() -> Result<(), Failure> {
    let operations = registers::prepare(CLIENTS, REGISTER_OPS);
    let cost = best(ROUNDS, || registers::decide(&operations))?;
    let figure = format!("{:.2} M operations/s", cost.rate(operations.len() as f64));
    row(&format!("general search, a register: {CLIENTS} clients, {REGISTER_OPS} operations each"), &figure, cost);
    Ok(())
}

fn of_porcupine(folder: &Path) -> Result<Exit, Failure> {
    let mut wrong = Vec::new();
    for (what, judged) in [("etcd", porcupine::etcd(folder)?), ("key-value", porcupine::stores(folder)?)] {
        let porcupine::Judged { histories, operations, cost, .. } = judged;
        let figure = format!("{} verdicts differ", judged.wrong.len());
        row(&format!("Porcupine's {histories} {what} histories, {operations} operations"), &figure, cost);
        wrong.extend(judged.wrong);
    }
    match wrong.is_empty() {
        true => Ok(Exit::Pass),
        false => Err(Failure::internal(format!("other verdicts than Porcupine's tests expect: {}", wrong.join(", ")))),
    }
}

fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = processor.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{}, {cores} cores, load {load}", name.trim_start_matches(['\t', ':', ' ']))
}
