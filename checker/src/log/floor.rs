//! The dual of `bounds` for events that come in the order of time: one number, and a stamp for each open operation.
//!
//! The floor is the greatest length proven by replies so far. An operation is stamped with it when invoked and judged
//! against its stamp when it returns: it may not admit less. Feed invocations before replies of the same instant
//! (intervals are closed). **Invariant:** the same verdict as `bounds` on the same operations.

/// The floor as it stood when an operation was invoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp(i64);

/// The greatest length proven so far.
#[derive(Clone, Copy, Default, Debug)]
pub struct Floor(i64);

impl Floor {
    /// Stamps an operation that is invoked now.
    pub fn invoked(&self) -> Stamp {
        Stamp(self.0)
    }

    /// Takes the reply of an operation that proves a length of `at_least`.
    pub fn returned(&mut self, at_least: i64) {
        self.0 = self.0.max(at_least);
    }
}

impl Stamp {
    /// Whether an operation stamped so may admit a length of at most `at_most`.
    pub fn admits(self, at_most: i64) -> bool {
        at_most >= self.0
    }
}
