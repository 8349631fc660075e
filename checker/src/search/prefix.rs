//! The longest linearizable prefix of a key's history, exactly: where a refuted history went wrong.
//!
//! The prefix up to a return is what was known then: operations not yet returned are optional. Prefixes of a linearizable
//! history are linearizable, so the first bad return is found by halving.

use super::check::check;
use super::model::{Model, Operation};
use super::outcome::{Budget, Partition, Progress, Verdict};

/// The longest prefix of the operations on `key` that can be put in order, and in [`Progress::stuck`] the operation whose
/// return makes it too long, first, with the others open at that time that the order does not use. `None` if the whole
/// history can be ordered, or if the budget (of each of the some twenty searches) did not suffice to know.
pub fn longest_prefix<M: Model>(
    model: &M,
    ops: &[Operation<M::Input, M::Output>],
    key: u64,
    budget: &Budget,
) -> Option<Progress> {
    let members: Vec<usize> = (0..ops.len()).filter(|at| model.key(&ops[*at].input) == key).collect();
    let mut returns: Vec<(u64, usize)> = members.iter().filter_map(|at| Some((ops[*at].ret?, *at))).collect();
    returns.sort_unstable();
    let (mut good, mut bad) = (0, returns.len() + 1);
    let mut order = Vec::new();
    while bad - good > 1 {
        let count = good + (bad - good) / 2;
        let (prefix, places) = cut(ops, &members, &returns[..count]);
        let outcome = check(model, &prefix, budget);
        match (outcome.verdict, outcome.partitions.into_iter().next()) {
            (Verdict::Linearizable, Some(Partition::Linearizable { order: found, .. })) => {
                order = found.into_iter().map(|at| places[at]).collect();
                good = count;
            }
            (Verdict::NotLinearizable { .. }, _) => bad = count,
            _ => return None,
        }
    }
    let (time, culprit) = *returns.get(good)?;
    let open = members.iter().filter(|at| ops[**at].call <= time && ops[**at].ret.is_some_and(|ret| ret >= time));
    let stuck = open.filter(|at| **at != culprit && !order.contains(at)).copied();
    let stuck = std::iter::once(culprit).chain(stuck).collect();
    Some(Progress { prefix: order, placed: good, required: returns.len(), stuck, frontier: 0 })
}

/// The history as known once the operations of `returned` had returned, and each operation's place in the whole one.
fn cut<I: Clone, O: Clone>(
    ops: &[Operation<I, O>],
    members: &[usize],
    returned: &[(u64, usize)],
) -> (Vec<Operation<I, O>>, Vec<usize>) {
    let Some(last) = returned.last() else { return (Vec::new(), Vec::new()) };
    let called = members.iter().copied().filter(|at| ops[*at].call <= last.0);
    let known = |at: usize| ops[at].ret.filter(|ret| (*ret, at) <= *last);
    called.map(|at| (Operation { ret: known(at), ..ops[at].clone() }, at)).unzip()
}
