//! The first pass over one log: everything that can be known in some 25 bytes an offset, and leads to what is wrong.

use crate::contract::{Bind, Promises};
use crate::log::bounds::{Bounds, Stale};
use crate::log::contents::{Content, Contents, by};
use crate::log::coverage::{Coverage, Drain};
use crate::log::effect::{effect, read_end};
use crate::log::holes::{self, Filled, Unowned};
use crate::log::observed::{Answers, COUNTERS};
use crate::log::open::{Fate, OpenAppend, OpenAppends};
use crate::log::order::{Inversion, Order};
use crate::log::sessions::{Sessions, union};
use history::{Kind, LogId, Op, Outcome, Record, ReplicaLog, Role, Value};

/// Sums of one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    /// Appends acknowledged.
    pub acked: u64,
    /// Of these, without an offset.
    pub acked_untold: u64,
    /// Records returned by reads.
    pub records_read: u64,
    /// Of these, handed to readers with a position.
    pub polled: u64,
    /// Offsets seen by a reader, the drain or on a replica.
    pub offsets_read: u64,
    /// Of these, more than once.
    pub offsets_reread: u64,
    /// Acknowledged records of which nothing is known, not even a suspicion.
    pub undecided: u64,
    /// Unknown appends that a read found.
    pub unknown_seen: u64,
    /// Answers of the counter asked most often.
    pub answers: u64,
}

/// What the first pass knows of a log.
#[derive(Clone, PartialEq, Debug)]
pub struct Leads {
    /// The log.
    pub log: LogId,
    /// Sums.
    pub sums: Sums,
    /// How far the drain got.
    pub coverage: Coverage,
    /// Lowest and highest offset that holds a record at the end.
    pub survivors: Option<(i64, i64)>,
    /// Where the log starts, as far as anybody told.
    pub start: i64,
    /// Offsets below this are committed on every replica.
    pub committed: i64,
    /// Values of which everything must be known.
    pub values: Vec<Value>,
    /// Offsets of which two values were said.
    pub disputed: Vec<i64>,
    /// Records that do not stand in their writer's order.
    pub inversions: Vec<Inversion>,
    /// Contradictions of the linearizable scan.
    pub stale: Vec<Stale>,
    /// Of these, high ends that only an unseen unknown append can have made.
    pub assigned: Vec<(i64, Value)>,
    /// Offsets without an owner.
    pub unowned: Option<Unowned>,
    /// Offsets that carry a record and were passed over, or every offset that carries one if readers are tangled.
    pub passed_over: Vec<(i64, i64)>,
    /// Whether readers' ways must be followed.
    pub readers: bool,
    /// Counters that went back.
    pub counters: Vec<Kind>,
    /// Bytes the first pass held.
    pub bytes: usize,
}

impl Leads {
    /// Whether there is nothing to ask.
    pub fn clean(&self) -> bool {
        self.values.is_empty()
            && self.stale.is_empty()
            && self.unowned.is_none()
            && !self.readers
            && self.counters.is_empty()
    }
}

/// What a log is judged by, beside its operations.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// What replies bind.
    pub promises: &'a Promises,
    /// Its replicas.
    pub replicas: &'a [&'a ReplicaLog],
    /// Whether the run has transactions: then some offsets are markers, and some records invisible.
    pub transactions: bool,
}

/// See the module.
#[derive(Clone, Default)]
pub struct Sieve {
    sums: Sums,
    bounds: Bounds,
    contents: Contents,
    open: OpenAppends,
    sessions: Sessions,
    drain: Drain,
    answers: Option<Box<[Answers; COUNTERS.len()]>>,
    negative: Vec<Value>,
}

impl Sieve {
    /// Takes one operation on the log, by a process of `role`.
    #[inline]
    pub fn add(&mut self, op: &Op, records: &[Record], role: Role, promises: &Promises) {
        match op.kind() {
            Kind::Append => self.append(op, promises),
            Kind::Poll | Kind::Fetch => self.read(op, records, role, promises),
            Kind::EndOffset | Kind::StableEnd | Kind::LogStart | Kind::Epoch => self.answer(op, role, promises),
            Kind::Assign | Kind::Revoke if op.outcome() == Outcome::Ok => {
                self.sessions.reset(op.process(), op.returned)
            }
            _ => {}
        }
    }

