//! Registers whose writes carry unique values, judged by zones: sound, complete, O(n log n).
//!
//! For each value let *f* be the earliest return and *s* the latest call among its write and reads. If f < s the value must
//! have been the register's from f to s (a *forward* zone); otherwise it need only have been for a moment between s and f (a
//! *backward* zone). The accesses can be put in order iff no read returned before its write was called, no two forward
//! zones overlap, and no backward zone lies inside a forward one (Gibbons & Korach 1997; Golab, Li & Shah 2011).
//!
//! ```text
//! x   |write|                 |read|      forward zone of x:  f=======s
//! y            |write|                    inside it: x was read when y had replaced it
//! ```
//!
//! **Invariants:** every violation names two to four accesses that contradict each other on their own. Intervals are
//! closed. A write without a reply may have happened at any time since its call, or never; a read without one says nothing.
//!
//! Deliberately absent: values written twice. They are named, and are for [`crate::search`].

mod sweep;

#[cfg(test)]
mod tests;

pub use sweep::check;

/// What an access did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// Gave the register its value.
    Write,
    /// Found the value there.
    Read,
}

/// One access to the register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// What it did.
    pub action: Action,
    /// The value written or found.
    pub value: u64,
    /// When it was called, any unit.
    pub call: u64,
    /// When it returned, in the same unit; `None` if it never did.
    pub ret: Option<u64>,
}

/// Why the accesses cannot be put in order. Accesses are named by their place in the input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Violation {
    /// Two writes of one value: zones cannot judge it, and nothing else is said of that value.
    WrittenTwice {
        /// The one called first.
        first: usize,
        /// The other.
        second: usize,
    },
    /// A read of a value that nobody wrote and that was not there at first.
    NeverWritten {
        /// The read.
        read: usize,
    },
    /// A read that returned before the write of its value was called.
    ReadBeforeWrite {
        /// The read.
        read: usize,
        /// The write.
        write: usize,
    },
    /// A value that was there before and after another one.
    Returned {
        /// The value that cannot have been there all the time.
        value: Span,
        /// The other one, there at some time in between.
        other: Span,
    },
}

/// A value's witnesses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Span {
    /// The access that returned first; `None`: the register had the value at first.
    pub early: Option<usize>,
    /// The access that was called last; `None`: nothing but the initial value.
    pub late: Option<usize>,
}

impl Violation {
    /// The accesses that prove it, each once, by rising place.
    pub fn accesses(&self) -> Vec<usize> {
        let all = match *self {
            Violation::WrittenTwice { first, second } => [Some(first), Some(second), None, None],
            Violation::NeverWritten { read } => [Some(read), None, None, None],
            Violation::ReadBeforeWrite { read, write } => [Some(read), Some(write), None, None],
            Violation::Returned { value, other } => [value.early, value.late, other.early, other.late],
        };
        let mut accesses: Vec<usize> = all.into_iter().flatten().collect();
        accesses.sort_unstable();
        accesses.dedup();
        accesses
    }
}
