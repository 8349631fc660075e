//! Small histories without any respect for what a log is, and correct ones with one field changed.

use checker::synth::rng::Rng;
use checker::synth::{Shape, correct};
use history::{
    History, Kind, LeaderEpoch, LogId, Nanos, NodeId, Offset, Op, Outcome, ProcessId, ProcessName, Record, ReplicaLog,
    ReplicaRecord, Role, Value, WriterId,
};

const ROLES: [Role; 6] = [Role::Producer, Role::Producer, Role::Consumer, Role::Consumer, Role::Sampler, Role::Drain];

fn names(history: &mut History) {
    history.names.logs = vec!["a".into(), "b".into()];
    let process = |(i, role): (usize, &Role)| ProcessName { name: format!("{role:?}-{i}"), role: *role, writer: None };
    history.names.processes = ROLES.iter().enumerate().map(process).collect();
}

/// A dozen operations on two logs, with few offsets and few values so that they collide.
pub fn history(rng: &mut Rng) -> (History, Vec<ReplicaLog>) {
    let mut history = History::default();
    names(&mut history);
    let appends = 1 + rng.below(5);
    for n in 0..appends {
        let op = append(rng, n);
        history.ops.push(op);
    }
    for _ in 0..rng.below(5) {
        read(rng, &mut history);
    }
    for _ in 0..rng.below(3) {
        let kind = [Kind::EndOffset, Kind::StableEnd, Kind::LogStart, Kind::Epoch, Kind::Assign][rng.below(5) as usize];
        let process = if kind == Kind::Assign { 2 + rng.below(2) } else { 4 + rng.below(2) } as u32;
        let answer = if kind == Kind::LogStart { rng.below(2) } else { rng.below(6) } as i64;
        let op = timed(rng, kind, process).complete_at(Offset(answer));
        history.ops.push(op);
    }
    if rng.once_in(2) {
        drain(rng, &mut history);
    }
    let replicas = (0..rng.below(3)).map(|node| replica(rng, node as i32)).collect();
    (history, replicas)
}

fn log(rng: &mut Rng) -> LogId {
    LogId(u32::from(rng.once_in(5)))
}

struct Timed(Op, u64, Outcome);

impl Timed {
    fn complete_at(self, offset: Offset) -> Op {
        self.0.complete(self.2, Nanos(self.1), offset)
    }
}

fn timed(rng: &mut Rng, kind: Kind, process: u32) -> Timed {
    let (invoked, took) = (rng.below(20), rng.below(8));
    let outcome = if rng.once_in(10) { Outcome::Unknown } else { Outcome::Ok };
    Timed(Op::invoke(kind, ProcessId(process), log(rng), Nanos(invoked)), invoked + took, outcome)
}

fn value(rng: &mut Rng) -> Value {
    match rng.below(40) {
        0 => Value::CORRUPT,
        1 => Value::FOREIGN,
        2 => Value::MARKER,
        _ => Value::new(WriterId(rng.below(2) as u32), rng.below(4)),
    }
}

fn append(rng: &mut Rng, n: u64) -> Op {
    let writer = rng.below(2) as u32;
    let sequence = if rng.once_in(8) { rng.below(4) } else { n };
    let Timed(op, returned, _) = timed(rng, Kind::Append, writer);
    let op = op.with_detail(Value::new(WriterId(writer), sequence).0);
    match rng.below(10) {
        0 => op,
        1 => op.complete(Outcome::Fail, Nanos(returned), Offset::UNKNOWN),
        2 => op.complete(Outcome::Ok, Nanos(returned), Offset::UNKNOWN),
        3 => op.complete(Outcome::Ok, Nanos(returned), Offset(rng.below(6) as i64 - 3)),
        _ => op.complete(Outcome::Ok, Nanos(returned), Offset(if rng.once_in(6) { rng.below(5) } else { n } as i64)),
    }
}

fn records(rng: &mut Rng, from: i64, history: &History) -> Vec<Record> {
    let mut offset = from;
    let mut records = Vec::new();
    for _ in 0..rng.below(5) {
        let right = history.ops.iter().find(|op| op.kind() == Kind::Append && op.offset.0 == offset);
        let value = right.filter(|_| !rng.once_in(6)).map_or_else(|| value(rng), |op| op.value());
        records.push(Record { offset: Offset(offset), value });
        offset += [1, 1, 1, 1, 1, 1, 2, 0][rng.below(8) as usize];
    }
    records
}

