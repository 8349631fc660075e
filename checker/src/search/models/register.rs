//! A register: a write replaces its value, a read gives it.

use super::label;
use crate::search::Model;

/// A register of 64-bit values, empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register {
    /// The value before the first write.
    pub initial: Option<i64>,
}

/// What is asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// Its value.
    Read,
    /// To take this value.
    Write(i64),
}

/// What it answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Its value, to a read.
    Value(Option<i64>),
    /// Done, to a write.
    Written,
}

impl Model for Register {
    type Input = Input;
    type Output = Output;
    type State = Option<i64>;

    fn initial(&self) -> Self::State {
        self.initial
    }

    fn step(&self, state: &Self::State, input: &Input, output: Option<&Output>) -> Option<Self::State> {
        match (input, output) {
            (Input::Read, None) => Some(*state),
            (Input::Read, Some(Output::Value(value))) => (value == state).then_some(*state),
            (Input::Write(value), None | Some(Output::Written)) => Some(Some(*value)),
            _ => None,
        }
    }

    fn is_pure(&self, input: &Input, _: Option<&Output>) -> bool {
        matches!(input, Input::Read)
    }

    fn reachable(&self, state: &Self::State, _: &Input, output: Option<&Output>) -> bool {
        !matches!(output, Some(Output::Value(value)) if value != state)
    }

    fn wants(&self, _: &Input, output: Option<&Output>) -> Option<u64> {
        match output {
            Some(Output::Value(value)) => label(*value),
            _ => None,
        }
    }

    fn renews(&self, input: &Input, _: Option<&Output>) -> Option<u64> {
        match input {
            Input::Write(value) => label(Some(*value)),
            Input::Read => None,
        }
    }

    fn minds_others(&self, _: &Input, _: Option<&Output>) -> bool {
        false
    }

    fn is_its_label(&self) -> bool {
        true
    }
}
