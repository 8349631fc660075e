//! Knossos's multi-register: transactions that read and write registers by name.
//!
//! ```text
//! {:f :txn, :value [[:read :x nil] [:write :y 2]]}      and in the completion      [[:read :x 0] [:write :y 2]]
//! ```
//! A `:fail` did not happen. What a register holds at first is not in the file, and is taken for whatever fits.
//! Deliberately absent: `:r` and `:w`, in which Jepsen writes transactions that need not be linearizable.

use super::Operation;
use super::kafka::shortened;
use super::numbered::Numbered;
use crate::foreign::edn::Edn;
use crate::foreign::error::ReadError;
use crate::foreign::registers::MultiRegisterHistory;
use checker::search::Operation as Searched;
use checker::search::models::multi_register::Access;
use history::Outcome;

/// Most registers of one file: together they are one object, and each state of it has them all.
pub const REGISTERS_MAX: usize = 1024;

/// See the module.
#[derive(Default)]
pub(super) struct MultiRegister {
    operations: Vec<Searched<Vec<Access>, Vec<Option<i64>>>>,
    registers: Numbered,
    values: Numbered,
}

/// Whether a transaction's step is one of these.
pub(super) fn is_step(name: &str) -> bool {
    matches!(name, "read" | "write")
}

impl MultiRegister {
    pub(super) fn finish(self, notes: Vec<String>) -> MultiRegisterHistory {
        let (registers, values) = (self.registers.names, self.values.names);
        MultiRegisterHistory { operations: self.operations, registers, values, notes }
    }

    /// False if the operation is none of these.
    pub(super) fn take(&mut self, op: &Operation) -> Result<bool, ReadError> {
        if &*op.f != "txn" {
            return Ok(false);
        }
        if op.outcome == Outcome::Fail {
            return Ok(true);
        }
        let told = op.outcome == Outcome::Ok;
        let members = if told { op.members() } else { op.asked.members() };
        let steps = members.ok_or_else(|| op.fault("the :value must be a list of reads and writes"))?;
        let (mut input, mut reads) = (Vec::with_capacity(steps.len()), Vec::new());
        for step in steps {
            let access = self.access(op, step, &mut reads)?;
            input.push(access);
        }
        if self.registers.names.len() > REGISTERS_MAX {
            return Err(op.fault(format!("more than {REGISTERS_MAX} registers in one history of transactions")));
        }
        let process = u32::try_from(op.process).unwrap_or(u32::MAX);
        let (ret, output) = (told.then_some(op.completed.0), told.then_some(reads));
        self.operations.push(Searched { process, call: op.invoked.0, ret, input, output });
        Ok(true)
    }

    fn access(&mut self, op: &Operation, step: &Edn, reads: &mut Vec<Option<i64>>) -> Result<Access, ReadError> {
        let not_understood = || op.fault(format!("neither a read nor a write: {}", shortened(step)));
        let [name, register, value] = step.members().unwrap_or(&[]) else { return Err(not_understood()) };
        let number = self.registers.number(register) as u32;
        match name.keyword() {
            Some("write") => Ok(Access::Write(number, self.values.number(value) as i64)),
            Some("read") => {
                reads.push((*value != Edn::Nil).then(|| self.values.number(value) as i64));
                Ok(Access::Read(number))
            }
            _ => Err(not_understood()),
        }
    }
}
