//! What the general search says of one object, in words.

use crate::foreign::finding::{Evidence, ForeignFinding, Standing};
use checker::search::{Budget, Model, Operation, Partition, Refutation, Verdict, check, longest_prefix};
use history::Outcome;

/// Operations shown of those that cannot be placed.
const STUCK_MAX: usize = 8;
/// Configurations that all searches of a file may visit together.
pub(super) const NODES_MAX: u64 = 50_000_000;

/// How a model's operations are called.
pub(super) trait Describe<M: Model> {
    /// What was asked and answered.
    fn what(&self, input: &M::Input, output: Option<&M::Output>) -> String;

    /// The object of a key.
    fn object(&self, key: u64) -> String;
}

/// Judges operations; takes what it visits from `nodes`.
pub(super) fn judge<M: Model>(
    model: &M,
    operations: &[Operation<M::Input, M::Output>],
    describe: &impl Describe<M>,
    nodes: &mut u64,
) -> Option<ForeignFinding> {
    let budget = Budget { nodes_max: *nodes, ..Budget::default() };
    let outcome = check(model, operations, &budget);
    *nodes = nodes.saturating_sub(outcome.nodes);
    let shown = |at: &usize| operations.get(*at).map(|op| evidence(op, describe));
    match outcome.verdict {
        Verdict::Linearizable => None,
        Verdict::NotLinearizable { key, refutation } => {
            let (what, places) = match refutation {
                Refutation::NeverPossible { operation, too_late } => {
                    let why = "cannot have been: nothing that could have made it so was called before it returned";
                    (why.to_owned(), std::iter::once(operation).chain(too_late).collect())
                }
                Refutation::Exhausted(progress) => {
                    let progress = longest_prefix(model, operations, key, &budget).unwrap_or(progress);
                    let (placed, required) = (progress.placed, progress.required);
                    let why =
                        format!("cannot be put after the {placed} of {required} operations that can be put in order");
                    let last = progress.prefix.last().copied();
                    (why, progress.stuck.iter().copied().take(STUCK_MAX).chain(last).collect::<Vec<_>>())
                }
            };
            let first =
                places.first().and_then(shown).map_or_else(String::new, |e| format!("{} by {}", e.what, e.process));
            let object = describe.object(key);
            let evidence = places.iter().filter_map(shown).collect();
            let sentence = format!("{object}: {first} {what}");
            Some(ForeignFinding::violation("not-linearizable", sentence, evidence).at(object))
        }
        Verdict::Undecided => Some(undecided(&outcome.partitions, describe)),
    }
}

fn undecided<M: Model>(partitions: &[Partition], describe: &impl Describe<M>) -> ForeignFinding {
    let open = partitions.iter().find_map(|partition| match partition {
        Partition::Undecided { key, progress, .. } => Some((*key, progress.placed, progress.required)),
        _ => None,
    });
    let (key, placed, required) = open.unwrap_or_default();
    let object = describe.object(key);
    let sentence =
        format!("{object}: {placed} of {required} operations were put in order before the search met its limit");
    let mut finding = ForeignFinding::violation("undecided", sentence, Vec::new()).at(object);
    finding.standing = Standing::Undecided { because: "the search met its limit of configurations or memory".into() };
    finding
}

/// An operation as evidence.
pub(super) fn evidence<M: Model>(op: &Operation<M::Input, M::Output>, describe: &impl Describe<M>) -> Evidence {
    let ns = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
    Evidence {
        process: format!("process {}", op.process),
        what: describe.what(&op.input, op.output.as_ref()),
        invoked_ns: ns(op.call),
        returned_ns: op.ret.map(ns),
        outcome: if op.ret.is_some() { Outcome::Ok } else { Outcome::Unknown },
    }
}