    #[inline]
    fn append(&mut self, op: &Op, promises: &Promises) {
        let offset = op.offset.0;
        if op.outcome() != Outcome::Ok || !(0..i64::MAX).contains(&offset) {
            return self.append_untold(op);
        }
        self.sums.acked += 1;
        self.contents.claim(offset, op.value(), by::ACK);
        match promises.acks {
            Bind::Binds => self.bounds.owned(offset, op.invoked, op.returned),
            Bind::Free => self.bounds.at_most(offset, op.invoked),
        }
    }

    #[cold]
    fn append_untold(&mut self, op: &Op) {
        let fate = match op.outcome() {
            Outcome::Ok => Fate::Untold,
            Outcome::Fail => Fate::Failed,
            Outcome::Unknown => Fate::Unknown,
        };
        if fate == Fate::Untold {
            self.sums.acked += 1;
            self.sums.acked_untold += 1;
            if op.offset.0 != -1 {
                self.negative.push(op.value());
            }
        }
        let append = OpenAppend { invoked: op.invoked, returned: op.returned, fate, seen: false };
        self.open.insert(op.value(), append);
    }

    #[inline]
    fn bound(&mut self, op: &Op, records: &[Record], promises: &Promises) {
        let effect = effect(op, read_end(records), promises);
        self.bounds.at_least(effect.at_least, op.returned);
        self.bounds.at_most(effect.at_most, op.invoked);
    }

    #[inline]
    fn read(&mut self, op: &Op, records: &[Record], role: Role, promises: &Promises) {
        self.bound(op, records, promises);
        self.sums.records_read += records.len() as u64;
        let bit = if role == Role::Drain { by::DRAIN } else { by::READ };
        self.contents.claim_all(records, bit);
        if role == Role::Drain && op.outcome() == Outcome::Ok {
            self.drain.add(op, records);
        }
        match op.kind() {
            Kind::Poll => self.sessions.poll(op.process(), op.returned, records, &mut self.contents),
            _ if role == Role::Drain => self.sessions.rising(records),
            _ => self.sessions.fetch(op.offset.0, records, &mut self.contents),
        }
    }

    fn answer(&mut self, op: &Op, role: Role, promises: &Promises) {
        if op.outcome() != Outcome::Ok {
            return;
        }
        if role == Role::Drain {
            self.drain.add(op, &[]);
        }
        self.bound(op, &[], promises);
        if let Some(i) = COUNTERS.iter().position(|k| *k == op.kind()) {
            self.answers.get_or_insert_default()[i].push(op.offset.0, op.invoked, op.returned);
        }
    }

