//! The refuter: one pass that finds an operation nothing could have made possible.

use super::model::Model;
use super::outcome::Refutation;
use super::plan::{NONE, Plan};

/// An operation that is not reachable from the initial state and returned before anything that renews what it wants was
/// called.
pub(super) fn refute<M: Model>(plan: &Plan<'_, M>) -> Option<Refutation> {
    let initial = plan.model.initial();
    plan.required.iter().find_map(|required| {
        let class = &plan.classes[required.class as usize];
        if class.wants == NONE || plan.model.reachable(&initial, class.input, class.output) {
            return None;
        }
        let label = &plan.labels[class.wants as usize];
        let optional = label.optional_renewers.iter().filter_map(|at| plan.optional[*at as usize].copies.first());
        let renewer = label.renewers.first().map(|(call, rank)| (*call, plan.required[*rank as usize].op));
        let first = optional.copied().chain(renewer).min();
        match first {
            Some((call, _)) if call <= required.ret => None,
            first => Some(Refutation::NeverPossible {
                operation: required.op as usize,
                too_late: first.map(|(_, op)| op as usize),
            }),
        }
    })
}
