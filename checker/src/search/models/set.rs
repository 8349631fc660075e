//! A set: add, remove, ask for one member, read all.

use crate::search::Model;
use std::collections::BTreeSet;

/// A set of 64-bit values, empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

/// What is asked of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// To hold this value.
    Add(i64),
    /// To hold it no longer.
    Remove(i64),
    /// Whether it holds it.
    Contains(i64),
    /// All it holds.
    Read,
}

/// What it answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Done, to an add or a remove.
    Done,
    /// Whether, to a contains.
    Is(bool),
    /// All, to a read.
    All(BTreeSet<i64>),
}

const REMOVAL: u64 = 1;

fn member(value: i64) -> u64 {
    (value as u64) << 1
}

impl Model for Set {
    type Input = Input;
    type Output = Output;
    type State = BTreeSet<i64>;

    fn initial(&self) -> Self::State {
        BTreeSet::new()
    }

    fn step(&self, state: &Self::State, input: &Input, output: Option<&Output>) -> Option<Self::State> {
        let changed = |change: &dyn Fn(&mut Self::State)| {
            let mut next = state.clone();
            change(&mut next);
            Some(next)
        };
        match (input, output) {
            (Input::Add(value), None | Some(Output::Done)) => changed(&|s| _ = s.insert(*value)),
            (Input::Remove(value), None | Some(Output::Done)) => changed(&|s| _ = s.remove(value)),
            (Input::Contains(_) | Input::Read, None) => Some(state.clone()),
            (Input::Contains(value), Some(Output::Is(is))) if state.contains(value) == *is => Some(state.clone()),
            (Input::Read, Some(Output::All(all))) if all == state => Some(state.clone()),
            _ => None,
        }
    }

    fn is_pure(&self, input: &Input, _: Option<&Output>) -> bool {
        matches!(input, Input::Contains(_) | Input::Read)
    }

    fn reachable(&self, state: &Self::State, input: &Input, output: Option<&Output>) -> bool {
        match (input, output) {
            (Input::Contains(value), Some(Output::Is(true))) => state.contains(value),
            (Input::Contains(value), Some(Output::Is(false))) => !state.contains(value),
            (Input::Read, Some(Output::All(all))) => state.is_subset(all),
            _ => true,
        }
    }

    fn wants(&self, input: &Input, output: Option<&Output>) -> Option<u64> {
        match (input, output) {
            (Input::Contains(value), Some(Output::Is(true))) => Some(member(*value)),
            (Input::Contains(_), Some(Output::Is(false))) | (Input::Read, Some(Output::All(_))) => Some(REMOVAL),
            _ => None,
        }
    }

    fn renews(&self, input: &Input, _: Option<&Output>) -> Option<u64> {
        match input {
            Input::Add(value) => Some(member(*value)),
            Input::Remove(_) => Some(REMOVAL),
            _ => None,
        }
    }

    fn minds_others(&self, input: &Input, _: Option<&Output>) -> bool {
        matches!(input, Input::Read)
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.len() * 16
    }
}
