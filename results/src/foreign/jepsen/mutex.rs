//! Jepsen's locks: `:acquire` and `:release`, one lock that is free at first.
//!
//! ```text
//! {:f :acquire}      takes it, if it is free
//! {:f :release}      gives it back, if it is held
//! ```
//! A lock is a register of two values that is never read: acquiring it is a compare-and-set from free to held, and releasing
//! it one from held to free. **Invariant:** a `:fail` did not happen and says nothing, as for [`super::register`].

use super::Operation;
use crate::foreign::registers::{Register, RegisterHistory};
use checker::search::Operation as Searched;
use checker::search::models::cas_register::{Input, Output};
use history::Outcome;

const FREE: i64 = 0;
const HELD: i64 = 1;

/// See the module.
#[derive(Default)]
pub(super) struct Mutex {
    operations: Vec<Searched<Input, Output>>,
}

impl Mutex {
    pub(super) fn finish(mut self, notes: Vec<String>) -> RegisterHistory {
        let free = Searched {
            process: u32::MAX,
            call: 0,
            ret: Some(0),
            input: Input::Write(FREE),
            output: Some(Output::Written),
        };
        self.operations.insert(0, free);
        let values = ["free", "held"].map(Box::from).to_vec();
        let registers = vec![Register { name: "the lock".into(), operations: self.operations }];
        RegisterHistory { registers, values, notes }
    }

    /// False if the operation is none of a lock's.
    pub(super) fn take(&mut self, op: &Operation) -> bool {
        let input = match &*op.f {
            "acquire" => Input::Cas(FREE, HELD),
            "release" => Input::Cas(HELD, FREE),
            _ => return false,
        };
        if op.outcome != Outcome::Fail {
            let done = op.outcome == Outcome::Ok;
            let (output, ret) = (done.then_some(Output::Swapped(true)), done.then_some(op.completed.0));
            let process = u32::try_from(op.process).unwrap_or(u32::MAX);
            self.operations.push(Searched { process, call: op.invoked.0, ret, input, output });
        }
        true
    }
}
