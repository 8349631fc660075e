//! Transactions as a benchmark wants them: twenty producers commit two appends and a read of what the last ones wrote,
//! over eight logs, in an order that every dependency agrees with.

use crate::synth::rng::Rng;
use crate::txn::{CYCLE_STEPS_MAX, Extent, Graph, MicroOp, Place, Status, Transaction, View};
use history::{LogId, Names, Nanos, Offset, ProcessId, Record, Value, WriterId};

const PRODUCERS: u64 = 20;
const LOGS: u64 = 8;

/// `count` committed transactions.
pub fn prepare(count: u64) -> Vec<Transaction> {
    let mut rng = Rng::new(1);
    let mut logs: Vec<Vec<Value>> = vec![Vec::new(); LOGS as usize];
    let mut sequences = [0; PRODUCERS as usize];
    (0..count).map(|at| transaction(at, &mut rng, &mut logs, &mut sequences)).collect()
}

fn transaction(at: u64, rng: &mut Rng, logs: &mut [Vec<Value>], sequences: &mut [u64]) -> Transaction {
    let process = rng.below(PRODUCERS);
    let seen = rng.below(LOGS) as usize;
    let start = logs[seen].len().saturating_sub(rng.below(6) as usize);
    let tail = logs[seen].iter().enumerate().skip(start);
    let records = tail.map(|(at, value)| Record { offset: Offset(at as i64), value: *value }).collect();
    let (log, from) = (LogId(seen as u32), Offset(start as i64));
    let mut ops = vec![MicroOp::Read { log, from, records, extent: Extent::Window, view: View::Committed }];
    for _ in 0..2 {
        let log = rng.below(LOGS) as usize;
        let value = Value::new(WriterId(process as u32), sequences[process as usize]);
        sequences[process as usize] += 1;
        let place = Place::At(Offset(logs[log].len() as i64));
        ops.push(MicroOp::Append { log: LogId(log as u32), value, place });
        logs[log].push(value);
    }
    let (invoked, returned) = (Nanos(1000 * at), Some(Nanos(1000 * at + 1000 + rng.below(19_000))));
    let (process, status) = (ProcessId(process as u32), Status::Committed);
    Transaction { id: at, process, invoked, returned, status, ops }
}

/// Builds the graph; how many dependencies and edges of real time it has.
pub fn build(transactions: &[Transaction]) -> usize {
    Graph::new(transactions, &[], &Names::default()).edges()
}

/// Judges them. True if all is well but for orders that only the order of writes contradicts.
pub fn judge(transactions: &[Transaction]) -> bool {
    let report = Graph::new(transactions, &[], &Names::default()).judge(CYCLE_STEPS_MAX);
    !report.budget_spent && report.happened == transactions.len() as u64
}