    /// Takes what another shard knows of the same log.
    pub fn merge(&mut self, other: Sieve) {
        self.sums.acked += other.sums.acked;
        self.sums.acked_untold += other.sums.acked_untold;
        self.sums.records_read += other.sums.records_read;
        self.bounds.merge(&other.bounds);
        self.contents.merge(other.contents);
        self.open.merge(other.open);
        self.sessions.merge(other.sessions);
        self.drain.merge(other.drain);
        self.negative.extend(other.negative);
        if let Some(theirs) = other.answers {
            let mine = self.answers.get_or_insert_default();
            mine.iter_mut().zip(*theirs).for_each(|(m, t)| m.merge(t));
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let answers = self.answers.as_ref().map_or(0, |a| a.iter().map(Answers::bytes).sum());
        self.bounds.bytes()
            + self.contents.bytes()
            + self.open.bytes()
            + self.sessions.bytes()
            + self.drain.bytes()
            + answers
    }

    /// What is known of the log, and what must be asked.
    pub fn finish(mut self, log: LogId, setting: Setting<'_>) -> Leads {
        let bytes = self.bytes() + size_of::<Sieve>();
        let told_start = self.answers.as_ref().and_then(|a| a[2].greatest());
        let coverage = std::mem::take(&mut self.drain).settle(&self.contents);
        let held_start = setting.replicas.iter().map(|r| r.start.0).min();
        let start = coverage.start.max(told_start.unwrap_or(0)).max(held_start.unwrap_or(0));
        let committed = committed(&coverage, setting.replicas);
        admit(&mut self.contents, setting.replicas, committed);
        let tangled = self.sessions.tangled();
        let mut scan = Scan {
            open: &mut self.open,
            bounds: &mut self.bounds,
            setting,
            coverage: &coverage,
            start,
            wide: self.sessions.wide(),
            tangled,
            order: Order::default(),
            found: Found::default(),
        };
        self.contents.rising().for_each(|(offset, content)| scan.offset(offset, content));
        let mut found = scan.found;
        found.sums = Sums { polled: self.sessions.read(), ..self.sums }.joined(found.sums);
        found.values.append(&mut self.negative);
        found.unseen(&self.open, &coverage, setting);
        if !coverage.whole && !setting.transactions && holes::must_be_owned(setting.promises) {
            let known = (told_start.is_some() || held_start.is_some()).then_some(start);
            found.filled = holes::fill(&mut self.bounds, &self.contents, &self.open, known);
        }
        let (stale, assigned) = self.contradictions(&mut found);
        let disputed = self.disputes(&mut found);
        found.sums.unknown_seen = self.open.unknown_seen();
        let counters = self.counters(setting.promises, &mut found.sums);
        found.values.sort_unstable();
        found.values.dedup();
        let readers = tangled || !found.passed_over.is_empty();
        let passed_over = union(if tangled { found.carrying } else { found.passed_over });
        Leads {
            log,
            sums: found.sums,
            coverage,
            survivors: found.survivors,
            start,
            committed,
            values: found.values,
            disputed,
            inversions: found.inversions,
            stale,
            assigned,
            unowned: found.filled.unowned,
            passed_over,
            readers,
            counters,
            bytes,
        }
    }

    fn contradictions(&self, found: &mut Found) -> (Vec<Stale>, Vec<(i64, Value)>) {
        let stale = self.bounds.contradictions();
        let mut assigned = Vec::new();
        for contradiction in &stale {
            for offset in [contradiction.high, contradiction.low] {
                found.values.extend(self.contents.at(offset).value().filter(|v| v.is_ordinary()));
            }
            let own = found.filled.by.binary_search_by_key(&contradiction.high, |a| a.0);
            assigned.extend(own.map(|i| found.filled.by[i]));
        }
        found.values.extend(assigned.iter().map(|a| a.1));
        (stale, assigned)
    }

    fn disputes(&self, found: &mut Found) -> Vec<i64> {
        let mut disputed = Vec::new();
        for d in self.contents.disagreements() {
            found.values.extend([d.one, d.other]);
            disputed.push(d.offset.0);
        }
        let strange = self.contents.strange();
        found.values.extend(strange.corrupt.then_some(Value::CORRUPT));
        found.values.extend(strange.foreign.then_some(Value::FOREIGN));
        disputed.sort_unstable();
        disputed.dedup();
        disputed
    }

    fn counters(self, promises: &Promises, sums: &mut Sums) -> Vec<Kind> {
        let Some(answers) = self.answers else { return Vec::new() };
        sums.answers = answers.iter().map(Answers::taken).max().unwrap_or(0);
        let bound = |kind: Kind| kind != Kind::EndOffset || promises.end_offsets == Bind::Binds;
        let back = COUNTERS.into_iter().zip(*answers).filter(|(kind, a)| bound(*kind) && a.clone().went_back());
        back.map(|(kind, _)| kind).collect()
    }
}

impl Sums {
    fn joined(self, scanned: Sums) -> Sums {
        Sums {
            offsets_read: scanned.offsets_read,
            offsets_reread: scanned.offsets_reread,
            undecided: scanned.undecided,
            ..self
        }
    }
}

/// Up to where every replica must agree: what was drained after the heal, or the lowest high watermark.
fn committed(coverage: &Coverage, replicas: &[&ReplicaLog]) -> i64 {
    match coverage.end.filter(|_| coverage.whole) {
        Some(end) => end,
        None => replicas.iter().map(|r| r.high_watermark.map_or(0, |hw| hw.0)).min().unwrap_or(0),
    }
}

fn admit(contents: &mut Contents, replicas: &[&ReplicaLog], committed: i64) {
    for record in replicas.iter().flat_map(|r| &r.records) {
        match record.offset.0 < committed {
            true => contents.claim(record.offset.0, record.value, by::REPLICA),
            false => contents.corroborate(record.offset.0, record.value),
        }
    }
}

/// What the scan by rising offset finds.
#[derive(Default)]
struct Found {
    sums: Sums,
    values: Vec<Value>,
    inversions: Vec<Inversion>,
    survivors: Option<(i64, i64)>,
    carrying: Vec<(i64, i64)>,
    passed_over: Vec<(i64, i64)>,
    filled: Filled,
}

impl Found {
    /// Acknowledged appends without an offset that nobody saw.
    fn unseen(&mut self, open: &OpenAppends, coverage: &Coverage, setting: Setting<'_>) {
        let untold = open.unseen().into_iter().filter(|u| u.2 == Fate::Untold);
        if coverage.whole || !setting.replicas.is_empty() {
            self.values.extend(untold.map(|u| u.1));
        } else {
            self.sums.undecided += untold.count() as u64;
        }
    }
}

/// The scan of the contents by rising offset.
struct Scan<'a> {
    open: &'a mut OpenAppends,
    bounds: &'a mut Bounds,
    setting: Setting<'a>,
    coverage: &'a Coverage,
    start: i64,
    wide: Vec<(i64, i64)>,
    tangled: bool,
    order: Order,
    found: Found,
}

