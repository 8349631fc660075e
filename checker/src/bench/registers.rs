//! One register under clients in a closed loop, each operation taking effect somewhere within its interval, as a benchmark
//! of the general search wants it: five values only, so that no operation is known by its value.

use crate::search::models::register::{Input, Output, Register};
use crate::search::{Budget, Operation, Verdict, check};
use crate::synth::rng::Rng;

const VALUES: u64 = 5;

/// `count` operations of each of `clients` clients, in the order in which they took effect.
pub fn prepare(clients: usize, count: usize) -> Vec<Operation<Input, Output>> {
    let mut rng = Rng::new(clients as u64 ^ count as u64);
    let mut next: Vec<u64> = (0..clients).map(|_| rng.below(1000)).collect();
    let mut drafts = Vec::with_capacity(clients * count);
    for nth in 0..clients * count {
        let client = (0..clients).min_by_key(|client| next[*client]).unwrap_or(0);
        let call = next[client];
        let ret = call + 1 + rng.below(999);
        let write = (rng.below(2) == 0).then(|| rng.below(VALUES) as i64);
        drafts.push((call + rng.below(ret - call + 1), nth, client, call, ret, write));
        next[client] = ret + 1 + rng.below(19);
    }
    drafts.sort_unstable();
    let mut state = 0;
    let took_effect = |(_, _, client, call, ret, write): (u64, usize, usize, u64, u64, Option<i64>)| {
        state = write.unwrap_or(state);
        let (input, output) = match write {
            Some(value) => (Input::Write(value), Output::Written),
            None => (Input::Read, Output::Value(Some(state))),
        };
        Operation { process: client as u32, input, output: Some(output), call, ret: Some(ret) }
    };
    drafts.into_iter().map(took_effect).collect()
}

/// Judges them. True if they are found linearizable, as they are.
pub fn decide(operations: &[Operation<Input, Output>]) -> bool {
    let model = Register { initial: Some(0) };
    check(&model, operations, &Budget::default()).verdict == Verdict::Linearizable
}
