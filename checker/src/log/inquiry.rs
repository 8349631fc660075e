//! The second pass: every fact about the values, offsets, readers and counters that the first pass could not let go.
//!
//! **Invariant:** memory is bounded by the leads: of the reads of one value at one offset the first and the last are
//! kept, however many there were. Only what readers' ways need is kept for each read, and only on logs with a lead.

use crate::anomaly::Witness;
use crate::contract::Promises;
use crate::log::contents::judged;
use crate::log::effect::{effect, read_end};
use crate::log::facts::{Copy, Dossier, Facts, Jump, LogFacts, Stand, Step, crosses};
use crate::log::leads::Leads;
use crate::source::Fold;
use history::{Kind, LogId, Nanos, Op, Outcome, Record, ReplicaLog, Role, Value};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// See the module.
pub struct Inquiry<'a> {
    promises: &'a Promises,
    roles: Vec<Role>,
    wanted: Wanted,
    dossiers: HashMap<Value, Dossier>,
    stands: HashMap<(Value, LogId, i64), Stand>,
    facts: HashMap<LogId, LogFacts>,
    transactions: Vec<Op>,
}

/// What to look for.
struct Wanted {
    values: HashSet<Value>,
    likely: Box<[u64; LIKELY_WORDS]>,
    logs: HashMap<LogId, WantedLog>,
}

#[derive(Default)]
struct WantedLog {
    highs: HashMap<i64, Nanos>,
    lows: HashMap<i64, Nanos>,
    passed_over: Vec<(i64, i64)>,
    readers: bool,
    counters: Vec<Kind>,
}

const LIKELY_WORDS: usize = 1 << 10;

fn likely_bit(value: Value) -> (usize, u64) {
    let hash = value.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
    (hash as usize / 64 % LIKELY_WORDS, 1 << (hash % 64))
}

impl Wanted {
    fn new(leads: &[Leads]) -> Wanted {
        let values: HashSet<Value> = leads.iter().flat_map(|l| l.values.iter().copied()).collect();
        let mut likely = Box::new([0; LIKELY_WORDS]);
        for value in &values {
            let (word, bit) = likely_bit(*value);
            likely[word] |= bit;
        }
        let logs = leads.iter().filter(|l| !l.clean()).map(|l| (l.log, WantedLog::new(l))).collect();
        Wanted { values, likely, logs }
    }

    #[inline]
    fn value(&self, value: Value) -> bool {
        let (word, bit) = likely_bit(value);
        self.likely[word] & bit != 0 && self.values.contains(&value)
    }
}

impl WantedLog {
    fn new(leads: &Leads) -> WantedLog {
        let proofs = leads.stale.iter().chain(leads.unowned.as_ref().map(|u| &u.proof));
        WantedLog {
            highs: leads.stale.iter().map(|s| (s.high, s.since)).collect(),
            lows: proofs.map(|s| (s.low, s.since)).collect(),
            passed_over: leads.passed_over.clone(),
            readers: leads.readers,
            counters: leads.counters.clone(),
        }
    }

    fn crosses(&self, from: i64, to: i64) -> bool {
        crosses(&self.passed_over, from, to)
    }
}

impl<'a> Inquiry<'a> {
    /// An inquiry into `leads`; `roles` by process.
    pub fn new(leads: &[Leads], roles: Vec<Role>, promises: &'a Promises) -> Inquiry<'a> {
        Inquiry {
            promises,
            roles,
            wanted: Wanted::new(leads),
            dossiers: HashMap::new(),
            stands: HashMap::new(),
            facts: HashMap::new(),
            transactions: Vec::new(),
        }
    }

    fn read(&mut self, op: &Op, records: &[Record]) {
        for (i, record) in records.iter().enumerate() {
            let value = judged(record.value);
            if self.wanted.value(value) {
                self.stand(op, records, i, value);
            }
        }
    }

    #[cold]
    fn stand(&mut self, op: &Op, records: &[Record], at: usize, value: Value) {
        let offset = records[at].offset.0;
        let role = self.roles.get(op.process().0 as usize).copied().unwrap_or(Role::Consumer);
        let read = Witness::read(op, records, at);
        let stand = self.stands.entry((value, op.log, offset)).or_insert_with(|| Stand {
            log: op.log,
            offset,
            first: read.clone(),
            last: read.clone(),
            reads: 0,
            drained: false,
            live: false,
        });
        stand.drained |= role == Role::Drain;
        stand.live |= role != Role::Drain;
        stand.also(1, read.clone(), read);
    }

    fn of_a_suspect_log(&mut self, op: &Op, records: &[Record]) {
        let Some(wanted) = self.wanted.logs.get(&op.log) else { return };
        let facts = self.facts.entry(op.log).or_default();
        let effect = effect(op, read_end(records), self.promises);
        let late = |high: i64| wanted.highs.get(&high).is_some_and(|since| op.invoked > *since);
        if op.kind() != Kind::Append && late(effect.at_most) {
            facts.late.push(Witness::bare(op));
        }
        let low = effect.at_least - 1;
        if low >= 0 && wanted.lows.get(&low) == Some(&op.returned) {
            facts.prove(low, Witness::last_of(op, records));
        }
        if wanted.counters.contains(&op.kind()) && op.outcome() == Outcome::Ok {
            facts.answers.push(*op);
        }
        if wanted.readers {
            follow(wanted, facts, op, records, &self.roles);
        }
    }

    /// Takes what stands on the replicas.
    pub fn replicas(&mut self, replicas: &[ReplicaLog]) {
        for replica in replicas {
            for record in replica.records.iter().filter(|r| self.wanted.value(judged(r.value))) {
                let copy = Copy { log: replica.log, offset: record.offset, node: replica.node };
                self.dossiers.entry(judged(record.value)).or_default().copies.push(copy);
            }
        }
    }
}

impl Fold for Inquiry<'_> {
    type Found = Facts;

