//! Transactions over registers: linearizability of all of them together, by the general search.

use super::Parts;
use super::search::{self, Describe, NODES_MAX};
use crate::foreign::finding::Held;
use crate::foreign::registers::MultiRegisterHistory;
use checker::search::Operation;
use checker::search::models::multi_register::{Access, MultiRegister};
use std::collections::HashSet;

impl MultiRegisterHistory {
    fn register(&self, number: u32) -> &str {
        self.registers.get(number as usize).map_or("?", |name| name)
    }

    fn value(&self, value: Option<i64>) -> &str {
        let name = value.and_then(|value| self.values.get(usize::try_from(value).ok()?));
        name.map_or("nil", |name| name)
    }
}

impl Describe<MultiRegister> for MultiRegisterHistory {
    fn what(&self, input: &Vec<Access>, output: Option<&Vec<Option<i64>>>) -> String {
        let mut answers = output.into_iter().flatten();
        let step = |access: &Access| match *access {
            Access::Read(register) => match answers.next() {
                Some(read) => format!("read {} of {}", self.value(*read), self.register(register)),
                None => format!("read of {}", self.register(register)),
            },
            Access::Write(register, value) => {
                format!("write {} to {}", self.value(Some(value)), self.register(register))
            }
        };
        format!("transaction ({})", input.iter().map(step).collect::<Vec<_>>().join(", "))
    }

    fn object(&self, _: u64) -> String {
        "the registers".into()
    }
}

/// Judges them. A state has every register, so that the more there are, the fewer configurations may be visited.
pub(super) fn judge(history: &MultiRegisterHistory) -> Parts {
    let operations = &history.operations;
    let mut nodes = NODES_MAX / (history.registers.len() as u64).max(1);
    let finding = search::judge(&MultiRegister, operations, history, &mut nodes);
    let held = held(history);
    let short_of = (held.read == 0).then(|| "nothing was read".into());
    let (findings, short_of) = (finding.into_iter().collect(), short_of.into_iter().collect());
    Parts { held, findings, short_of, notes: history.notes.clone(), ..Parts::default() }
}

fn held(history: &MultiRegisterHistory) -> Held {
    let operations = &history.operations;
    let reads = |op: &Operation<Vec<Access>, Vec<Option<i64>>>| op.output.iter().flatten().flatten().count() as u64;
    let writes = |access: &Access| matches!(access, Access::Write(..));
    Held {
        operations: operations.len() as u64,
        objects: history.registers.len() as u64,
        processes: operations.iter().map(|op| op.process).collect::<HashSet<_>>().len() as u64,
        acked: operations.iter().filter(|op| op.ret.is_some() && op.input.iter().any(writes)).count() as u64,
        failed: 0,
        unknown: operations.iter().filter(|op| op.ret.is_none()).count() as u64,
        read: operations.iter().map(reads).sum(),
    }
}
