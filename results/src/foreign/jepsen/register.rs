//! Jepsen's registers: `:read`, `:write` and `:cas`, one register or many under independent keys.
//!
//! ```text
//! {:f :write, :value 3}            {:f :cas, :value [3 4]}          {:f :read, :value 4}
//! {:f :write, :value [k 3]}        {:f :cas, :value [k [3 4]]}      {:f :read, :value [k 4]}
//! ```
//! A `:fail` did not happen: it says nothing of the value found (its cause may be another), so it is left out, as Knossos
//! does. Values are numbered as they appear; a register holds nil at first.

use super::Operation;
use super::kafka::shortened;
use super::numbered::Numbered;
use crate::foreign::edn::Edn;
use crate::foreign::error::ReadError;
use crate::foreign::registers::{Register, RegisterHistory};
use checker::search::Operation as Searched;
use checker::search::models::cas_register::{Input, Output};
use history::Outcome;
use std::collections::HashMap;

/// See the module.
#[derive(Default)]
pub(super) struct Registers {
    registers: Vec<Register>,
    keys: HashMap<Box<str>, usize>,
    values: Numbered,
    keyed: Option<bool>,
}

impl Registers {
    pub(super) fn finish(self, notes: Vec<String>) -> RegisterHistory {
        RegisterHistory { registers: self.registers, values: self.values.names, notes }
    }

    pub(super) fn take(&mut self, op: &Operation) -> Result<bool, ReadError> {
        if !matches!(&*op.f, "read" | "write" | "cas") {
            return Ok(false);
        }
        let (key, asked, answered) = self.parts(op)?;
        let not_understood = || op.fault(format!("not a value of :{}: {}", op.f, shortened(&op.asked)));
        let input = match (&*op.f, asked) {
            ("read", _) => Input::Read,
            ("write", value) => Input::Write(self.value(value)),
            (_, Edn::Seq(pair)) => match &pair[..] {
                [from, to] => Input::Cas(self.value(from), self.value(to)),
                _ => return Err(not_understood()),
            },
            _ => return Err(not_understood()),
        };
        let output = match input {
            _ if op.outcome != Outcome::Ok => None,
            Input::Read if *answered == Edn::Nil => Some(Output::Value(None)),
            Input::Read => Some(Output::Value(Some(self.value(answered)))),
            Input::Write(_) => Some(Output::Written),
            Input::Cas(..) => Some(Output::Swapped(true)),
        };
        if op.outcome == Outcome::Fail {
            return Ok(true);
        }
        let process = u32::try_from(op.process).unwrap_or(u32::MAX);
        let ret = output.map(|_| op.completed.0);
        let register = self.register(key);
        self.registers[register].operations.push(Searched { process, call: op.invoked.0, ret, input, output });
        Ok(true)
    }

    /// The register's name, and the invocation's and the completion's value without it.
    fn parts<'a>(&mut self, op: &'a Operation) -> Result<(String, &'a Edn, &'a Edn), ReadError> {
        let pair = |value: &'a Edn| match value {
            Edn::Seq(pair) if pair.len() == 2 => Some((&pair[0], &pair[1])),
            _ => None,
        };
        if self.keyed.is_none() {
            self.keyed = match &*op.f {
                "cas" => pair(&op.asked).map(|(_, rest)| pair(rest).is_some()),
                "write" => Some(pair(&op.asked).is_some()),
                _ => pair(&op.asked).map(|_| true),
            };
        }
        if self.keyed != Some(true) {
            return Ok(("the register".into(), &op.asked, &op.answered));
        }
        let no_key = || op.fault(format!("an operation without a key among others with one: {}", shortened(&op.asked)));
        let (key, asked) = pair(&op.asked).ok_or_else(no_key)?;
        let answered = pair(&op.answered).map_or(&op.answered, |(_, answered)| answered);
        Ok((format!("register {key}"), asked, answered))
    }

    fn register(&mut self, name: String) -> usize {
        let next = self.registers.len();
        let at = *self.keys.entry(name.as_str().into()).or_insert(next);
        if at == next {
            self.registers.push(Register { name, operations: Vec::new() });
        }
        at
    }

    fn value(&mut self, value: &Edn) -> i64 {
        self.values.number(value) as i64
    }
}
