//! Linearizability of a log in one scan: sound, complete, indifferent to order, 16 bytes an offset.
//!
//! Each reply gives two numbers: a length that surely existed when it came (*at least*), and the greatest that may have
//! existed when it was asked for (*at most*). Let `L[i]` be the latest invocation that claims a length of at most `i`,
//! and `U[i]` the earliest reply that proves more than `i`. The history is linearizable iff no `L[i] > U[j]` with
//! `i <= j` (`checking.md` B4.2: commit points of the offsets must rise, and 1-D Helly). A contradiction is therefore
//! always a pair: a reply proved more than `j`, and later an operation was invoked that admits at most `i <= j`.
//!
//! Deliberately absent: contents (`contents`), and which operations they were (`inquiry` fetches the pair). A batch is
//! taken as records of one append: its atomicity is not used, which is sound.

use crate::log::effect::Effect;
use crate::log::sparse::Sparse;
use history::Nanos;

/// `L` and `U` of one offset. `U` is kept inverted, so that nothing known is zero in both.
type Bound = [u64; 2];
const LATEST: usize = 0;
const EARLIEST: usize = 1;

/// See the module.
#[derive(Clone, Default, Debug)]
pub struct Bounds {
    cells: Sparse<Bound>,
    proven: i64,
}

/// A contradiction: some reply at `since` proved more than `low`; some operation invoked later admits at most `high`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stale {
    /// The greatest length admitted.
    pub high: i64,
    /// The offset proven to exist, at least `high`.
    pub low: i64,
    /// When it was proven.
    pub since: Nanos,
}

impl Bounds {
    /// An operation invoked at `invoked` admits a length of at most `length`.
    #[inline]
    pub fn at_most(&mut self, length: i64, invoked: Nanos) {
        if (0..i64::MAX).contains(&length) {
            let cell = self.cells.entry(length as u64);
            cell[LATEST] = cell[LATEST].max(invoked.0);
        }
    }

    /// A reply at `returned` proves a length of at least `length`.
    #[inline]
    pub fn at_least(&mut self, length: i64, returned: Nanos) {
        if length > 0 {
            self.proven = self.proven.max(length);
            let cell = self.cells.entry(length as u64 - 1);
            cell[EARLIEST] = cell[EARLIEST].max(!returned.0);
        }
    }

    /// What an operation says, which nearly always concerns one offset.
    #[inline]
    pub fn take(&mut self, effect: Effect, invoked: Nanos, returned: Nanos) {
        let Effect { at_least, at_most } = effect;
        let (least, most) = (at_least > 0, at_most != Effect::ANY);
        if least & most & (at_most != at_least - 1) {
            self.at_least(at_least, returned);
            self.at_most(at_most, invoked);
        } else if least | most {
            self.proven = self.proven.max(at_least);
            let cell = self.cells.entry(if least { at_least - 1 } else { at_most } as u64);
            cell[LATEST] = cell[LATEST].max(if most { invoked.0 } else { 0 });
            cell[EARLIEST] = cell[EARLIEST].max(if least { !returned.0 } else { 0 });
        }
    }

    /// The greatest length any reply proved.
    pub fn proven(&self) -> i64 {
        self.proven
    }

    /// Every length that is admitted too late, rising, each with the earliest proof against it.
    pub fn contradictions(&self) -> Vec<Stale> {
        let (mut found, mut earliest, mut low) = (Vec::new(), 0, 0);
        self.cells.each_falling(|position, cell| {
            if cell[EARLIEST] > earliest {
                (earliest, low) = (cell[EARLIEST], position as i64);
            }
            if cell[LATEST] > !earliest {
                found.push(Stale { high: position as i64, low, since: Nanos(!earliest) });
            }
        });
        found.reverse();
        found
    }

    /// The earliest proof that `offset` exists.
    pub fn proof_of(&self, offset: i64) -> Option<Stale> {
        let later = self.cells.rising_from(offset.max(0) as u64).filter(|c| c.1[EARLIEST] != 0);
        let first = later.max_by_key(|c| (c.1[EARLIEST], std::cmp::Reverse(c.0)))?;
        Some(Stale { high: offset, low: first.0 as i64, since: Nanos(!first.1[EARLIEST]) })
    }

    /// Takes the bounds of another shard.
    pub fn merge(&mut self, other: &Bounds) {
        self.proven = self.proven.max(other.proven);
        self.cells.merge(&other.cells, |mine, theirs| {
            mine[LATEST] = mine[LATEST].max(theirs[LATEST]);
            mine[EARLIEST] = mine[EARLIEST].max(theirs[EARLIEST]);
        });
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.cells.bytes()
    }
}
