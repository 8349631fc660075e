//! Every anomaly by its definition, written for being obviously right and for nothing else: all pairs, no state.

use checker::AnomalyKind::{self as K};
use history::{History, Kind, Op, Outcome, ReplicaLog, Role, Value};
use std::collections::BTreeSet;

pub type Findings = BTreeSet<(K, u32, i64)>;

struct Log<'a> {
    history: &'a History,
    id: u32,
    ops: Vec<&'a Op>,
    replicas: Vec<&'a ReplicaLog>,
    reads: Vec<Read>,
    drain: Drain,
    start: i64,
    committed: i64,
}

/// One record as one reader saw it.
#[derive(Clone, Copy)]
struct Read {
    offset: i64,
    value: Value,
    drain: bool,
}

struct Drain {
    windows: Vec<(i64, i64)>,
    end: Option<i64>,
    whole: bool,
}

/// The kinds that the reference defines.
pub const KINDS: [K; 25] = [
    K::LostPrefix,
    K::LostMiddle,
    K::LostPostfix,
    K::Unread,
    K::TrimmedUnread,
    K::Duplicate,
    K::InconsistentOffset,
    K::ChangedOffset,
    K::DivergedReplicas,
    K::WrongAckOffset,
    K::NegativeAckOffset,
    K::Reordered,
    K::NonmonotonicPoll,
    K::IntNonmonotonicPoll,
    K::PollSkip,
    K::IntPollSkip,
    K::FailedAppendRead,
    K::Phantom,
    K::Foreign,
    K::Misrouted,
    K::Corrupted,
    K::EndWentBack,
    K::StableEndWentBack,
    K::LogStartWentBack,
    K::EpochWentBack,
];

/// Those that can be told in this history: where it is muddled what stands where, the order of records says nothing.
pub fn kinds(history: &History, replicas: &[ReplicaLog]) -> BTreeSet<K> {
    let mut kinds: BTreeSet<K> = KINDS.into();
    let muddled = [K::InconsistentOffset, K::WrongAckOffset, K::NegativeAckOffset, K::Duplicate];
    if findings(history, replicas).iter().any(|f| muddled.contains(&f.0)) || contradicted(history) {
        kinds.remove(&K::Reordered);
    }
    kinds
}

/// Whether some record was read elsewhere than acknowledged.
fn contradicted(history: &History) -> bool {
    let acks = history.ops.iter().filter(|op| op.kind() == Kind::Append && op.outcome() == Outcome::Ok);
    let acks = acks.filter(|op| op.offset.0 >= 0);
    let elsewhere = |ack: &Op| {
        let reads = history.ops.iter().filter(|op| op.log == ack.log).flat_map(|op| history.records_of(op));
        reads.filter(|r| r.value == ack.value()).any(|r| r.offset != ack.offset)
    };
    acks.into_iter().any(elsewhere)
}

pub fn findings(history: &History, replicas: &[ReplicaLog]) -> Findings {
    let mut ids: BTreeSet<u32> = history.ops.iter().map(|op| op.log.0).collect();
    ids.extend(replicas.iter().map(|r| r.log.0));
    let mut found = Findings::new();
    for id in ids {
        let log = Log::new(history, replicas, id);
        found.extend(log.fates());
        found.extend(log.places());
        found.extend(log.acks());
        found.extend(log.origins());
        found.extend(log.orders());
        found.extend(log.ways());
        found.extend(log.counters());
    }
    found
}

fn judged(value: Value) -> Value {
    if value.is_ordinary() || value == Value::MARKER || value == Value::FOREIGN { value } else { Value::CORRUPT }
}

