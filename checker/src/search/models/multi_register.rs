//! Registers that transactions read and write together: a transaction happens at once, and sees what it wrote itself.
//!
//! What a register holds at first is not known: the first read of it that comes before any write tells. A read without a
//! value says nothing (Knossos has it so).

use crate::search::Model;
use std::collections::BTreeMap;

/// Registers by number, of 64-bit values.
#[derive(Clone, Copy, Debug, Default)]
pub struct MultiRegister;

/// A step of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// A register's value.
    Read(u32),
    /// A register's new value.
    Write(u32, i64),
}

impl Model for MultiRegister {
    /// The steps of a transaction, in order.
    type Input = Vec<Access>;
    /// What its reads gave, in order.
    type Output = Vec<Option<i64>>;
    /// What registers hold, as far as that is known.
    type State = BTreeMap<u32, i64>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, input: &Self::Input, output: Option<&Self::Output>) -> Option<Self::State> {
        let (mut state, mut answers) = (state.clone(), output.map(|answers| answers.iter()));
        for access in input {
            match (*access, &mut answers) {
                (Access::Write(register, value), _) => _ = state.insert(register, value),
                (Access::Read(_), None) => {}
                (Access::Read(register), Some(answers)) => {
                    let read = *answers.next()?;
                    if read.is_some_and(|read| *state.entry(register).or_insert(read) != read) {
                        return None;
                    }
                }
            }
        }
        answers.is_none_or(|mut rest| rest.next().is_none()).then_some(state)
    }

    /// Reads that gave a value may have told what a register holds at first.
    fn is_pure(&self, input: &Self::Input, output: Option<&Self::Output>) -> bool {
        let reads = input.iter().all(|access| matches!(access, Access::Read(_)));
        reads && output.is_none_or(|answers| answers.iter().all(Option::is_none))
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.len() * 2 * size_of::<(u32, i64)>()
    }
}
