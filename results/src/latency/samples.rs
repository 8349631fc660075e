//! One sample for each record acknowledged and each record delivered.

use super::Timed;
use crate::merge::Recording;
use crate::phase::{Phases, QUIET};
use history::{Kind, Nanos, Op, Outcome, Role, Value, WriterId};
use std::collections::HashMap;

const SECOND_NS: u64 = 1_000_000_000;

/// A latency, the second of the run in which it was over, and an index into the tags. 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Seconds since the load began.
    pub second: u32,
    /// What and in which phase.
    pub tag: u16,
    /// The latency.
    pub ns: u64,
}

/// All samples by rising second and tag; `tags` gets the tags they use.
pub fn gather(recording: &Recording, phases: &Phases, tags: &mut Vec<(Timed, String)>) -> Vec<Sample> {
    let unknown = vec![None; phases.windows().len() + 1];
    let known = [unknown.clone(), unknown.clone(), unknown.clone(), unknown];
    let mut gatherer = Gatherer { epoch: recording.history.names.epoch, phases, tags, known };
    let mut samples: Vec<Sample> =
        acks(recording).map(|(from, to)| gatherer.sample(Timed::Produce, from, to)).collect();
    let deliveries = deliveries(recording);
    samples.extend(deliveries.into_iter().map(|(from, to)| gatherer.sample(Timed::Deliver, from, to)));
    samples.extend(commits(recording).map(|(from, to)| gatherer.sample(Timed::Commit, from, to)));
    samples.extend(transactions(recording).into_iter().map(|(from, to)| gatherer.sample(Timed::Transaction, from, to)));
    samples.sort_unstable_by_key(|sample| (sample.second, sample.tag));
    samples
}

struct Gatherer<'a> {
    epoch: Nanos,
    phases: &'a Phases,
    tags: &'a mut Vec<(Timed, String)>,
    /// By what is timed, and then by window, the quiet phase last.
    known: [Vec<Option<u16>>; 4],
}

impl Gatherer<'_> {
    fn sample(&mut self, timed: Timed, from: Nanos, to: Nanos) -> Sample {
        let second = u32::try_from(to.since(self.epoch) / SECOND_NS).unwrap_or(u32::MAX);
        let phase = self.phases.first(from, to).unwrap_or(self.phases.windows().len());
        let tag = match self.known[timed as usize][phase] {
            Some(tag) => tag,
            None => self.name(timed, phase),
        };
        Sample { second, tag, ns: to.since(from) }
    }

    fn name(&mut self, timed: Timed, phase: usize) -> u16 {
        let name = self.phases.windows().get(phase).map_or(QUIET, |window| &window.name);
        let name = (timed, name.replace([',', ' ', '\r', '\n'], "-"));
        let at = self.tags.iter().position(|tag| *tag == name).unwrap_or(self.tags.len());
        if at == self.tags.len() && at < usize::from(u16::MAX) {
            self.tags.push(name);
        }
        let tag = at.min(self.tags.len() - 1) as u16;
        self.known[timed as usize][phase] = Some(tag);
        tag
    }
}

/// Intended send and reply of every acknowledged append.
fn acks(recording: &Recording) -> impl Iterator<Item = (Nanos, Nanos)> {
    let ops = recording.history.ops.iter().zip(&recording.intended);
    let acked = |op: &Op| op.kind() == Kind::Append && op.outcome() == Outcome::Ok && op.returned != Nanos::NEVER;
    ops.filter(move |(op, _)| acked(op)).map(|(op, intended)| (*intended, op.returned))
}

/// Call and reply of every position stored.
fn commits(recording: &Recording) -> impl Iterator<Item = (Nanos, Nanos)> {
    let stored = |op: &&Op| op.kind() == Kind::Commit && op.outcome() == Outcome::Ok && op.returned != Nanos::NEVER;
    recording.history.ops.iter().filter(stored).map(|op| (op.invoked, op.returned))
}

/// Begin and acknowledged end of every transaction committed.
fn transactions(recording: &Recording) -> Vec<(Nanos, Nanos)> {
    let of =
        |kind| recording.history.ops.iter().filter(move |op: &&Op| op.kind() == kind && op.outcome() == Outcome::Ok);
    let begins: HashMap<_, Nanos> = of(Kind::TxnBegin).map(|op| ((op.process(), op.detail), op.invoked)).collect();
    let ended = of(Kind::TxnCommit).filter(|op| op.returned != Nanos::NEVER);
    ended.filter_map(|op| Some((*begins.get(&(op.process(), op.detail))?, op.returned))).collect()
}

/// Intended send and first delivery of every record delivered.
fn deliveries(recording: &Recording) -> Vec<(Nanos, Nanos)> {
    let history = &recording.history;
    let appends = Appends::of(recording);
    let mut first = vec![Nanos::NEVER; appends.values.len()];
    let consumes =
        |op: &&Op| matches!(op.kind(), Kind::Poll | Kind::Fetch) && history.names.role(op.process()) == Role::Consumer;
    for op in history.ops.iter().filter(consumes) {
        for record in history.records_of(op) {
            if let Some(at) = appends.find(record.value) {
                first[at] = first[at].min(op.returned);
            }
        }
    }
    let delivered = appends.values.iter().zip(&first).filter(|(_, at)| **at != Nanos::NEVER);
    delivered.map(|((_, op), at)| (recording.intended[*op as usize], *at)).collect()
}

/// What was appended, by value. 16 bytes a record.
struct Appends {
    values: Vec<(Value, u32)>,
    /// Where each writer's values begin, by writer.
    writers: Vec<(WriterId, usize)>,
}

impl Appends {
    fn of(recording: &Recording) -> Appends {
        let ops = recording.history.ops.iter().enumerate().filter(|(_, op)| op.kind() == Kind::Append);
        let mut values: Vec<_> = ops.map(|(at, op)| (op.value(), at as u32)).collect();
        values.sort_unstable();
        let first_of = |(at, part): (usize, &[(Value, u32)])| (part[0].0.writer(), at);
        let parts = values.chunk_by(|a, b| a.0.writer() == b.0.writer()).scan(0, |at, part| {
            let start = *at;
            *at += part.len();
            Some((start, part))
        });
        let writers = parts.map(first_of).collect();
        Appends { values, writers }
    }

    /// Where a value stands: at once if its writer's sequence has no holes before it, else by search.
    fn find(&self, value: Value) -> Option<usize> {
        let writer = self.writers.binary_search_by_key(&value.writer(), |(writer, _)| *writer).ok()?;
        let start = self.writers[writer].1;
        let ahead = value.sequence().checked_sub(self.values[start].0.sequence())?;
        let guess = start.saturating_add(ahead as usize);
        if self.values.get(guess).is_some_and(|(found, _)| *found == value) {
            return Some(guess);
        }
        self.values.binary_search_by_key(&value, |(value, _)| *value).ok()
    }
}
