//! Real time in linear size: instead of an edge for every pair, a chain of barriers.
//!
//! A transaction points to the first barrier after its return, each barrier to the next, and the last barrier before an
//! invocation to the transaction invoked. A path through barriers is one dependency in real time. Equal times are
//! concurrent. A barrier that no invocation separates from the one before is not made.

use super::edges::{Dependency, Edge};
use super::transaction::{Status, Transaction};

/// Adds the edges of real time between the transactions that happened; barriers are numbered from `transactions.len()`.
/// Returns the number of nodes, barriers included.
pub(super) fn barriers(transactions: &[Transaction], happened: &[bool], edges: &mut Vec<Edge>) -> u32 {
    let taking_part = || (0u32..).zip(transactions).filter(|(txn, _)| happened[*txn as usize]);
    let mut calls: Vec<(u64, u32)> = taking_part().map(|(txn, t)| (t.invoked.0, txn)).collect();
    let over = taking_part().filter(|(_, t)| t.status == Status::Committed);
    let mut returns: Vec<(u64, u32)> =
        over.filter_map(|(txn, t)| Some((t.returned?.0.max(t.invoked.0), txn))).collect();
    calls.sort_unstable();
    returns.sort_unstable();
    let mut returns = returns.into_iter().peekable();
    let (mut barrier, mut fresh) = (transactions.len() as u32, true);
    let mut rt = |from, to| edges.push(Edge { from, to, kind: Dependency::Rt });
    let mut any = false;
    for (called, txn) in calls {
        while let Some((_, done)) = returns.next_if(|(returned, _)| *returned < called) {
            if !fresh {
                rt(barrier, barrier + 1);
                barrier += 1;
                fresh = true;
            }
            rt(done, barrier);
            any = true;
        }
        if any {
            rt(barrier, txn);
            fresh = false;
        }
    }
    barrier + 1
}