fn read(rng: &mut Rng, history: &mut History) {
    let kind = if rng.once_in(3) { Kind::Fetch } else { Kind::Poll };
    let (process, from) = (2 + rng.below(2) as u32, rng.below(4) as i64);
    let records = records(rng, from, history);
    let op = timed(rng, kind, process).complete_at(Offset(from));
    history.push_read(op, &records);
}

fn drain(rng: &mut Rng, history: &mut History) {
    let log = log(rng);
    let op = |kind, told| Op::invoke(kind, ProcessId(5), log, Nanos(30)).complete(Outcome::Ok, Nanos(31), Offset(told));
    let start = if rng.once_in(4) { 1 } else { 0 };
    let records = records(rng, start, history);
    let end = records.last().map_or(start, |r| r.offset.0 + 1) + i64::from(rng.once_in(4));
    if !rng.once_in(4) {
        history.ops.push(op(Kind::LogStart, start));
    }
    if !rng.once_in(4) {
        history.ops.push(op(Kind::EndOffset, end));
    }
    history.push_read(op(Kind::Fetch, start), &records);
    if rng.once_in(3) {
        history.push_read(op(Kind::Fetch, end), &[]);
    }
}

fn replica(rng: &mut Rng, node: i32) -> ReplicaLog {
    let (start, count) = (i64::from(rng.once_in(4)), rng.below(5) as i64);
    let record = |i: i64| {
        let right = Value::new(WriterId(rng.below(2) as u32), i as u64);
        let value = if rng.once_in(5) { value(rng) } else { right };
        ReplicaRecord { offset: Offset(i), value, epoch: LeaderEpoch(0) }
    };
    let records = (start..start + count).map(record).collect();
    ReplicaLog {
        repeats: Vec::new(),
        node: NodeId(node),
        log: LogId(0),
        start: Offset(start),
        end: Offset(start + count),
        high_watermark: (!rng.once_in(3)).then(|| Offset(rng.below(5) as i64)),
        epochs: Vec::new(),
        records,
    }
}

/// A correct history of some dozens of operations with one or two fields of its operations changed.
pub fn mutated(rng: &mut Rng, seed: u64) -> (History, Vec<ReplicaLog>) {
    let ops = 10 + rng.below(40) as usize;
    let made = correct(Shape { ops, ..Shape::small(seed) });
    let (mut history, mut replicas) = (made.history, made.replicas);
    for _ in 0..rng.below(3) {
        let at = rng.below(history.ops.len() as u64) as usize;
        history.ops[at] = changed(rng, history.ops[at]);
    }
    if rng.once_in(3) && !history.records.is_empty() {
        let at = rng.below(history.records.len() as u64) as usize;
        let other = history.records[rng.below(history.records.len() as u64) as usize];
        match rng.below(3) {
            0 => history.records[at].value = other.value,
            1 => history.records[at].value = value(rng),
            _ => history.records[at].offset.0 += rng.below(5) as i64 - 2,
        }
    }
    if rng.once_in(4) {
        let replica = rng.below(replicas.len() as u64) as usize;
        let records = &mut replicas[replica].records;
        let at = rng.below(records.len() as u64) as usize;
        if let Some(record) = records.get_mut(at) {
            record.value = value(rng);
        }
    }
    if rng.once_in(4) {
        replicas.clear();
    }
    (history, replicas)
}

fn changed(rng: &mut Rng, op: Op) -> Op {
    let read = op.kind().reads_records();
    let again = |kind, process, log, invoked| {
        let fresh = Op::invoke(kind, process, log, invoked).with_detail(op.detail);
        fresh.complete(op.outcome(), op.returned, op.offset)
    };
    let step = rng.below(2_000_000);
    match rng.below(7) {
        0 => op.complete(op.outcome(), op.returned, Offset(op.offset.0 + rng.below(5) as i64 - 2)),
        1 => op.complete([Outcome::Ok, Outcome::Fail, Outcome::Unknown][rng.below(3) as usize], op.returned, op.offset),
        2 => op.complete(op.outcome(), Nanos(op.returned.0.saturating_sub(step).max(op.invoked.0)), op.offset),
        3 => again(op.kind(), op.process(), op.log, Nanos((op.invoked.0 + step).min(op.returned.0))),
        4 => again(op.kind(), op.process(), LogId(1 - op.log.0.min(1)), op.invoked),
        5 if !read => op.with_detail(value(rng).0),
        _ => again(op.kind(), ProcessId(rng.below(7) as u32), op.log, op.invoked),
    }
}

