//! The first pass over one log: everything that must be remembered of its operations, in some 25 bytes an offset.
//!
//! Deliberately absent: what follows from it (`settle`).

use crate::contract::Promises;
use crate::log::bounds::Bounds;
use crate::log::contents::{Contents, by};
use crate::log::coverage::Drain;
use crate::log::effect::{effect, read_end};
use crate::log::leads::{Leads, Sums};
use crate::log::observed::{Answers, COUNTERS};
use crate::log::open::{Fate, OpenAppend, OpenAppends};
use crate::log::sessions::Sessions;
use crate::log::settle::settle;
use history::{Kind, LogId, Op, Outcome, Record, ReplicaLog, Role, Value};

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
    pub(super) sums: Sums,
    pub(super) bounds: Bounds,
    pub(super) contents: Contents,
    pub(super) open: OpenAppends,
    pub(super) sessions: Sessions,
    pub(super) drain: Drain,
    pub(super) answers: Option<Box<[Answers; COUNTERS.len()]>>,
    pub(super) negative: Vec<Value>,
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
        self.bounds.take(effect(op, 0, promises), op.invoked, op.returned);
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
        self.bounds.take(effect(op, read_end(records), promises), op.invoked, op.returned);
    }

    #[inline]
    fn read(&mut self, op: &Op, records: &[Record], role: Role, promises: &Promises) {
        self.bound(op, records, promises);
        self.sums.records_read += records.len() as u64;
        let bit = if role == Role::Drain { by::DRAIN } else { by::READ };
        let neighbours = self.contents.claim_all(records, bit);
        if role == Role::Drain && op.outcome() == Outcome::Ok {
            self.drain.add(op, records);
        }
        match op.kind() {
            Kind::Poll => self.sessions.poll(op.process(), op.returned, records, &mut self.contents),
            _ if role == Role::Drain => {}
            _ => self.sessions.fetch(op.offset.0, records, &mut self.contents),
        }
        if !neighbours {
            self.strewn(op, records, role);
        }
    }

    /// A read whose records are no neighbours. What the drain is not given between them says nothing.
    #[cold]
    fn strewn(&mut self, op: &Op, records: &[Record], role: Role) {
        match (op.kind(), role) {
            (Kind::Fetch, Role::Drain) => self.sessions.rising(records),
            _ => self.sessions.within(records, &mut self.contents),
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
        self.sums.ends += u64::from(op.kind() == Kind::EndOffset);
        if let Some(i) = COUNTERS.iter().position(|k| *k == op.kind()) {
            self.answers.get_or_insert_default()[i].push(op.offset.0, op.invoked, op.returned);
        }
    }

    /// Takes what another shard knows of the same log.
    pub fn merge(&mut self, other: Sieve) {
        self.sums.acked += other.sums.acked;
        self.sums.acked_untold += other.sums.acked_untold;
        self.sums.records_read += other.sums.records_read;
        self.sums.ends += other.sums.ends;
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
    pub fn finish(self, log: LogId, setting: Setting<'_>) -> Leads {
        settle(self, log, setting)
    }
}
