//! A register with compare-and-set: the set happens if the value is the expected one, and the answer says whether it was.

use super::label;
use crate::search::Model;

/// A register of 64-bit values with compare-and-set.
#[derive(Clone, Copy, Debug, Default)]
pub struct CasRegister {
    /// The value before the first operation.
    pub initial: Option<i64>,
}

/// What is asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// Its value.
    Read,
    /// To take this value.
    Write(i64),
    /// To take the second value if it has the first.
    Cas(i64, i64),
}

/// What it answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Its value, to a read.
    Value(Option<i64>),
    /// Done, to a write.
    Written,
    /// Whether it had the expected value, to a compare-and-set.
    Swapped(bool),
}

impl Model for CasRegister {
    type Input = Input;
    type Output = Output;
    type State = Option<i64>;

    fn initial(&self) -> Self::State {
        self.initial
    }

    fn step(&self, state: &Self::State, input: &Input, output: Option<&Output>) -> Option<Self::State> {
        match (*input, output) {
            (Input::Read, None) => Some(*state),
            (Input::Read, Some(Output::Value(value))) => (value == state).then_some(*state),
            (Input::Write(value), None | Some(Output::Written)) => Some(Some(value)),
            (Input::Cas(from, to), answer) => {
                let swapped = *state == Some(from);
                let told = answer.is_none_or(|answer| *answer == Output::Swapped(swapped));
                told.then_some(if swapped { Some(to) } else { *state })
            }
            _ => None,
        }
    }

    fn is_pure(&self, input: &Input, output: Option<&Output>) -> bool {
        match input {
            Input::Read => true,
            Input::Write(_) => false,
            Input::Cas(from, to) => from == to || output == Some(&Output::Swapped(false)),
        }
    }

    fn reachable(&self, state: &Self::State, input: &Input, output: Option<&Output>) -> bool {
        match (input, output) {
            (Input::Read, Some(Output::Value(value))) => value == state,
            (Input::Cas(from, _), Some(Output::Swapped(true))) => *state == Some(*from),
            _ => true,
        }
    }

    fn wants(&self, input: &Input, output: Option<&Output>) -> Option<u64> {
        match (input, output) {
            (Input::Read, Some(Output::Value(value))) => label(*value),
            (Input::Cas(from, _), None | Some(Output::Swapped(true))) => label(Some(*from)),
            _ => None,
        }
    }

    fn renews(&self, input: &Input, output: Option<&Output>) -> Option<u64> {
        match (input, output) {
            (Input::Write(value), _) => label(Some(*value)),
            (Input::Cas(_, to), None | Some(Output::Swapped(true))) => label(Some(*to)),
            _ => None,
        }
    }

    fn minds_others(&self, input: &Input, output: Option<&Output>) -> bool {
        matches!(input, Input::Cas(..)) && output != Some(&Output::Swapped(true))
    }

    fn is_its_label(&self) -> bool {
        true
    }
}
