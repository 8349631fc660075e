//! How fast transactions are judged: builds the graph of generated ones and looks for cycles, timing each.
//!
//! ```text
//! cargo run --release -p stormglass-checker --example transactions -- 1000000
//! ```
//! Twenty producers commit transactions of two appends and a read of what the last ones wrote, over eight logs.
#![allow(clippy::print_stdout)]

use checker::txn::{CYCLE_STEPS_MAX, Extent, Graph, MicroOp, Place, Status, Transaction, View};
use history::{LogId, Names, Nanos, Offset, ProcessId, Record, Value, WriterId};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::time::Instant;

const PRODUCERS: u32 = 20;
const LOGS: usize = 8;

fn generate(count: u64) -> Vec<Transaction> {
    let mut dice = Pcg64Mcg::seed_from_u64(1);
    let mut logs: Vec<Vec<Value>> = vec![Vec::new(); LOGS];
    let mut sequences = [0; PRODUCERS as usize];
    let mut transactions = Vec::with_capacity(count as usize);
    for at in 0..count {
        let process = dice.random_range(0..PRODUCERS);
        let seen = dice.random_range(0..LOGS);
        let start = logs[seen].len().saturating_sub(dice.random_range(0..6));
        let tail = logs[seen].iter().enumerate().skip(start);
        let records = tail.map(|(at, value)| Record { offset: Offset(at as i64), value: *value }).collect();
        let (log, from) = (LogId(seen as u32), Offset(start as i64));
        let mut ops = vec![MicroOp::Read { log, from, records, extent: Extent::Window, view: View::Committed }];
        for _ in 0..2 {
            let log = dice.random_range(0..LOGS);
            let value = Value::new(WriterId(process), sequences[process as usize]);
            sequences[process as usize] += 1;
            let place = Place::At(Offset(logs[log].len() as i64));
            ops.push(MicroOp::Append { log: LogId(log as u32), value, place });
            logs[log].push(value);
        }
        let (invoked, returned) = (Nanos(1000 * at), Some(Nanos(1000 * at + dice.random_range(1000..20_000))));
        let (process, status) = (ProcessId(process), Status::Committed);
        transactions.push(Transaction { id: at, process, invoked, returned, status, ops });
    }
    transactions
}

fn main() {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let (transactions, names) = (generate(count), Names::default());
    let start = Instant::now();
    let graph = Graph::new(&transactions, &[], &names);
    let built = start.elapsed();
    let report = graph.judge(CYCLE_STEPS_MAX);
    let judged = start.elapsed();
    println!("{count} transactions, {} dependencies, {} edges", report.dependencies, graph.edges());
    println!("graph built in {built:?}: {:.2} M transactions/s", count as f64 / built.as_secs_f64() / 1e6);
    println!("judged in {judged:?}, {} findings", report.findings.len());
}