impl<'a> Log<'a> {
    fn new(history: &'a History, replicas: &'a [ReplicaLog], id: u32) -> Log<'a> {
        let ops: Vec<&Op> = history.ops.iter().filter(|op| op.log.0 == id).collect();
        let replicas: Vec<&ReplicaLog> = replicas.iter().filter(|r| r.log.0 == id).collect();
        let drain = |op: &Op| history.names.role(op.process()) == Role::Drain;
        let mut reads = Vec::new();
        for op in &ops {
            let read = |r: &history::Record| Read { offset: r.offset.0, value: judged(r.value), drain: drain(op) };
            reads.extend(history.records_of(op).iter().map(read));
        }
        let drained: Vec<&&Op> = ops.iter().filter(|op| drain(op) && op.outcome() == Outcome::Ok).collect();
        let told = |kind| drained.iter().filter(move |op| op.kind() == kind && op.offset.0 >= 0).map(|op| op.offset.0);
        let fetches = || drained.iter().filter(|op| op.kind() == Kind::Fetch);
        let window = |op: &&&Op| Some((op.offset.0.max(0), history.records_of(op).last()?.offset.0 + 1));
        let windows: Vec<(i64, i64)> = fetches().filter_map(window).filter(|w| w.0 < w.1).collect();
        let empty = fetches().filter(|op| history.records_of(op).is_empty()).map(|op| op.offset.0).max();
        let end = told(Kind::EndOffset).max().or(empty);
        let start = told(Kind::LogStart).min().or(windows.iter().map(|w| w.0).min()).unwrap_or(0);
        let mut log =
            Log { history, id, ops, replicas, reads, drain: Drain { windows, end, whole: false }, start, committed: 0 };
        let known = log.known();
        let in_window = |o: &i64| log.drain.windows.iter().any(|w| w.0 <= *o && *o < w.1);
        log.drain.whole = end.is_some_and(|end| known.iter().filter(|o| start <= **o && **o < end).all(in_window));
        let any_start = log.ok(Kind::LogStart).map(|op| op.offset.0).max().unwrap_or(0);
        let disk_start = log.replicas.iter().map(|r| r.start.0).min().unwrap_or(0);
        log.start = start.max(any_start).max(disk_start);
        let marks = log.replicas.iter().map(|r| r.high_watermark.map_or(0, |o| o.0));
        log.committed = if log.drain.whole { end.unwrap_or(0) } else { marks.min().unwrap_or(0) };
        log
    }

    fn ok(&self, kind: Kind) -> impl Iterator<Item = &&'a Op> {
        self.ops.iter().filter(move |op| op.kind() == kind && op.outcome() == Outcome::Ok)
    }

    fn told(&self) -> impl Iterator<Item = (i64, Value)> {
        self.ok(Kind::Append).filter(|op| op.offset.0 >= 0).map(|op| (op.offset.0, op.value()))
    }

    /// Offsets of which an acknowledgement or a read knows a record.
    fn known(&self) -> BTreeSet<i64> {
        let reads = self.reads.iter().filter(|r| r.value.is_ordinary()).map(|r| r.offset);
        self.told().filter(|t| t.1.is_ordinary()).map(|t| t.0).chain(reads).collect()
    }

    fn copies(&self) -> impl Iterator<Item = (i64, Value)> {
        self.replicas.iter().flat_map(|r| &r.records).map(|r| (r.offset.0, judged(r.value)))
    }

    fn committed_copies(&self) -> impl Iterator<Item = (i64, Value)> {
        self.copies().filter(|c| c.0 < self.committed)
    }

    fn decides(&self, offset: i64) -> bool {
        self.drain.whole || self.drain.windows.iter().any(|w| w.0 <= offset && offset < w.1)
    }

    fn values(&self) -> BTreeSet<Value> {
        let appended = self.ops.iter().filter(|op| op.kind() == Kind::Append).map(|op| op.value());
        let all = appended.chain(self.reads.iter().map(|r| r.value)).chain(self.copies().map(|c| c.1));
        all.filter(|v| v.is_ordinary()).collect()
    }

    /// What stands at an offset, by the best informed: drain, then readers and committed replicas, then acknowledgements.
    fn believed(&self, offset: i64) -> Option<Value> {
        let reads = self.reads.iter().filter(|r| r.offset == offset).map(|r| (if r.drain { 3 } else { 2 }, r.value));
        let disks = self.committed_copies().filter(|c| c.0 == offset).map(|c| (2, c.1));
        let acks = self.told().filter(|t| t.0 == offset).map(|t| (1, t.1));
        reads.chain(disks).chain(acks).filter(|c| c.1.is_ordinary()).max().map(|c| c.1)
    }

    fn survives(&self, offset: i64) -> bool {
        let read = |drained: bool| {
            self.reads.iter().any(|r| r.offset == offset && r.value.is_ordinary() && (r.drain || !drained))
        };
        let believed = self.believed(offset);
        let disk = self.copies().any(|c| c.0 == offset && c.1.is_ordinary() && Some(c.1) == believed);
        if self.drain.whole { read(true) } else { read(false) || disk }
    }

    fn fates(&self) -> Findings {
        let mut found = Findings::new();
        for value in self.values() {
            let appends = self.ok(Kind::Append).filter(|op| op.value() == value);
            if let Some(append) = appends.min_by_key(|op| (op.invoked, op.returned, op.process())) {
                found.extend(self.fate(value, append.offset.0).map(|kind| (kind, self.id, append.offset.0)));
            }
        }
        found
    }

    fn fate(&self, value: Value, offset: i64) -> Option<K> {
        let read = self.reads.iter().any(|r| r.value == value);
        let drained = self.reads.iter().any(|r| r.value == value && r.drain);
        let held = self.copies().any(|c| c.1 == value);
        let seen = self.reads.iter().filter(|r| r.value == value).map(|r| r.offset).min();
        let at = if offset >= 0 { Some(offset) } else { seen };
        let trimmed = at.is_some_and(|at| at < self.start);
        if drained || trimmed && read || at.is_none() && self.start > 0 {
            return None;
        }
        if trimmed {
            return Some(K::TrimmedUnread);
        }
        let beyond = at.is_none_or(|at| self.drain.end.is_some_and(|end| at >= end));
        let gone = match (self.drain.whole, at.is_some_and(|at| self.decides(at))) {
            (true, _) if held && beyond => return Some(K::Unread),
            (true, _) => true,
            (false, decided) => !held && (decided || !self.replicas.is_empty()),
        };
        let told = offset >= 0;
        let mut known: BTreeSet<i64> = self.known();
        known.extend(self.committed_copies().map(|c| c.0));
        let survivors: Vec<i64> = known.into_iter().filter(|o| self.survives(*o)).collect();
        let place = match (survivors.first(), survivors.last()) {
            (Some(first), _) if told && offset < *first => K::LostPrefix,
            (_, Some(last)) if told && offset < *last => K::LostMiddle,
            _ => K::LostPostfix,
        };
        gone.then_some(place)
    }

    fn places(&self) -> Findings {
        let mut found = Findings::new();
        for value in self.values() {
            let mut places: BTreeSet<i64> = self.reads.iter().filter(|r| r.value == value).map(|r| r.offset).collect();
            places.extend(self.committed_copies().filter(|c| c.1 == value).map(|c| c.0));
            let acks: BTreeSet<i64> = self.told().filter(|t| t.1 == value).map(|t| t.0).collect();
            if acks.len() > 1 {
                places.extend(acks);
            }
            found.extend(places.first().filter(|_| places.len() > 1).map(|o| (K::Duplicate, self.id, *o)));
        }
        let ordinary = |v: &Value| v.is_ordinary();
        let mut offsets: BTreeSet<i64> = self.known();
        offsets.extend(self.committed_copies().map(|c| c.0));
        for offset in offsets {
            let reads = self.reads.iter().filter(|r| r.offset == offset).map(|r| r.value).filter(ordinary);
            let reads: BTreeSet<Value> = reads.collect();
            let disks = self.committed_copies().filter(|c| c.0 == offset).map(|c| c.1).filter(ordinary);
            let disks: BTreeSet<Value> = disks.collect();
            let acks: BTreeSet<Value> = self.told().filter(|t| t.0 == offset).map(|t| t.1).filter(ordinary).collect();
            let seen: BTreeSet<Value> = reads.union(&disks).copied().collect();
            let all: BTreeSet<Value> = seen.union(&acks).copied().collect();
            found.extend((all.len() > 1).then_some((K::InconsistentOffset, self.id, offset)));
            found.extend((reads.len() > 1).then_some((K::ChangedOffset, self.id, offset)));
            found.extend((seen.len() > 1 && !disks.is_empty()).then_some((K::DivergedReplicas, self.id, offset)));
        }
        found
    }

    fn acks(&self) -> Findings {
        let mut found = Findings::new();
        for append in self.ok(Kind::Append) {
            let (offset, value) = (append.offset.0, append.value());
            let stands = || self.reads.iter().filter(|r| r.value == value);
            let there = stands().any(|r| r.offset == offset) || self.copies().any(|c| c == (offset, value));
            found.extend((offset < -1).then_some((K::NegativeAckOffset, self.id, offset)));
            if offset >= 0 && stands().count() > 0 && !there && value.is_ordinary() {
                found.insert((K::WrongAckOffset, self.id, offset));
            }
        }
        found
    }

    fn origins(&self) -> Findings {
        let mut found = Findings::new();
        let reads = self.reads.iter().map(|r| (r.offset, r.value));
        for (offset, value) in reads.chain(self.committed_copies()) {
            let appends: Vec<&Op> =
                self.history.ops.iter().filter(|op| op.kind() == Kind::Append && op.value() == value).collect();
            let here: Vec<&&Op> = appends.iter().filter(|op| op.log.0 == self.id).collect();
            let kind = match value {
                Value::CORRUPT => K::Corrupted,
                Value::FOREIGN => K::Foreign,
                Value::MARKER => continue,
                _ if appends.is_empty() => K::Phantom,
                _ if here.is_empty() => K::Misrouted,
                _ if here.iter().all(|op| op.outcome() == Outcome::Fail) => K::FailedAppendRead,
                _ => continue,
            };
            found.insert((kind, self.id, offset));
        }
        found
    }

    /// Where a value stands first; by acknowledgement only where the drain does not know better or some disk agrees.
    fn first_place(&self, value: Value) -> Option<i64> {
        let reads = self.reads.iter().filter(|r| r.value == value).map(|r| r.offset).min();
        let disks = self.committed_copies().filter(|c| c.1 == value).map(|c| c.0).min();
        let trusted = |t: &(i64, Value)| t.1 == value && (!self.decides(t.0) || self.copies().any(|c| c == *t));
        let acks = self.told().filter(trusted).map(|t| t.0).min();
        reads.or(disks).or(acks)
    }

    fn orders(&self) -> Findings {
        let mut found = Findings::new();
        let placed: Vec<(Value, i64)> =
            self.values().into_iter().filter_map(|v| Some((v, self.first_place(v)?))).collect();
        for (value, offset) in &placed {
            let later =
                |(w, at): &(Value, i64)| w.writer() == value.writer() && w.sequence() > value.sequence() && at < offset;
            if placed.iter().any(later) {
                found.insert((K::Reordered, self.id, *offset));
            }
        }
        found
    }

    fn carries(&self, offset: i64) -> bool {
        let here = |r: &&Read| r.offset == offset && r.value.is_ordinary();
        let drained = self.reads.iter().filter(here).any(|r| r.drain);
        let acked = self.told().any(|t| t.0 == offset && t.1.is_ordinary());
        let disk = self.committed_copies().any(|c| c.0 == offset && c.1.is_ordinary());
        let anybody = self.reads.iter().any(|r| here(&r)) || acked || disk;
        offset >= self.start && if self.decides(offset) { drained } else { anybody }
    }

    fn over(&self, from: i64, to: i64) -> bool {
        (from + 1..to).any(|offset| self.carries(offset))
    }

    fn ways(&self) -> Findings {
        let mut found = Findings::new();
        let reader = |op: &&&Op| op.kind() == Kind::Poll && !self.history.records_of(op).is_empty();
        let reset = |op: &Op| matches!(op.kind(), Kind::Assign | Kind::Revoke) && op.outcome() == Outcome::Ok;
        let mut steps: Vec<&&Op> = self.ops.iter().filter(|op| reader(op) || reset(op)).collect();
        steps.sort_by_key(|op| (op.process(), op.returned, op.invoked, reader(op)));
        for pair in steps.windows(2).filter(|p| p[0].process() == p[1].process() && p.iter().all(reader)) {
            let [before, after] = [0, 1].map(|i| self.history.records_of(pair[i]));
            let (Some(from), Some(to)) = (before.last(), after.first()) else { continue };
            let (from, to) = (from.offset.0, to.offset.0);
            found.extend((to <= from).then_some((K::NonmonotonicPoll, self.id, to)));
            found.extend(self.over(from, to).then_some((K::PollSkip, self.id, to)));
        }
        for op in &self.ops {
            let records = self.history.records_of(op);
            let drain = self.history.names.role(op.process()) == Role::Drain;
            let window = (op.kind() == Kind::Fetch).then_some(op.offset.0 - 1).zip(records.first().map(|r| r.offset.0));
            if window.is_some_and(|(from, to)| from >= -1 && !drain && self.over(from, to)) {
                found.extend(window.map(|(_, to)| (K::IntPollSkip, self.id, to)));
            }
            for pair in records.windows(2) {
                let (from, to) = (pair[0].offset.0, pair[1].offset.0);
                found.extend((to <= from).then_some((K::IntNonmonotonicPoll, self.id, to)));
                found.extend((!drain && self.over(from, to)).then_some((K::IntPollSkip, self.id, to)));
            }
        }
        found
    }

    fn counters(&self) -> Findings {
        let mut found = Findings::new();
        let kinds = [
            (Kind::EndOffset, K::EndWentBack),
            (Kind::StableEnd, K::StableEndWentBack),
            (Kind::LogStart, K::LogStartWentBack),
            (Kind::Epoch, K::EpochWentBack),
        ];
        for (kind, back) in kinds {
            for after in self.ok(kind).filter(|op| op.offset.0 >= 0 || kind != Kind::EndOffset) {
                if self.ok(kind).any(|before| before.returned < after.invoked && before.offset > after.offset) {
                    found.insert((back, self.id, after.offset.0));
                }
            }
        }
        found
    }
}
