//! An append-only log: an append is told its offset, a read gives everything from an offset to the end or up to a limit of
//! its own, and the end can be asked for. For small logs without the log scan's help; the scan judges the same in one pass.

use crate::search::Model;

/// A log of 64-bit values, empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

/// What is asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// To take this value at its end.
    Append(i64),
    /// The values from this offset on.
    Read(u64),
    /// Its length.
    End,
}

/// What it answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// The offset, to an append.
    At(u64),
    /// Values, to a read. None at all says that the log ended at or before the offset.
    Values(Vec<i64>),
    /// The length, to an end.
    Length(u64),
}

fn from(state: &[i64], offset: u64) -> &[i64] {
    usize::try_from(offset).ok().and_then(|at| state.get(at..)).unwrap_or(&[])
}

impl Model for Log {
    type Input = Input;
    type Output = Output;
    type State = Vec<i64>;

    fn initial(&self) -> Vec<i64> {
        Vec::new()
    }

    fn step(&self, state: &Vec<i64>, input: &Input, output: Option<&Output>) -> Option<Vec<i64>> {
        let length = state.len() as u64;
        let legal = match (input, output) {
            (Input::Append(_), Some(Output::At(offset))) => *offset == length,
            (Input::Read(offset), Some(Output::Values(values))) if values.is_empty() => *offset >= length,
            (Input::Read(offset), Some(Output::Values(values))) => from(state, *offset).starts_with(values),
            (Input::End, Some(Output::Length(end))) => *end == length,
            (_, output) => output.is_none(),
        };
        let appended = if let Input::Append(value) = input { Some(*value) } else { None };
        legal.then(|| state.iter().copied().chain(appended).collect())
    }

    fn is_pure(&self, input: &Input, _: Option<&Output>) -> bool {
        !matches!(input, Input::Append(_))
    }

    fn reachable(&self, state: &Vec<i64>, input: &Input, output: Option<&Output>) -> bool {
        let length = state.len() as u64;
        match (input, output) {
            (Input::Append(_), Some(Output::At(offset))) => *offset >= length,
            (Input::Read(offset), Some(Output::Values(values))) if values.is_empty() => *offset >= length,
            (Input::Read(offset), Some(Output::Values(values))) => {
                from(state, *offset).iter().zip(values).all(|(a, b)| a == b)
            }
            (Input::End, Some(Output::Length(end))) => *end >= length,
            _ => true,
        }
    }

    /// Nothing takes a log back: what has become impossible stays so.
    fn wants(&self, _: &Input, output: Option<&Output>) -> Option<u64> {
        output.map(|_| 0)
    }

    fn heap_bytes(&self, state: &Vec<i64>) -> usize {
        state.capacity() * size_of::<i64>()
    }
}
