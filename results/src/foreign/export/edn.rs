//! The EDN that Jepsen's Kafka checker reads: sends, polls, assignments and transactions, event by event.
//!
//! Jepsen's processes do one thing at a time and are replaced once an outcome is unknown: a process of ours that had
//! several operations open becomes several. Values become whole numbers, unique within their key; fetches that
//! follow on each other become polls of a process of their own, so that it has a position where they have none. **Invariant:** of every process each invocation is followed by its
//! completion, and events are in the order of time, completions first.
//!
//! Deliberately left out, because that checker knows nothing like it: told offsets (ends, starts, epochs), groups'
//! positions, markers.

use history::{History, Kind, LogId, Nanos, Op, Outcome, ProcessId, Value};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write};

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Events.
    pub events: u64,
    /// Operations of kinds that have no like.
    pub left_out: u64,
}

/// One operation of Jepsen's, as it will be written.
struct Exchange {
    /// A process of ours, and which run of fetches of its; 0 is everything else.
    process: (ProcessId, u64),
    f: &'static str,
    invoked: Nanos,
    /// Of an operation without a reply, the end of the history.
    completed: Nanos,
    outcome: Outcome,
    /// Operations within; none of an assignment.
    ops: Vec<u32>,
    assigned: Vec<LogId>,
}

/// Writes a history.
///
/// # Errors
/// As the writer has them.
pub fn write(history: &History, out: &mut impl Write) -> io::Result<Written> {
    let mut plan = Plan::new(history);
    plan.fill();
    let Plan { mut exchanges, left_out, .. } = plan;
    exchanges.sort_by_key(|e| (e.invoked, e.completed));
    let numbers = numbers(history);
    let lanes = lanes(&exchanges);
    let mut events: Vec<(Nanos, bool, u32)> = Vec::with_capacity(exchanges.len() * 2);
    for (at, exchange) in (0u32..).zip(&exchanges) {
        events.push((exchange.invoked, true, at));
        events.push((exchange.completed, false, at));
    }
    events.sort_unstable();
    let mut line = String::new();
    for (index, (time, invokes, at)) in events.iter().enumerate() {
        let exchange = &exchanges[*at as usize];
        let kind = match (invokes, exchange.outcome) {
            (true, _) => "invoke",
            (false, Outcome::Ok) => "ok",
            (false, Outcome::Fail) => "fail",
            (false, Outcome::Unknown) => "info",
        };
        let time = time.since(history.names.epoch);
        line.clear();
        // A String cannot fail to be written to.
        let _ = write!(
            line,
            "{{:index {index}, :time {time}, :type :{kind}, :process {}, :f :{}, :value ",
            lanes[*at as usize], exchange.f
        );
        value(history, exchange, &numbers, !invokes, &mut line);
        line.push_str("}\n");
        out.write_all(line.as_bytes())?;
    }
    Ok(Written { events: events.len() as u64, left_out })
}

struct Plan<'a> {
    history: &'a History,
    exchanges: Vec<Exchange>,
    left_out: u64,
    end: Nanos,
    runs: u64,
}

