//! A correct history over and over: as long a run as anybody likes, in the memory of one round.
//!
//! Each round appends where the one before ended, with later sequences at later times. **Invariant:** every claim holds that
//! held in one round: readers are given their logs anew at each round's beginning.

use crate::source::{Batch, Source};
use history::{History, Kind, LogId, Names, Nanos, Offset, Op, Outcome, ProcessId, Record, Role, Value};

/// Operations handed out at a time.
const BATCH_OPS: usize = 1 << 16;

/// See the module.
#[derive(Clone, Debug)]
pub struct Repeated {
    round: History,
    times: u64,
    /// By log, how many offsets a round fills.
    lengths: Vec<i64>,
    /// How many sequences of each writer a round uses, at most.
    sequences: u64,
    /// How long a round lasts.
    span: u64,
}

impl Repeated {
    /// `times` rounds of a history that begins with empty logs and is drained at its end.
    pub fn new(round: History, times: u64) -> Repeated {
        let mut lengths = vec![0; round.names.logs.len()];
        let (mut sequences, mut span) = (0, 0);
        for op in &round.ops {
            if op.kind() == Kind::EndOffset
                && let Some(length) = lengths.get_mut(op.log.0 as usize)
            {
                *length = op.offset.0.max(*length);
            }
            if op.kind() == Kind::Append {
                sequences = sequences.max(op.value().sequence() + 1);
            }
            let returned = if op.returned == Nanos::NEVER { op.invoked } else { op.returned };
            span = span.max(returned.0);
        }
        Repeated { round, times, lengths, sequences, span: span + 10 }
    }

    /// Operations of all rounds.
    pub fn operations(&self) -> u64 {
        let anew = self.assignments(1).len() as u64;
        self.round.ops.len() as u64 * self.times + anew * self.times.saturating_sub(1)
    }

    fn length(&self, log: LogId) -> i64 {
        self.lengths.get(log.0 as usize).copied().unwrap_or(0)
    }

    /// Readers are given every log anew.
    fn assignments(&self, round: u64) -> Vec<Op> {
        let at = Nanos(round * self.span);
        let readers = (0u32..).zip(&self.round.names.processes).filter(|(_, p)| p.role == Role::Consumer);
        let logs = 0..self.lengths.len() as u32;
        let assign = |process, log| Op::invoke(Kind::Assign, ProcessId(process), LogId(log), at);
        let all = readers.flat_map(|(process, _)| logs.clone().map(move |log| assign(process, log)));
        all.map(|op| op.complete(Outcome::Ok, at, Offset::UNKNOWN)).collect()
    }

    fn later(&self, op: &Op, round: u64) -> Op {
        let offset = match op.kind() {
            Kind::LogStart => op.offset,
            _ if op.offset.0 < 0 => op.offset,
            _ => Offset(op.offset.0 + self.length(op.log) * round as i64),
        };
        let at = |t: Nanos| if t == Nanos::NEVER { t } else { Nanos(t.0 + round * self.span) };
        let mut later = Op::invoke(op.kind(), op.process(), op.log, at(op.invoked)).with_detail(op.detail);
        if op.kind() == Kind::Append {
            later = later.with_detail(self.value(op.value(), round).0);
        }
        later.complete(op.outcome(), at(op.returned), offset)
    }

    fn value(&self, value: Value, round: u64) -> Value {
        match value.is_ordinary() {
            true => Value::new(value.writer(), value.sequence() + round * self.sequences),
            false => value,
        }
    }
}

impl Source for Repeated {
    fn names(&self) -> &Names {
        &self.round.names
    }

    fn walk(&self, visit: &mut dyn FnMut(Batch<'_>)) {
        for round in 0..self.times {
            if round > 0 {
                visit(Batch { ops: &self.assignments(round), records: &[], first_record: 0 });
            }
            for ops in self.round.ops.chunks(BATCH_OPS) {
                let mut batch = History::default();
                for op in ops {
                    let shift = self.length(op.log) * round as i64;
                    let later =
                        |r: &Record| Record { offset: Offset(r.offset.0 + shift), value: self.value(r.value, round) };
                    match op.kind().reads_records() {
                        false => batch.ops.push(self.later(op, round)),
                        true => {
                            let start = batch.records.len();
                            batch.records.extend(self.round.records_of(op).iter().map(later));
                            let count = batch.records.len() - start;
                            batch.ops.push(self.later(op, round).with_records(start, count));
                        }
                    }
                }
                visit(Batch { ops: &batch.ops, records: &batch.records, first_record: 0 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Contract, Promises};
    use crate::judge::judge_on;
    use crate::synth::{Shape, correct};

    #[test]
    fn what_holds_in_one_round_holds_in_many() {
        for seed in 0..50 {
            let round = correct(Shape { ops: 300, ..Shape::small(seed) }).history;
            let many = Repeated::new(round, 5);
            let judgement = judge_on(&many, &[], &Contract::durable(), &Promises::strict(), 2);
            assert!(judgement.anomalies.is_empty(), "seed {seed}: {:#?}", judgement.anomalies);
            assert_eq!(judgement.counts.logs_drained, 2);
            let counted: u64 = judgement.counts.ops.iter().map(|of| of.ok + of.fail + of.unknown).sum();
            assert_eq!(counted, many.operations());
        }
    }
}