    #[inline]
    fn add(&mut self, op: &Op, records: &[Record]) {
        match op.kind() {
            Kind::Append if self.wanted.value(judged(op.value())) => {
                self.dossiers.entry(judged(op.value())).or_default().appends.push(*op);
            }
            Kind::Poll | Kind::Fetch => self.read(op, records),
            Kind::TxnBegin | Kind::TxnCommit | Kind::TxnAbort => self.transactions.push(*op),
            _ => {}
        }
        if self.wanted.logs.contains_key(&op.log) {
            self.of_a_suspect_log(op, records);
        }
    }

    fn merge(&mut self, other: Self) {
        for (value, dossier) in other.dossiers {
            let mine = self.dossiers.entry(value).or_default();
            mine.appends.extend(dossier.appends);
            mine.copies.extend(dossier.copies);
        }
        for (key, stand) in other.stands {
            match self.stands.entry(key) {
                Entry::Vacant(place) => drop(place.insert(stand)),
                Entry::Occupied(mine) => mine.into_mut().merge(stand),
            }
        }
        for (log, facts) in other.facts {
            self.facts.entry(log).or_default().merge(facts);
        }
        self.transactions.extend(other.transactions);
    }

    fn finish(mut self) -> Facts {
        for ((value, ..), stand) in self.stands {
            self.dossiers.entry(value).or_default().stands.push(stand);
        }
        for dossier in self.dossiers.values_mut() {
            dossier.appends.sort_unstable_by_key(|op| (op.log, op.invoked, op.returned, op.process()));
            dossier.stands.sort_unstable_by_key(|s| (s.log, s.offset));
            dossier.copies.sort_unstable();
        }
        for facts in self.facts.values_mut() {
            facts.steps.sort_unstable_by_key(|s| (s.process, s.op.returned, s.op.invoked, s.span.is_some()));
            facts.jumps.sort_unstable_by_key(|j| (j.read.time(), j.from));
            facts.late.sort_unstable_by_key(Witness::time);
            facts.answers.sort_unstable_by_key(|op| (op.kind(), op.returned, op.invoked, op.process()));
        }
        self.transactions.sort_unstable_by_key(|op| (op.process(), op.invoked, op.returned));
        Facts { dossiers: self.dossiers, logs: self.facts, transactions: self.transactions }
    }
}

fn follow(wanted: &WantedLog, facts: &mut LogFacts, op: &Op, records: &[Record], roles: &[Role]) {
    let process = op.process();
    let drain = roles.get(process.0 as usize) == Some(&Role::Drain);
    let step = |span| Step { process, op: *op, span, count: records.len() };
    match (op.kind(), records.first().zip(records.last())) {
        (Kind::Assign | Kind::Revoke, _) if op.outcome() == Outcome::Ok => facts.steps.push(step(None)),
        (Kind::Poll, Some((first, last))) => facts.steps.push(step(Some((*first, *last)))),
        (Kind::Fetch, Some((first, _)))
            if !drain && op.offset.0 >= 0 && wanted.crosses(op.offset.0 - 1, first.offset.0) =>
        {
            let read = Witness::read(op, records, 0);
            facts.jumps.push(Jump { read, from: op.offset.0 - 1, to: first.offset.0 });
        }
        _ => {}
    }
    for (i, pair) in records.windows(2).enumerate() {
        let (from, to) = (pair[0].offset.0, pair[1].offset.0);
        if to <= from || !drain && wanted.crosses(from, to) {
            facts.jumps.push(Jump { read: Witness::read(op, records, i), from, to });
        }
    }
}