impl Scan<'_> {
    #[inline]
    fn offset(&mut self, offset: i64, content: Content) {
        let Some(value) = content.value() else { return };
        let seen = content.is(by::EYES);
        self.found.sums.offsets_read += u64::from(seen);
        self.found.sums.offsets_reread += u64::from(content.is(by::AGAIN));
        if !value.is_ordinary() {
            return;
        }
        if seen || !self.coverage.decides(offset) {
            self.in_order(offset, value);
        }
        let acked = content.is(by::ACK) || self.resolve(offset, value);
        if acked && !content.is(by::DRAIN) {
            self.acked_not_drained(offset, value, content);
        }
        if seen && (!self.coverage.whole || content.is(by::DRAIN)) {
            let low = self.found.survivors.map_or(offset, |s| s.0);
            self.found.survivors = Some((low, offset));
        }
        self.carry(offset, value, content);
    }

    fn in_order(&mut self, offset: i64, value: Value) {
        if let Some(inversion) = self.order.next(offset, value) {
            self.found.values.extend([inversion.value, inversion.before]);
            self.found.inversions.push(inversion);
        }
    }

    /// A value that no acknowledgement told here: true if it was acknowledged without an offset.
    #[cold]
    fn resolve(&mut self, offset: i64, value: Value) -> bool {
        let Some(append) = self.open.see(value).filter(|a| a.fate != Fate::Failed && !a.seen) else {
            self.found.values.push(value);
            return false;
        };
        let untold = append.fate == Fate::Untold;
        self.bounds.at_most(offset, append.invoked);
        if untold && self.setting.promises.acks == Bind::Binds {
            self.bounds.at_least(offset.saturating_add(1), append.returned);
        }
        untold
    }

    #[cold]
    fn acked_not_drained(&mut self, offset: i64, value: Value, content: Content) {
        let read = content.is(by::READ);
        if offset < self.start {
            self.found.values.extend((!read).then_some(value));
            return;
        }
        let unheld = !self.setting.replicas.is_empty() && !content.is(by::REPLICA);
        if self.coverage.decides(offset) || unheld || self.open.knows(value) {
            self.found.values.push(value);
        } else if self.setting.replicas.is_empty() && !read {
            self.found.sums.undecided += 1;
        }
    }

    /// Whether the offset carries a record that a reader must not pass over, and whether one did.
    #[inline]
    fn carry(&mut self, offset: i64, value: Value, content: Content) {
        let skipped = content.is(by::SKIPPED) || !self.wide.is_empty() && self.passed_wide(offset);
        if !skipped && !self.tangled || offset < self.start {
            return;
        }
        let bits = if self.coverage.decides(offset) { by::DRAIN } else { by::ANYBODY };
        if !content.is(bits) {
            return;
        }
        extend(&mut self.found.carrying, offset);
        if skipped {
            extend(&mut self.found.passed_over, offset);
            self.found.values.extend(self.setting.transactions.then_some(value));
        }
    }

    fn passed_wide(&self, offset: i64) -> bool {
        let next = self.wide.partition_point(|w| w.1 <= offset);
        self.wide.get(next).is_some_and(|w| w.0 <= offset)
    }
}

fn extend(runs: &mut Vec<(i64, i64)>, offset: i64) {
    match runs.last_mut() {
        Some(last) if last.1 == offset => last.1 += 1,
        _ => runs.push((offset, offset + 1)),
    }
}