impl<'a> Plan<'a> {
    fn new(history: &'a History) -> Plan<'a> {
        let returned = history.ops.iter().map(|op| op.returned).filter(|at| *at != Nanos::NEVER);
        let latest = returned.chain(history.ops.iter().map(|op| op.invoked)).max().unwrap_or(Nanos(0));
        Plan { history, exchanges: Vec::new(), left_out: 0, end: Nanos(latest.0.saturating_add(1)), runs: 0 }
    }

    fn fill(&mut self) {
        let mut order: Vec<u32> = (0..self.history.ops.len() as u32).collect();
        let op = |at: &u32| &self.history.ops[*at as usize];
        order.sort_by_key(|at| (op(at).process(), op(at).invoked, op(at).kind() != Kind::TxnBegin));
        for of_process in order.chunk_by(|a, b| op(a).process() == op(b).process()) {
            self.process(of_process);
        }
    }

    fn process(&mut self, order: &[u32]) {
        let (mut open, mut assigned): (Option<Exchange>, BTreeSet<LogId>) = (None, BTreeSet::new());
        let mut runs: HashMap<LogId, (i64, u64)> = HashMap::new();
        for at in order {
            let op = self.history.ops[*at as usize];
            match op.kind() {
                Kind::TxnBegin => {
                    self.exchanges.extend(open.take());
                    open = Some(self.exchange(&op, "txn", Vec::new()));
                }
                Kind::TxnCommit | Kind::TxnAbort => {
                    if let Some(exchange) = open.take() {
                        let ended = self.ended(exchange, &op);
                        self.exchanges.push(ended);
                    }
                }
                Kind::Append | Kind::Poll | Kind::Fetch => match &mut open {
                    Some(exchange) => exchange.ops.push(*at),
                    None => {
                        let f = if op.kind() == Kind::Append { "send" } else { "poll" };
                        let mut exchange = self.exchange(&op, f, vec![*at]);
                        if op.kind() == Kind::Fetch {
                            exchange.process.1 = self.run(&op, &mut runs);
                        }
                        self.exchanges.push(exchange);
                    }
                },
                Kind::Assign | Kind::Revoke if op.outcome() == Outcome::Ok => self.assign(&op, &mut assigned),
                _ => self.left_out += 1,
            }
        }
        self.exchanges.extend(open);
    }

    /// The run of a fetch: that of the one before it in the log, if it goes on where that ended.
    fn run(&mut self, op: &Op, runs: &mut HashMap<LogId, (i64, u64)>) -> u64 {
        let records = self.history.records_of(op);
        let end = records.last().map_or(op.offset.0, |last| last.offset.0.saturating_add(1));
        let run = match runs.get(&op.log) {
            Some((next, run)) if *next == op.offset.0 => *run,
            _ => {
                self.runs += 1;
                self.runs
            }
        };
        runs.insert(op.log, (end, run));
        run
    }

    fn exchange(&self, op: &Op, f: &'static str, ops: Vec<u32>) -> Exchange {
        let completed = if op.returned == Nanos::NEVER { self.end } else { op.returned };
        Exchange {
            process: (op.process(), 0),
            f,
            invoked: op.invoked,
            completed,
            outcome: if f == "txn" { Outcome::Unknown } else { op.outcome() },
            ops,
            assigned: Vec::new(),
        }
    }

    fn ended(&self, mut exchange: Exchange, end: &Op) -> Exchange {
        exchange.completed = if end.returned == Nanos::NEVER { self.end } else { end.returned };
        exchange.outcome = match (end.kind(), end.outcome()) {
            (Kind::TxnCommit, outcome) => outcome,
            _ => Outcome::Fail,
        };
        let appends = |at: &u32| self.history.ops[*at as usize].kind() == Kind::Append;
        match (exchange.ops.iter().any(appends), exchange.ops.iter().all(appends)) {
            (true, true) => exchange.f = "send",
            (false, _) => exchange.f = "poll",
            _ => {}
        }
        exchange
    }

    /// A log given anew is first left out, so that the reader's position is forgotten.
    fn assign(&mut self, op: &Op, assigned: &mut BTreeSet<LogId>) {
        let given = op.kind() == Kind::Assign;
        if assigned.remove(&op.log) || !given {
            let mut without = self.exchange(op, "assign", Vec::new());
            without.completed = if given { op.invoked } else { without.completed };
            without.assigned = assigned.iter().copied().collect();
            self.exchanges.push(without);
        }
        if given {
            assigned.insert(op.log);
            let mut with = self.exchange(op, "assign", Vec::new());
            with.assigned = assigned.iter().copied().collect();
            self.exchanges.push(with);
        }
    }
}

/// Jepsen's process of each exchange: the lowest of its process's that is free, and never again once an outcome was unknown.
fn lanes(exchanges: &[Exchange]) -> Vec<u64> {
    #[derive(Default)]
    struct Lanes {
        free: BinaryHeap<Reverse<u64>>,
        busy: BinaryHeap<Reverse<(Nanos, u64)>>,
    }
    let (mut all, mut next, mut lanes) = (HashMap::<_, Lanes>::new(), 0u64, Vec::with_capacity(exchanges.len()));
    for exchange in exchanges {
        let mine = all.entry(exchange.process).or_default();
        while let Some(Reverse((_, lane))) = mine.busy.peek().filter(|b| b.0.0 <= exchange.invoked).copied() {
            mine.busy.pop();
            mine.free.push(Reverse(lane));
        }
        let lane = mine.free.pop().map_or_else(
            || {
                next += 1;
                next - 1
            },
            |Reverse(lane)| lane,
        );
        if exchange.outcome != Outcome::Unknown {
            mine.busy.push(Reverse((exchange.completed, lane)));
        }
        lanes.push(lane);
    }
    lanes
}

/// Whole numbers for values, by key: appends by the time they were handed over, then what nobody appended.
fn numbers(history: &History) -> HashMap<(LogId, Value), u64> {
    let mut appends: Vec<&Op> = history.ops.iter().filter(|op| op.kind() == Kind::Append).collect();
    appends.sort_by_key(|op| (op.invoked, op.detail));
    let reads = history.ops.iter().filter(|op| op.kind().reads_records());
    let read = reads.flat_map(|op| history.records_of(op).iter().map(|record| (op.log, record.value)));
    let (mut numbers, mut counts) = (HashMap::new(), HashMap::<LogId, u64>::new());
    for (log, value) in appends.iter().map(|op| (op.log, op.value())).chain(read) {
        numbers.entry((log, value)).or_insert_with(|| {
            let count = counts.entry(log).or_default();
            *count += 1;
            *count
        });
    }
    numbers
}

fn value(history: &History, exchange: &Exchange, numbers: &HashMap<(LogId, Value), u64>, told: bool, out: &mut String) {
    let number = |log: LogId, value: Value| numbers.get(&(log, value)).copied().unwrap_or(0);
    out.push('[');
    if exchange.f == "assign" {
        let keys: Vec<String> = exchange.assigned.iter().map(|log| log.0.to_string()).collect();
        out.push_str(&keys.join(" "));
    }
    for (nth, at) in exchange.ops.iter().enumerate() {
        let op = &history.ops[*at as usize];
        let space = if nth == 0 { "" } else { " " };
        // A String cannot fail to be written to.
        let _ = match (op.kind(), told) {
            (Kind::Append, false) => write!(out, "{space}[:send {} {}]", op.log.0, number(op.log, op.value())),
            (Kind::Append, true) => {
                let offset = if op.offset.0 >= 0 { op.offset.0.to_string() } else { "nil".into() };
                write!(out, "{space}[:send {} [{offset} {}]]", op.log.0, number(op.log, op.value()))
            }
            (_, false) => write!(out, "{space}[:poll]"),
            (_, true) => {
                let data = history.records_of(op).iter().filter(|record| record.value != Value::MARKER);
                let pairs: Vec<String> =
                    data.map(|r| format!("[{} {}]", r.offset.0, number(op.log, r.value))).collect();
                match pairs.is_empty() {
                    true => write!(out, "{space}[:poll {{}}]"),
                    false => write!(out, "{space}[:poll {{{} [{}]}}]", op.log.0, pairs.join(" ")),
                }
            }
        };
    }
    out.push(']');
}
