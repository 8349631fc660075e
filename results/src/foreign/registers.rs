//! A foreign history of registers, as it is read.

use checker::search::Operation;
use checker::search::models::cas_register::{Input, Output};
use checker::search::models::multi_register::Access;

/// One register and what was done to it.
#[derive(Debug)]
pub struct Register {
    /// As printed.
    pub name: String,
    /// Operations; values are places in [`RegisterHistory::values`], where there are any.
    pub operations: Vec<Operation<Input, Output>>,
}

/// Registers, each an object of its own.
#[derive(Debug, Default)]
pub struct RegisterHistory {
    /// They.
    pub registers: Vec<Register>,
    /// Names of values; empty where values are numbers.
    pub values: Vec<Box<str>>,
    /// What the reader of the verdict must know of the file.
    pub notes: Vec<String>,
}

impl RegisterHistory {
    /// A value as the file has it.
    pub fn value(&self, value: i64) -> String {
        let name = usize::try_from(value).ok().and_then(|at| self.values.get(at));
        name.map_or_else(|| value.to_string(), ToString::to_string)
    }
}

/// Transactions over registers that are one object together.
#[derive(Debug, Default)]
pub struct MultiRegisterHistory {
    /// They; values are places in [`MultiRegisterHistory::values`].
    pub operations: Vec<Operation<Vec<Access>, Vec<Option<i64>>>>,
    /// Names of registers.
    pub registers: Vec<Box<str>>,
    /// Names of values.
    pub values: Vec<Box<str>>,
    /// What the reader of the verdict must know of the file.
    pub notes: Vec<String>,
}
