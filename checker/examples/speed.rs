//! Prints what the checker costs on this machine: `cargo run --release -p stormglass-checker --example speed [ops] [piece]`.
#![allow(clippy::print_stdout, missing_docs)]

use checker::bench;
use std::time::Instant;

fn main() {
    let ops: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000_000);
    let piece = std::env::args().nth(2).unwrap_or_default();
    for logs in [1, 4] {
        let history = bench::prepare(ops, logs);
        let n = history.ops.len() as f64;
        println!("{logs} log(s), {} operations, {} records", history.ops.len(), history.records.len());
        let best = |what: &str, run: &dyn Fn() -> String| {
            if !what.contains(&piece) {
                return;
            }
            let timed = (0..9).map(|_| {
                let (start, cpu) = (Instant::now(), cpu_seconds());
                let said = run();
                (cpu_seconds() - cpu, start.elapsed().as_secs_f64(), said)
            });
            let (cpu, wall, said) = timed.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
            let rate = n / cpu / 1e6;
            println!("  {what:24} {wall:7.3} s, {cpu:7.3} s of CPU: {rate:7.1} M operations/s  {said}");
        };
        if logs == 1 {
            best("linearizable scan", &|| {
                let (found, bytes) = bench::scan(&history);
                format!("{found} contradictions, {:.1} B/operation", bytes as f64 / n)
            });
            let events = if "linearizable, streaming".contains(&piece) { bench::events(&history) } else { Vec::new() };
            best("linearizable, streaming", &|| format!("{} contradictions", bench::stream(&events)));
        }
        for cores in [1, 2] {
            best(&format!("all claims, {cores} core(s)"), &|| format!("clean: {}", bench::judge_all(&history, cores)));
        }
        println!("  state                    {:.1} B/operation", bench::state_bytes(&history) as f64 / n);
    }
}

/// Seconds of processor time this process has used, all threads together.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / 100.0
}
