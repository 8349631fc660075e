//! Operations made up for each model: few values, so that they meet.

use crate::search::Model;
use crate::search::models::{cas_register, key_value, lock, log, multi_register, queue, register, set};
use rand::Rng;
use rand_pcg::Pcg64Mcg;
use std::fmt::Debug;

/// A model that can make up operations: few values, so that they meet.
pub(super) trait Sample: Model<Input: Debug, Output: Debug> {
    fn ask(&self, dice: &mut Pcg64Mcg) -> Self::Input;
    /// The right answer, or any of the same kind if there are dice.
    fn answer(&self, state: &Self::State, input: &Self::Input, dice: Option<&mut Pcg64Mcg>) -> Self::Output;
}

fn few(dice: &mut Pcg64Mcg) -> i64 {
    dice.random_range(0..3)
}

impl Sample for register::Register {
    fn ask(&self, dice: &mut Pcg64Mcg) -> register::Input {
        match dice.random_range(0..2) {
            0 => register::Input::Read,
            _ => register::Input::Write(few(dice)),
        }
    }

    fn answer(&self, state: &Option<i64>, input: &register::Input, dice: Option<&mut Pcg64Mcg>) -> register::Output {
        match input {
            register::Input::Read => register::Output::Value(dice.map_or(*state, |dice| Some(few(dice)))),
            register::Input::Write(_) => register::Output::Written,
        }
    }
}

impl Sample for cas_register::CasRegister {
    fn ask(&self, dice: &mut Pcg64Mcg) -> cas_register::Input {
        match dice.random_range(0..4) {
            0 => cas_register::Input::Read,
            1 => cas_register::Input::Write(few(dice)),
            _ => cas_register::Input::Cas(few(dice), few(dice)),
        }
    }

    fn answer(
        &self,
        state: &Option<i64>,
        input: &cas_register::Input,
        dice: Option<&mut Pcg64Mcg>,
    ) -> cas_register::Output {
        match input {
            cas_register::Input::Read => cas_register::Output::Value(dice.map_or(*state, |dice| Some(few(dice)))),
            cas_register::Input::Write(_) => cas_register::Output::Written,
            cas_register::Input::Cas(from, _) => {
                let swapped = *state == Some(*from);
                cas_register::Output::Swapped(dice.map_or(swapped, |_| !swapped))
            }
        }
    }
}

impl Sample for key_value::KeyValue {
    fn ask(&self, dice: &mut Pcg64Mcg) -> key_value::Input {
        let value = ["a", "b", "ab"][dice.random_range(0..3)].to_owned();
        let action = match dice.random_range(0..5) {
            0 => key_value::Action::Put(value),
            1 | 2 => key_value::Action::Append(value),
            _ => key_value::Action::Get,
        };
        key_value::Input { key: dice.random_range(0..5) / 4, action }
    }

    fn answer(&self, state: &String, input: &key_value::Input, dice: Option<&mut Pcg64Mcg>) -> key_value::Output {
        match (&input.action, dice) {
            (key_value::Action::Get, None) => key_value::Output::Got(state.clone()),
            (key_value::Action::Get, Some(dice)) => {
                key_value::Output::Got(["", "a", "ab", "b", "aab"][dice.random_range(0..5)].to_owned())
            }
            _ => key_value::Output::Stored,
        }
    }
}

impl Sample for set::Set {
    fn ask(&self, dice: &mut Pcg64Mcg) -> set::Input {
        match dice.random_range(0..6) {
            0 | 1 => set::Input::Add(few(dice)),
            2 => set::Input::Remove(few(dice)),
            3 | 4 => set::Input::Contains(few(dice)),
            _ => set::Input::Read,
        }
    }

