//! The EDN that Jepsen's Kafka checker reads: sends, polls, assignments and transactions, event by event.
//!
//! Jepsen's processes do one thing at a time and are replaced once an outcome is unknown: a process of ours that had
//! several operations open becomes several, and a reader becomes one for each log it reads, which keeps its position. Values become whole numbers, unique within their key; fetches that
//! follow on each other become polls of a process of their own, so that it has a position where they have none. **Invariant:** of every process each invocation is followed by its
//! completion, and events are in the order of time, completions first.
//!
//! Deliberately left out, because that checker knows nothing like it: told offsets (ends, starts, epochs), groups'
//! positions, markers.

use history::{History, Kind, LogId, Nanos, Op, Outcome, ProcessId, Value};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
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

/// What of a process of ours is one sequence.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Part {
    /// Appends and transactions, as many at a time as there were.
    Work,
    /// Polls of a log.
    Reader(LogId),
    /// Fetches that follow on each other.
    Run(u64),
}

/// One operation of Jepsen's, as it will be written.
struct Exchange {
    process: (ProcessId, Part),
    f: &'static str,
    invoked: Nanos,
    /// Of an operation without a reply, the end of the history.
    completed: Nanos,
    outcome: Outcome,
    /// Operations within; none of an assignment.
    ops: Vec<u32>,
    assigned: Option<LogId>,
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
    let zero = events.first().map_or(Nanos(0), |event| event.0);
    let mut line = String::new();
    for (index, (time, invokes, at)) in events.iter().enumerate() {
        let exchange = &exchanges[*at as usize];
        let kind = match (invokes, exchange.outcome) {
            (true, _) => "invoke",
            (false, Outcome::Ok) => "ok",
            (false, Outcome::Fail) => "fail",
            (false, Outcome::Unknown) => "info",
        };
        let time = time.since(zero);
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
        let mut open: Option<Exchange> = None;
        let mut readers: HashMap<LogId, Reader> = HashMap::new();
        let mut runs: HashMap<LogId, (i64, u64)> = HashMap::new();
        for at in order {
            let op = self.history.ops[*at as usize];
            match (op.kind(), &mut open) {
                (Kind::TxnBegin, _) => {
                    let begun = self.exchange(&op, "txn", Part::Work);
                    self.exchanges.extend(open.replace(begun));
                }
                (Kind::TxnCommit | Kind::TxnAbort, _) => {
                    let ended = open.take().map(|exchange| self.ended(exchange, &op));
                    self.exchanges.extend(ended);
                }
                (Kind::Append | Kind::Poll | Kind::Fetch, Some(exchange)) => exchange.ops.push(*at),
                (Kind::Append, None) => self.single(*at, "send", Part::Work),
                (Kind::Fetch, None) => {
                    let run = self.run(&op, &mut runs);
                    self.single(*at, "poll", Part::Run(run));
                }
                (Kind::Poll, None) => {
                    self.single(*at, "poll", Part::Reader(op.log));
                    self.follow(readers.entry(op.log).or_default());
                }
                (Kind::Assign | Kind::Revoke, _) if op.outcome() == Outcome::Ok => {
                    self.assign(&op, readers.entry(op.log).or_default());
                }
                _ => self.left_out += 1,
            }
        }
        self.exchanges.extend(open);
    }

    fn single(&mut self, at: u32, f: &'static str, part: Part) {
        let mut exchange = self.exchange(&self.history.ops[at as usize], f, part);
        exchange.ops.push(at);
        self.exchanges.push(exchange);
    }

    /// Lets the last exchange begin only once the reader's one before it is over. Later it proves no more than it did.
    fn follow(&mut self, reader: &mut Reader) {
        let Some(last) = self.exchanges.last_mut() else { return };
        last.invoked = last.invoked.max(reader.free);
        last.completed = last.completed.max(Nanos(last.invoked.0.saturating_add(1)));
        reader.free = last.completed;
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

    fn exchange(&self, op: &Op, f: &'static str, part: Part) -> Exchange {
        let completed = if op.returned == Nanos::NEVER { self.end } else { op.returned };
        Exchange {
            process: (op.process(), part),
            f,
            invoked: op.invoked,
            completed: completed.max(Nanos(op.invoked.0.saturating_add(1))),
            outcome: if f == "txn" { Outcome::Unknown } else { op.outcome() },
            ops: Vec::new(),
            assigned: None,
        }
    }

    fn ended(&self, mut exchange: Exchange, end: &Op) -> Exchange {
        let completed = if end.returned == Nanos::NEVER { self.end } else { end.returned };
        exchange.completed = completed.max(exchange.completed);
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

    /// A log given anew is first taken away, so that the reader's position is forgotten.
    fn assign(&mut self, op: &Op, reader: &mut Reader) {
        let given = op.kind() == Kind::Assign;
        let changes = if given && reader.assigned { vec![None, Some(op.log)] } else { vec![given.then_some(op.log)] };
        for assigned in changes {
            let mut exchange = self.exchange(op, "assign", Part::Reader(op.log));
            exchange.assigned = assigned;
            self.exchanges.push(exchange);
            self.follow(reader);
        }
        reader.assigned = given;
    }
}

/// A reader of one log.
#[derive(Default)]
struct Reader {
    assigned: bool,
    /// When its last operation was over.
    free: Nanos,
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
        exchange.assigned.iter().for_each(|log| out.push_str(&log.0.to_string()));
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
