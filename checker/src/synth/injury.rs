//! One thing wrong in a correct history, and the anomaly that must be found for it.
//!
//! **Invariant:** an injury that says it was inflicted is visible in the history alone, without knowing what was there
//! before; one that finds no place for itself says so and changes nothing.

use crate::anomaly::AnomalyKind;
use crate::synth::Synthetic;
use crate::synth::rng::Rng;
use history::{Kind, LogId, Nanos, Offset, Op, Outcome, Record, Role, Value, WriterId};

/// The anomalies that can be put into a history.
pub const INJURIES: [AnomalyKind; 25] = [
    AnomalyKind::LostPrefix,
    AnomalyKind::LostMiddle,
    AnomalyKind::LostPostfix,
    AnomalyKind::Unread,
    AnomalyKind::Duplicate,
    AnomalyKind::InconsistentOffset,
    AnomalyKind::ChangedOffset,
    AnomalyKind::DivergedReplicas,
    AnomalyKind::WrongAckOffset,
    AnomalyKind::NegativeAckOffset,
    AnomalyKind::Reordered,
    AnomalyKind::NonmonotonicPoll,
    AnomalyKind::IntNonmonotonicPoll,
    AnomalyKind::PollSkip,
    AnomalyKind::IntPollSkip,
    AnomalyKind::FailedAppendRead,
    AnomalyKind::Phantom,
    AnomalyKind::Foreign,
    AnomalyKind::Misrouted,
    AnomalyKind::Corrupted,
    AnomalyKind::ReadBeforeSend,
    AnomalyKind::LateAppend,
    AnomalyKind::StaleRead,
    AnomalyKind::StaleEnd,
    AnomalyKind::EndWentBack,
];

/// Puts `kind` into `made`; false if there is no place for it.
pub fn inflict(made: &mut Synthetic, kind: AnomalyKind, seed: u64) -> bool {
    let mut patient = Patient { made, rng: Rng::new(seed) };
    patient.inflict(kind).is_some()
}

struct Patient<'a> {
    made: &'a mut Synthetic,
    rng: Rng,
}

/// An acknowledged append.
#[derive(Clone, Copy)]
struct Acked {
    at: usize,
    log: LogId,
    offset: i64,
    value: Value,
}

