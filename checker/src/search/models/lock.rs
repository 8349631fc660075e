//! A lock: granted to one owner while nobody holds it, refused otherwise; only its holder releases it.

use crate::search::Model;

/// A lock that nobody holds at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lock;

/// What is asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// To be held by this owner.
    Acquire(i64),
    /// To be held by this owner no longer.
    Release(i64),
}

/// What it answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// It is so.
    Granted,
    /// An acquire of a held lock, or a release by somebody else.
    Refused,
}

const FREE: u64 = 0;

fn held_by(owner: i64) -> u64 {
    (owner as u64) << 1 | 1
}

impl Model for Lock {
    type Input = Input;
    type Output = Output;
    type State = Option<i64>;

    fn initial(&self) -> Self::State {
        None
    }

    fn step(&self, state: &Self::State, input: &Input, output: Option<&Output>) -> Option<Self::State> {
        let (possible, next) = match input {
            Input::Acquire(owner) => (state.is_none(), Some(*owner)),
            Input::Release(owner) => (*state == Some(*owner), None),
        };
        let told = output.is_none_or(|output| (*output == Output::Granted) == possible);
        told.then_some(if possible { next } else { *state })
    }

    fn is_pure(&self, _: &Input, output: Option<&Output>) -> bool {
        output == Some(&Output::Refused)
    }

    fn reachable(&self, state: &Self::State, input: &Input, output: Option<&Output>) -> bool {
        match (input, output) {
            (Input::Acquire(_), Some(Output::Granted)) => state.is_none(),
            (Input::Release(owner), Some(Output::Granted)) => *state == Some(*owner),
            _ => true,
        }
    }

    fn wants(&self, input: &Input, output: Option<&Output>) -> Option<u64> {
        match (input, output) {
            (_, Some(Output::Refused)) => None,
            (Input::Acquire(_), _) => Some(FREE),
            (Input::Release(owner), _) => Some(held_by(*owner)),
        }
    }

    fn renews(&self, input: &Input, output: Option<&Output>) -> Option<u64> {
        match (input, output) {
            (_, Some(Output::Refused)) => None,
            (Input::Acquire(owner), _) => Some(held_by(*owner)),
            (Input::Release(_), _) => Some(FREE),
        }
    }

    fn minds_others(&self, _: &Input, output: Option<&Output>) -> bool {
        output != Some(&Output::Granted)
    }
}
