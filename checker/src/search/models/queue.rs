//! A first-in-first-out queue: enqueue at the back, dequeue from the front or learn that there is nothing.

use crate::search::Model;
use std::collections::VecDeque;

/// A queue of 64-bit values, empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue;

/// What is asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// To take this value at its back.
    Enqueue(i64),
    /// To give its front.
    Dequeue,
}

/// What it answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Done, to an enqueue.
    Enqueued,
    /// The front, `None` if there was none, to a dequeue.
    Dequeued(Option<i64>),
}

impl Model for Queue {
    type Input = Input;
    type Output = Output;
    type State = VecDeque<i64>;

    fn initial(&self) -> Self::State {
        VecDeque::new()
    }

    fn step(&self, state: &Self::State, input: &Input, output: Option<&Output>) -> Option<Self::State> {
        let mut next = state.clone();
        match (input, output) {
            (Input::Enqueue(value), None | Some(Output::Enqueued)) => next.push_back(*value),
            (Input::Dequeue, None) => _ = next.pop_front(),
            (Input::Dequeue, Some(Output::Dequeued(front))) if *front == next.pop_front() => (),
            _ => return None,
        }
        Some(next)
    }

    fn is_pure(&self, _: &Input, output: Option<&Output>) -> bool {
        output == Some(&Output::Dequeued(None))
    }

    fn reachable(&self, state: &Self::State, _: &Input, output: Option<&Output>) -> bool {
        !matches!(output, Some(Output::Dequeued(Some(value))) if !state.contains(value))
    }

    fn wants(&self, _: &Input, output: Option<&Output>) -> Option<u64> {
        match output {
            Some(Output::Dequeued(Some(value))) => Some(*value as u64),
            _ => None,
        }
    }

    fn renews(&self, input: &Input, _: Option<&Output>) -> Option<u64> {
        match input {
            Input::Enqueue(value) => Some(*value as u64),
            Input::Dequeue => None,
        }
    }

    /// A dequeue that did not tell what it got may have got anything.
    fn minds_others(&self, input: &Input, output: Option<&Output>) -> bool {
        matches!((input, output), (Input::Dequeue, None))
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.capacity() * size_of::<i64>()
    }
}
