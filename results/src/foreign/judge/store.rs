//! Stores of strings: linearizability by the general search.

use super::Parts;
use super::search::{self, Describe, NODES_MAX};
use crate::foreign::finding::Held;
use checker::search::Operation;
use checker::search::models::key_value::{Action, Input, KeyValue, Output};
use std::collections::HashSet;

struct Words;

impl Describe<KeyValue> for Words {
    fn what(&self, input: &Input, output: Option<&Output>) -> String {
        match (&input.action, output) {
            (Action::Get, Some(Output::Got(got))) => format!("get of {got:?}"),
            (Action::Get, _) => "get".into(),
            (Action::Put(value), _) => format!("put of {value:?}"),
            (Action::Append(value), _) => format!("append of {value:?}"),
        }
    }

    fn object(&self, key: u64) -> String {
        format!("key no. {} of the file", key.saturating_add(1))
    }
}

/// Judges a store.
pub(super) fn judge(operations: &[Operation<Input, Output>]) -> Parts {
    let finding = search::judge(&KeyValue, operations, &Words, &mut NODES_MAX.clone());
    let answered = |get: bool| {
        let is_get = move |op: &&Operation<Input, Output>| (op.input.action == Action::Get) == get && op.ret.is_some();
        operations.iter().filter(is_get).count() as u64
    };
    let held = Held {
        operations: operations.len() as u64,
        objects: operations.iter().map(|op| op.input.key).collect::<HashSet<_>>().len() as u64,
        processes: operations.iter().map(|op| op.process).collect::<HashSet<_>>().len() as u64,
        acked: answered(false),
        failed: 0,
        unknown: operations.iter().filter(|op| op.ret.is_none()).count() as u64,
        read: answered(true),
    };
    let mut short_of = Vec::new();
    if held.read == 0 {
        short_of.push("nothing was read".into());
    }
    Parts { held, findings: finding.into_iter().collect(), short_of, ..Parts::default() }
}
