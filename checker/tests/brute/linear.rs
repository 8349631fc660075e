//! Linearizability of a log by definition: some order of its operations that respects real time is legal.

use checker::synth::rng::Rng;
use history::{
    History, Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, ProcessName, Record, Role, Value, WriterId,
};
use std::collections::{HashMap, HashSet};

const LOG: LogId = LogId(0);

fn value(offset: i64) -> Value {
    Value::new(WriterId(offset as u32), 0)
}

/// A log of up to six offsets, each with one value of its own, some without an owner, some asked after.
pub fn history(rng: &mut Rng) -> History {
    let mut history = History::default();
    history.names.logs = vec!["log".into()];
    let process = |role| ProcessName { name: format!("{role:?}"), role, writer: None };
    history.names.processes = vec![process(Role::Producer), process(Role::Consumer), process(Role::Sampler)];
    let (range, length) = (4 + rng.below(20), rng.below(6) as i64);
    let start = Op::invoke(Kind::LogStart, ProcessId(2), LOG, Nanos(0));
    history.ops.push(start.complete(Outcome::Ok, Nanos(0), Offset(0)));
    for offset in 0..length {
        let op = Op::invoke(Kind::Append, ProcessId(0), LOG, Nanos(rng.below(range))).with_detail(value(offset).0);
        match rng.below(6) {
            0 => {}
            1 => history.ops.push(op),
            _ => history.ops.push(op.complete(Outcome::Ok, Nanos(op.invoked.0 + rng.below(range)), Offset(offset))),
        }
    }
    for extra in 0..rng.below(3) {
        let op = Op::invoke(Kind::Append, ProcessId(0), LOG, Nanos(rng.below(range)));
        history.ops.push(op.with_detail(value(100 + extra as i64).0));
    }
    for _ in 0..rng.below(5) {
        ask(rng, &mut history, range, length);
    }
    history
}

fn ask(rng: &mut Rng, history: &mut History, range: u64, length: i64) {
    let (invoked, at) = (rng.below(range), rng.below(length as u64 + 1) as i64);
    let returned = Nanos(invoked + rng.below(range / 2 + 1));
    let op = |kind, process| {
        Op::invoke(kind, ProcessId(process), LOG, Nanos(invoked)).complete(Outcome::Ok, returned, Offset(at))
    };
    match rng.below(4) {
        0 => history.ops.push(op(Kind::EndOffset, 2)),
        1 => history.push_read(op(Kind::Fetch, 1), &[]),
        n => {
            let appended = |o: &i64| history.ops.iter().any(|op| op.kind() == Kind::Append && op.value() == value(*o));
            let records = (at..length).take(2).take_while(appended);
            let records: Vec<Record> = records.map(|o| Record { offset: Offset(o), value: value(o) }).collect();
            if !records.is_empty() {
                history.push_read(op(if n == 2 { Kind::Fetch } else { Kind::Poll }, 1), &records);
            }
        }
    }
}

/// What an operation needs of the length and does to it.
#[derive(Clone, Copy)]
enum Step {
    /// Needs exactly this length and adds one.
    AppendAt(i64),
    /// Adds one, whatever the length, and need not happen.
    AppendAnywhere,
    /// Needs at least this length.
    AtLeast(i64),
    /// Needs at most this length.
    AtMost(i64),
    /// Needs exactly this length.
    Exactly(i64),
}

pub fn linearizable(history: &History) -> bool {
    let mut stands: HashMap<Value, i64> = HashMap::new();
    for record in history.ops.iter().flat_map(|op| history.records_of(op)) {
        stands.insert(record.value, record.offset.0);
    }
    let step = |op: &Op| match (op.kind(), history.records_of(op).last()) {
        (Kind::Append, _) if op.outcome() == Outcome::Ok => Step::AppendAt(op.offset.0),
        (Kind::Append, _) => stands.get(&op.value()).map_or(Step::AppendAnywhere, |o| Step::AppendAt(*o)),
        (Kind::Poll | Kind::Fetch, Some(last)) => Step::AtLeast(last.offset.0 + 1),
        (Kind::Fetch, None) => Step::AtMost(op.offset.0),
        (Kind::EndOffset, _) => Step::Exactly(op.offset.0),
        _ => Step::AtLeast(0),
    };
    let steps: Vec<(Step, u64, u64)> = history.ops.iter().map(|op| (step(op), op.invoked.0, op.returned.0)).collect();
    search(&steps, 0, 0, &mut HashSet::new())
}

fn search(steps: &[(Step, u64, u64)], done: u32, length: i64, seen: &mut HashSet<(u32, i64)>) -> bool {
    let open = || (0..steps.len()).filter(move |i| done >> i & 1 == 0);
    if open().all(|i| matches!(steps[i].0, Step::AppendAnywhere)) {
        return true;
    }
    if !seen.insert((done, length)) {
        return false;
    }
    let first_return = open().map(|i| steps[i].2).min().unwrap_or(u64::MAX);
    open().filter(|i| steps[*i].1 <= first_return).any(|i| {
        let next = match steps[i].0 {
            Step::AppendAt(o) if o == length => length + 1,
            Step::AppendAnywhere => length + 1,
            Step::AtLeast(n) if length >= n => length,
            Step::AtMost(n) if length <= n => length,
            Step::Exactly(n) if length == n => length,
            _ => return false,
        };
        search(steps, done | 1 << i, next, seen)
    })
}
