//! The general linearizability search: is there an order of these operations, each between its call and its return,
//! that the model allows?
//!
//! NP-complete (Gibbons & Korach 1997); what has offsets or unique values is better judged by the log scan or by
//! [`crate::zones`]. What is left goes through a depth-first search after Wing & Gong 1993 and Lowe 2017, made bearable:
//!
//! 1. A configuration is (next return, state, live operations already placed, optional operations used): as small as the
//!    concurrency, never as the history (`plan`, `engine`).
//! 2. An operation without a reply is optional. Of two configurations equal but for what they used, the one that used less
//!    stands for both; equal operations are interchangeable (`used`).
//! 3. An operation that is pure in *every* state in which it is legal is placed at once. One that merely leaves the
//!    present state as it is must not be: a write of the current value may be needed later.
//! 4. The earliest return is tried first, optional operations last.
//! 5. A configuration in which a waiting operation has become impossible for good is given up; states that nobody will see
//!    are one, and what leads to nothing else is placed at once (`ahead`).
//! 6. The same test over the whole history refutes many in one pass (`refute`).
//! 7. Keys are separate objects; partitions take turns with doubling budgets, smallest first (`check`).
//! 8. States are interned, transitions remembered (`states`).
//! 9. Visited configurations stand in one open-addressed table, compared exactly (`visited`).
//! 10. An optional operation whose label nobody wants any more is left out, unless somebody minds what he does not want
//!     ([`Model::minds_others`]).
//!
//! **Invariants:** `Linearizable` comes with the order, `NotLinearizable` with the operations that cannot be placed;
//! a search that meets a limit is `Undecided` and says how far it got. No recursion. Intervals are closed: an operation
//! called at the very time another returned is concurrent with it.
//!
//! Deliberately absent: nondeterministic models, and minimising a witness beyond its prefix ([`longest_prefix`]).

mod ahead;
mod check;
mod engine;
mod index;
mod model;
pub mod models;
mod outcome;
mod plan;
mod prefix;
mod refute;
mod states;
pub mod text;
mod used;
mod visited;
mod window;

#[cfg(test)]
mod tests;

pub use check::check;
pub use model::{Model, Operation};
pub use outcome::{Budget, Limit, Outcome, Partition, Progress, Refutation, Verdict};
pub use prefix::longest_prefix;