fn other_writer(value: Value, by: u32) -> Value {
    if value.is_ordinary() { Value::new(WriterId(value.writer().0 + by), value.sequence()) } else { value }
}

fn moved(op: Op, (process, log, later): (u32, u32, u64)) -> Op {
    // Near the end of time there is nothing to move: what never returned may have lost a little of that.
    let returned = if op.returned.0 > u64::MAX / 2 { op.returned } else { Nanos(op.returned.0 + later) };
    let process = ProcessId(op.process().0 + process);
    let fresh = Op::invoke(op.kind(), process, LogId(log), Nanos(op.invoked.0 + later)).with_detail(op.detail);
    fresh.complete(op.outcome(), returned, op.offset)
}

/// Writers, logs and times become others, in the same order among themselves; the two logs change places.
pub fn rename(history: &mut History, replicas: &mut [ReplicaLog]) {
    for op in &mut history.ops {
        *op = moved(*op, (0, 1 - op.log.0, 1_000_000));
        if op.kind() == Kind::Append {
            *op = op.with_detail(other_writer(op.value(), 7).0);
        }
    }
    history.records.iter_mut().for_each(|r| r.value = other_writer(r.value, 7));
    for replica in replicas {
        replica.log = LogId(1 - replica.log.0);
        replica.records.iter_mut().for_each(|r| r.value = other_writer(r.value, 7));
    }
}

/// Adds another run: its processes, writers and logs are others.
pub fn join(one: &mut History, disks: &mut Vec<ReplicaLog>, (other, others): (&History, &[ReplicaLog])) {
    let (processes, records) = (one.names.processes.len() as u32, one.records.len());
    one.names.processes.extend(other.names.processes.iter().cloned());
    one.names.logs.extend(other.names.logs.iter().cloned());
    for op in &other.ops {
        let mut added = moved(*op, (processes, op.log.0 + 2, 0));
        if op.kind() == Kind::Append {
            added = added.with_detail(other_writer(op.value(), 100).0);
        } else if op.kind().reads_records() {
            added = added.with_records(op.records().start + records, op.records().len());
        }
        one.ops.push(added);
    }
    let renamed = |r: &Record| Record { value: other_writer(r.value, 100), ..*r };
    one.records.extend(other.records.iter().map(renamed));
    disks.extend(others.iter().cloned().map(|mut replica| {
        replica.log.0 += 2;
        replica.records.iter_mut().for_each(|r| r.value = other_writer(r.value, 100));
        replica
    }));
}

/// Any order.
pub fn shuffle<T>(rng: &mut Rng, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.below(i as u64 + 1) as usize);
    }
}

/// As a reader wants to see it.
pub fn show(history: &History, replicas: &[ReplicaLog]) -> String {
    let mut ops: Vec<&Op> = history.ops.iter().collect();
    ops.sort_by_key(|op| (op.log, op.invoked));
    let mut text = String::new();
    for op in ops {
        let name = history.names.process(op.process());
        let value = if op.kind() == Kind::Append { op.value().to_string() } else { String::new() };
        let (kind, log, at, outcome) = (op.kind(), op.log.0, op.offset.0, op.outcome());
        let (from, to) = (op.invoked.0, op.returned.0);
        text += &format!("{name} {kind:?}/{log} @{at} {value} {outcome:?} [{from} {to}]");
        history.records_of(op).iter().for_each(|r| text += &format!(" {}:{}", r.offset.0, r.value));
        text += "\n";
    }
    for replica in replicas {
        let (node, start, hw) = (replica.node.0, replica.start.0, replica.high_watermark.map(|o| o.0));
        text += &format!("replica {node}/{} from {start} hw {hw:?}", replica.log.0);
        replica.records.iter().for_each(|r| text += &format!(" {}:{}", r.offset.0, r.value));
        text += "\n";
    }
    text
}