impl Patient<'_> {
    fn inflict(&mut self, kind: AnomalyKind) -> Option<()> {
        use AnomalyKind as K;
        match kind {
            K::LostPrefix => self.lose(|_, first, _| first),
            K::LostMiddle => {
                self.lose(|rng, first, last| first + 1 + rng.below((last - first - 1).max(0) as u64) as i64)
            }
            K::LostPostfix => self.cut(true),
            K::Unread => self.cut(false),
            K::Duplicate => self.append_to_drain(None),
            K::Phantom => self.append_to_drain(Some(Value::new(WriterId(999), 1))),
            K::Foreign => self.append_to_drain(Some(Value::FOREIGN)),
            K::Misrouted => self.misroute(),
            K::InconsistentOffset => self.acknowledge_twice(),
            K::ChangedOffset => self.rewrite(),
            K::Corrupted => self.damage(),
            K::DivergedReplicas => self.diverge(),
            K::WrongAckOffset => self.acknowledge_at(|offset| offset + 1_000_000),
            K::NegativeAckOffset => self.acknowledge_at(|offset| -2 - offset),
            K::Reordered => self.swap(),
            K::NonmonotonicPoll | K::PollSkip => self.misplace_poll(kind),
            K::IntNonmonotonicPoll | K::IntPollSkip => self.misplace_record(kind),
            K::FailedAppendRead => self.fail(),
            K::ReadBeforeSend | K::LateAppend => self.postpone(kind),
            K::StaleRead => self.deny(Kind::Fetch),
            K::StaleEnd | K::EndWentBack => self.deny(Kind::EndOffset),
            _ => None,
        }
    }

    fn role(&self, op: &Op) -> Role {
        self.made.history.names.role(op.process())
    }

    fn acked(&self) -> Vec<Acked> {
        let ops = self.made.history.ops.iter().enumerate();
        let acked = ops.filter(|(_, op)| op.kind() == Kind::Append && op.outcome() == Outcome::Ok);
        acked.map(|(at, op)| Acked { at, log: op.log, offset: op.offset.0, value: op.value() }).collect()
    }

    fn some_acked(&mut self) -> Option<Acked> {
        let acked = self.acked();
        self.rng.pick(&acked).copied()
    }

    /// Reads with at least `records`, of drain processes or of the others.
    fn reads(&self, drain: bool, records: usize) -> Vec<usize> {
        let ops = self.made.history.ops.iter().enumerate();
        let reads = ops.filter(|(_, op)| op.records().len() >= records && (self.role(op) == Role::Drain) == drain);
        reads.map(|(at, _)| at).collect()
    }

    /// Every record of `log`, by reads and on disks, as `(offset, value)` to keep or change; `None` removes a drained one.
    fn remap(&mut self, log: LogId, drain_only: bool, change: impl Fn(i64, Value) -> Option<Value>) {
        for at in 0..self.made.history.ops.len() {
            let op = self.made.history.ops[at];
            if op.log != log || drain_only && self.role(&op) != Role::Drain || !op.kind().reads_records() {
                continue;
            }
            let kept = self.made.history.records_of(&op).iter();
            let kept = kept.filter_map(|r| Some(Record { offset: r.offset, value: change(r.offset.0, r.value)? }));
            let kept: Vec<Record> = kept.collect();
            self.replace(at, &kept);
        }
        for replica in self.made.replicas.iter_mut().filter(|r| r.log == log) {
            replica.records.retain(|r| change(r.offset.0, r.value).is_some());
            replica.records.iter_mut().for_each(|r| r.value = change(r.offset.0, r.value).unwrap_or(r.value));
        }
    }

    fn replace(&mut self, at: usize, records: &[Record]) {
        let history = &mut self.made.history;
        let start = history.records.len();
        history.records.extend_from_slice(records);
        history.ops[at] = history.ops[at].with_records(start, records.len());
    }

    /// First and last acknowledged offset of a log, with at least one between.
    fn lose(&mut self, which: fn(&mut Rng, i64, i64) -> i64) -> Option<()> {
        let log = self.some_acked()?.log;
        let offsets: Vec<i64> = self.acked().iter().filter(|a| a.log == log).map(|a| a.offset).collect();
        let (first, last) = (*offsets.iter().min()?, *offsets.iter().max()?);
        let lost = which(&mut self.rng, first, last);
        if last - first < 2 || first != 0 && lost == first || !offsets.contains(&lost) {
            return None;
        }
        self.remap(log, true, |offset, value| (offset != lost).then_some(value));
        Some(())
    }

    /// The log ends before its last acknowledged record, on every replica or on all but one.
    fn cut(&mut self, everywhere: bool) -> Option<()> {
        let log = self.some_acked()?.log;
        let cut = self.acked().iter().filter(|a| a.log == log).map(|a| a.offset).max()?;
        let keeper = self.made.replicas.iter().find(|r| r.log == log)?.clone();
        self.remap(log, true, |offset, value| (offset < cut).then_some(value));
        for at in 0..self.made.history.ops.len() {
            let op = self.made.history.ops[at];
            if op.log == log && self.role(&op) == Role::Drain && op.kind() == Kind::EndOffset {
                self.made.history.ops[at] = op.complete(Outcome::Ok, op.returned, Offset(cut));
            }
        }
        if !everywhere {
            *self.made.replicas.iter_mut().find(|r| r.log == log)? = keeper;
        }
        Some(())
    }

    /// One more record at the end of the drain: `value`, or one that is there already.
    fn append_to_drain(&mut self, value: Option<Value>) -> Option<()> {
        let reads = self.reads(true, 1);
        let mut at = *self.rng.pick(&reads)?;
        let log = self.made.history.ops[at].log;
        at = reads.into_iter().filter(|&r| self.made.history.ops[r].log == log).max().unwrap_or(at);
        let mut records = self.made.history.records_of(&self.made.history.ops[at]).to_vec();
        let last = *records.last()?;
        let value = value.unwrap_or(records.first()?.value);
        records.push(Record { offset: Offset(last.offset.0 + 1), value });
        self.replace(at, &records);
        Some(())
    }

    fn misroute(&mut self) -> Option<()> {
        let stranger = self.some_acked()?;
        let others: Vec<usize> = self.reads(true, 1);
        let other = |at: &usize| self.made.history.ops[*at].log != stranger.log;
        let at = others.into_iter().rev().find(other)?;
        let mut records = self.made.history.records_of(&self.made.history.ops[at]).to_vec();
        records.push(Record { offset: Offset(records.last()?.offset.0 + 1), value: stranger.value });
        self.replace(at, &records);
        Some(())
    }

    fn acknowledge_twice(&mut self) -> Option<()> {
        let (one, acked) = (self.some_acked()?, self.acked());
        let same: Vec<Acked> = acked.into_iter().filter(|a| a.log == one.log && a.offset != one.offset).collect();
        let other = *self.rng.pick(&same)?;
        let op = self.made.history.ops[other.at];
        self.made.history.ops[other.at] = op.complete(Outcome::Ok, op.returned, Offset(one.offset));
        Some(())
    }

    /// A read under load saw another value than the drain.
    fn rewrite(&mut self) -> Option<()> {
        let at = *self.rng.pick(&self.reads(false, 1))?;
        let op = self.made.history.ops[at];
        let mut records = self.made.history.records_of(&op).to_vec();
        let acked: Vec<Acked> = self.acked().into_iter().filter(|a| a.log == op.log).collect();
        let other = self.rng.pick(&acked)?.value;
        let n = self.rng.below(records.len() as u64) as usize;
        if records[n].value == other {
            return None;
        }
        records[n].value = other;
        self.replace(at, &records);
        Some(())
    }

    fn damage(&mut self) -> Option<()> {
        let at = *self.rng.pick(&self.reads(false, 1))?;
        let mut records = self.made.history.records_of(&self.made.history.ops[at]).to_vec();
        let n = self.rng.below(records.len() as u64) as usize;
        records[n].value = Value::CORRUPT;
        self.replace(at, &records);
        Some(())
    }

    fn diverge(&mut self) -> Option<()> {
        let values: Vec<Value> = self.acked().into_iter().map(|a| a.value).collect();
        let value = *self.rng.pick(&values)?;
        let replicas = self.made.replicas.len() as u64;
        let replica = self.made.replicas.get_mut(self.rng.below(replicas) as usize)?;
        let records = replica.records.len() as u64;
        let record = replica.records.get_mut(self.rng.below(records) as usize)?;
        (record.value != value).then(|| record.value = value)
    }

    fn acknowledge_at(&mut self, place: fn(i64) -> i64) -> Option<()> {
        let one = self.some_acked()?;
        let op = self.made.history.ops[one.at];
        self.made.history.ops[one.at] = op.complete(Outcome::Ok, op.returned, Offset(place(one.offset)));
        Some(())
    }

    /// Two records of one writer change places, everywhere.
    fn swap(&mut self) -> Option<()> {
        let (one, acked) = (self.some_acked()?, self.acked());
        let mates = acked.into_iter().filter(|a| a.log == one.log && a.value.writer() == one.value.writer());
        let mates: Vec<Acked> = mates.filter(|a| a.offset != one.offset).collect();
        let other = *self.rng.pick(&mates)?;
        self.remap(one.log, false, |_, value| match value {
            v if v == one.value => Some(other.value),
            v if v == other.value => Some(one.value),
            v => Some(v),
        });
        for (at, offset) in [(one.at, other.offset), (other.at, one.offset)] {
            let op = self.made.history.ops[at];
            self.made.history.ops[at] = op.complete(Outcome::Ok, op.returned, Offset(offset));
        }
        Some(())
    }

    /// A consumer's read is handed over again at the end, or never was.
    fn misplace_poll(&mut self, kind: AnomalyKind) -> Option<()> {
        let ops = &self.made.history.ops;
        let polls: Vec<usize> =
            (0..ops.len()).filter(|&at| ops[at].kind() == Kind::Poll && !ops[at].records().is_empty()).collect();
        let at = *self.rng.pick(&polls)?;
        let op = self.made.history.ops[at];
        if kind == AnomalyKind::PollSkip {
            let mut mine = polls.iter().map(|&p| &ops[p]).filter(|p| p.process() == op.process());
            let between = mine.clone().any(|p| p.returned < op.returned) && mine.any(|p| p.returned > op.returned);
            return between.then(|| self.replace(at, &[]));
        }
        let end = ops.iter().map(|o| o.returned.0).filter(|&t| t != u64::MAX).max()?;
        let again = Op::invoke(Kind::Poll, op.process(), op.log, Nanos(end + 1)).complete(
            Outcome::Ok,
            Nanos(end + 2),
            op.offset,
        );
        self.made.history.ops.push(again.with_detail(op.detail));
        Some(())
    }

    fn misplace_record(&mut self, kind: AnomalyKind) -> Option<()> {
        let at = *self.rng.pick(&self.reads(false, 3))?;
        let mut records = self.made.history.records_of(&self.made.history.ops[at]).to_vec();
        match kind {
            AnomalyKind::IntPollSkip => drop(records.remove(1)),
            _ => records.swap(1, 2),
        }
        self.replace(at, &records);
        Some(())
    }

    fn fail(&mut self) -> Option<()> {
        let one = self.some_acked()?;
        let op = self.made.history.ops[one.at];
        self.made.history.ops[one.at] = op.complete(Outcome::Fail, op.returned, Offset::UNKNOWN);
        Some(())
    }

    /// An append is invoked after somebody read it, or after a later offset was acknowledged and before it was read.
    fn postpone(&mut self, kind: AnomalyKind) -> Option<()> {
        let (one, history) = (self.some_acked()?, &self.made.history);
        let seen = |op: &&Op| op.log == one.log && history.records_of(op).iter().any(|r| r.value == one.value);
        let read = history.ops.iter().filter(seen).map(|op| op.returned).min()?;
        let later = self.acked().into_iter().filter(|a| a.log == one.log && a.offset > one.offset);
        let after = match kind {
            AnomalyKind::ReadBeforeSend => read,
            _ => later.map(|a| history.ops[a.at].returned).min().filter(|t| *t < read)?,
        };
        let op = history.ops[one.at];
        let moved = Op::invoke(Kind::Append, op.process(), op.log, Nanos(after.0 + 1)).with_detail(op.detail);
        self.made.history.ops[one.at] = moved.complete(Outcome::Ok, Nanos(after.0 + 2), op.offset);
        Some(())
    }

    /// After the load, somebody is told that the log is shorter than it was.
    fn deny(&mut self, kind: Kind) -> Option<()> {
        let history = &self.made.history;
        let mut processes = (0..history.names.processes.len() as u32).map(history::ProcessId);
        let sampler = processes.find(|p| history.names.role(*p) == Role::Sampler)?;
        let told = history.ops.iter().filter(|op| op.kind() == Kind::EndOffset && op.offset.0 > 0);
        let told: Vec<(LogId, i64, Nanos)> = told.map(|op| (op.log, op.offset.0, op.returned)).collect();
        let (log, end, returned) = *self.rng.pick(&told)?;
        let read = history.ops.iter().filter(|op| op.log == log && self.role(op) != Role::Drain);
        let read = read.flat_map(|op| history.records_of(op)).any(|r| r.offset.0 == end - 1);
        if kind == Kind::EndOffset || read {
            let op = Op::invoke(kind, sampler, log, Nanos(returned.0 + 1));
            let op = op.complete(Outcome::Ok, Nanos(returned.0 + 2), Offset(end - 1));
            self.made.history.push_read(op, &[]);
            if kind == Kind::EndOffset {
                let last = self.made.history.ops.len() - 1;
                self.made.history.ops[last] = op;
            }
            return Some(());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Contract, Promises};
    use crate::judge::{Verdict, judge};
    use crate::synth::{Shape, correct};

    #[test]
    fn every_injury_is_found_by_its_name() {
        let mut inflicted = std::collections::BTreeMap::new();
        for seed in 0..200 {
            for kind in INJURIES {
                let mut made = correct(Shape::small(seed));
                if !inflict(&mut made, kind, seed) {
                    continue;
                }
                let judgement = judge(&made.history, &made.replicas, &Contract::durable(), &Promises::strict());
                let found: Vec<_> = judgement.anomalies.iter().map(|a| a.kind).collect();
                let alias = kind == AnomalyKind::StaleEnd || kind == AnomalyKind::StaleRead;
                let hidden = alias && found.contains(&AnomalyKind::HiddenUntilHeal);
                assert!(found.contains(&kind) || hidden, "seed {seed}: {kind} not among {found:?}");
                assert_eq!(judgement.verdict(), Verdict::Violation);
                *inflicted.entry(kind).or_insert(0) += 1;
            }
        }
        assert_eq!(inflicted.len(), INJURIES.len());
        assert!(inflicted.values().all(|n| *n >= 20), "{inflicted:?}");
    }
}