    fn answer(
        &self,
        state: &std::collections::BTreeSet<i64>,
        input: &set::Input,
        dice: Option<&mut Pcg64Mcg>,
    ) -> set::Output {
        match (input, dice) {
            (set::Input::Contains(value), wrong) => set::Output::Is(state.contains(value) != wrong.is_some()),
            (set::Input::Read, None) => set::Output::All(state.clone()),
            (set::Input::Read, Some(dice)) => {
                set::Output::All((0..dice.random_range(0..3)).map(|_| few(dice)).collect())
            }
            _ => set::Output::Done,
        }
    }
}

impl Sample for queue::Queue {
    fn ask(&self, dice: &mut Pcg64Mcg) -> queue::Input {
        match dice.random_range(0..2) {
            0 => queue::Input::Enqueue(few(dice)),
            _ => queue::Input::Dequeue,
        }
    }

    fn answer(
        &self,
        state: &std::collections::VecDeque<i64>,
        input: &queue::Input,
        dice: Option<&mut Pcg64Mcg>,
    ) -> queue::Output {
        let front = state.front().copied();
        match input {
            queue::Input::Enqueue(_) => queue::Output::Enqueued,
            queue::Input::Dequeue => queue::Output::Dequeued(dice.map_or(front, |dice| Some(few(dice)))),
        }
    }
}

impl Sample for log::Log {
    fn ask(&self, dice: &mut Pcg64Mcg) -> log::Input {
        match dice.random_range(0..4) {
            0 | 1 => log::Input::Append(few(dice)),
            2 => log::Input::Read(dice.random_range(0..3)),
            _ => log::Input::End,
        }
    }

    fn answer(&self, state: &Vec<i64>, input: &log::Input, dice: Option<&mut Pcg64Mcg>) -> log::Output {
        let near = |n: u64, dice: Option<&mut Pcg64Mcg>| dice.map_or(n, |dice| dice.random_range(0..4));
        match input {
            log::Input::Append(_) => log::Output::At(near(state.len() as u64, dice)),
            log::Input::End => log::Output::Length(near(state.len() as u64, dice)),
            log::Input::Read(from) => match (dice, state.get(*from as usize..)) {
                (Some(dice), _) => log::Output::Values(vec![few(dice)]),
                (None, values) => log::Output::Values(values.unwrap_or(&[]).to_vec()),
            },
        }
    }
}

impl Sample for lock::Lock {
    fn ask(&self, dice: &mut Pcg64Mcg) -> lock::Input {
        match dice.random_range(0..2) {
            0 => lock::Input::Acquire(few(dice)),
            _ => lock::Input::Release(few(dice)),
        }
    }

    fn answer(&self, state: &Option<i64>, input: &lock::Input, dice: Option<&mut Pcg64Mcg>) -> lock::Output {
        let possible = match input {
            lock::Input::Acquire(_) => state.is_none(),
            lock::Input::Release(owner) => *state == Some(*owner),
        };
        if possible != dice.is_some() { lock::Output::Granted } else { lock::Output::Refused }
    }
}

impl Sample for multi_register::MultiRegister {
    fn ask(&self, dice: &mut Pcg64Mcg) -> Vec<multi_register::Access> {
        let access = |dice: &mut Pcg64Mcg| match dice.random_range(0..2) {
            0 => multi_register::Access::Read(dice.random_range(0..2)),
            _ => multi_register::Access::Write(dice.random_range(0..2), few(dice)),
        };
        (0..2).map(|_| access(dice)).collect()
    }

    fn answer(
        &self,
        state: &Self::State,
        input: &Vec<multi_register::Access>,
        mut dice: Option<&mut Pcg64Mcg>,
    ) -> Vec<Option<i64>> {
        let (mut state, mut answers) = (state.clone(), Vec::new());
        for access in input {
            match *access {
                multi_register::Access::Write(register, value) => _ = state.insert(register, value),
                multi_register::Access::Read(register) => {
                    let right = *state.entry(register).or_insert(0);
                    answers.push(Some(dice.as_mut().map_or(right, |dice| few(dice))));
                }
            }
        }
        answers
    }
}
