//! A store of strings by key: put replaces, append extends, get gives, and a missing key is the empty string. Every key is
//! an object of its own.

use crate::search::Model;

/// A store of strings.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyValue;

/// What is asked of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Input {
    /// The key's number.
    pub key: u64,
    /// What to do with it.
    pub action: Action,
}

/// What is done with a key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Give its string.
    Get,
    /// Replace its string.
    Put(String),
    /// Extend its string.
    Append(String),
}

/// What it answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// The string, to a get.
    Got(String),
    /// Done, to a put or an append.
    Stored,
}

const PUT: u64 = 0;

impl Model for KeyValue {
    type Input = Input;
    type Output = Output;
    type State = String;

    fn initial(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, input: &Input, output: Option<&Output>) -> Option<String> {
        match (&input.action, output) {
            (Action::Get, None) => Some(state.clone()),
            (Action::Get, Some(Output::Got(got))) => (got == state).then(|| state.clone()),
            (Action::Put(value), None | Some(Output::Stored)) => Some(value.clone()),
            (Action::Append(value), None | Some(Output::Stored)) => Some([state.as_str(), value].concat()),
            _ => None,
        }
    }

    fn is_pure(&self, input: &Input, _: Option<&Output>) -> bool {
        input.action == Action::Get
    }

    fn key(&self, input: &Input) -> u64 {
        input.key
    }

    fn reachable(&self, state: &String, _: &Input, output: Option<&Output>) -> bool {
        !matches!(output, Some(Output::Got(got)) if !got.starts_with(state))
    }

    fn wants(&self, _: &Input, output: Option<&Output>) -> Option<u64> {
        matches!(output, Some(Output::Got(_))).then_some(PUT)
    }

    fn renews(&self, input: &Input, _: Option<&Output>) -> Option<u64> {
        matches!(input.action, Action::Put(_)).then_some(PUT)
    }

    fn minds_others(&self, _: &Input, _: Option<&Output>) -> bool {
        false
    }

    fn heap_bytes(&self, state: &String) -> usize {
        state.capacity()
    }
}
