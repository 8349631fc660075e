//! What the checker costs: pieces for a benchmark that is run by whoever has a clock.
//!
//! Each piece is a function over a prepared history; the caller times it. **Invariant:** every piece checks its own
//! answer, so that a figure is never that of a checker that did nothing.

pub mod registers;
pub mod transactions;

use crate::contract::{Contract, Promises};
use crate::judge::{Verdict, judge_on};
use crate::log::bounds::Bounds;
use crate::log::effect::effect;
use crate::log::floor::{Floor, Stamp};
use crate::shards::sift;
use crate::synth::{Shape, correct};
use history::{History, Op, Outcome};

/// A history of `ops` operations on `logs` logs, as all pieces want it.
pub fn prepare(ops: usize, logs: u32) -> History {
    correct(Shape { logs, ..Shape::large(ops) }).history
}

/// Judges every claim on `cores` threads. True if all is well, as it should be.
pub fn judge_all(history: &History, cores: usize) -> bool {
    let judgement = judge_on(history, &[], &Contract::durable(), &Promises::strict(), cores);
    judgement.anomalies.is_empty() && judgement.verdict() != Verdict::Violation
}

/// Bytes the first pass holds for all logs together, at its height on one thread.
pub fn state_bytes(history: &History) -> usize {
    sift(history, &[], &Promises::strict(), 1).leads.iter().map(|l| l.bytes).sum()
}

/// Where a read of a log without gaps ended, 0 if it was empty.
fn dense_end(op: &Op) -> i64 {
    match op.records().len() as i64 {
        0 => 0,
        count => op.offset.0.saturating_add(count),
    }
}

/// The linearizable scan alone, of a history of one log without gaps, so that a read is its first offset and its count; the number of contradictions, 0 as it should be, and its bytes.
pub fn scan(history: &History) -> (usize, usize) {
    let (mut bounds, promises) = (Bounds::default(), Promises::strict());
    for op in &history.ops {
        let effect = effect(op, dense_end(op), &promises);
        bounds.take(effect, op.invoked, op.returned);
    }
    (bounds.contradictions().len(), bounds.bytes())
}

/// An event of the streaming form: an invocation, or a reply with what it says.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Operation `slot` is invoked.
    Invoked {
        /// Where its stamp is kept.
        slot: u32,
    },
    /// Operation `slot` returns.
    Returned {
        /// Where its stamp is kept.
        slot: u32,
        /// See [`crate::log::bounds`].
        at_least: i64,
        /// The same; `i64::MAX` if anything is admitted.
        at_most: i64,
    },
}

/// The events of a history of one log in the order of time, invocations first.
pub fn events(history: &History) -> Vec<Event> {
    let promises = Promises::strict();
    let mut events = Vec::with_capacity(history.ops.len() * 2);
    let told = |op: &&Op| op.outcome() == Outcome::Ok;
    for (slot, op) in history.ops.iter().filter(told).enumerate() {
        let (slot, effect) = (slot as u32, effect(op, dense_end(op), &promises));
        let (at_least, at_most) = (effect.at_least, effect.at_most);
        events.push((op.invoked.0, false, Event::Invoked { slot }));
        events.push((op.returned.0, true, Event::Returned { slot, at_least, at_most }));
    }
    events.sort_by_key(|e| (e.0, e.1));
    events.into_iter().map(|e| e.2).collect()
}

/// The linearizable scan over events in the order of time; the number of contradictions, 0 as it should be.
pub fn stream(events: &[Event]) -> usize {
    let (mut floor, mut contradictions) = (Floor::default(), 0);
    let mut stamps: Vec<Stamp> = vec![floor.invoked(); events.len() / 2 + 1];
    for event in events {
        match *event {
            Event::Invoked { slot } => stamps[slot as usize] = floor.invoked(),
            Event::Returned { slot, at_least, at_most } => {
                contradictions += usize::from(!stamps[slot as usize].admits(at_most));
                floor.returned(at_least);
            }
        }
    }
    contradictions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::injury::inflict;
    use crate::{AnomalyKind, synth};

    #[test]
    fn every_piece_finds_nothing_where_nothing_is() {
        let history = prepare(5_000, 1);
        assert!(judge_all(&history, 2));
        assert_eq!((scan(&history).0, stream(&events(&history))), (0, 0));
        assert!(state_bytes(&history) > 0);
    }

    #[test]
    fn both_forms_of_the_scan_find_an_end_that_is_told_too_low() {
        for seed in 0..200 {
            let mut made = synth::correct(Shape { logs: 1, ..Shape::small(seed) });
            if inflict(&mut made, AnomalyKind::StaleEnd, seed) {
                assert!(scan(&made.history).0 > 0 && stream(&events(&made.history)) > 0, "seed {seed}");
            }
        }
    }
}
