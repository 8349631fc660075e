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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::bounds::Bounds;
    use crate::synth::rng::Rng;
    use history::Nanos;

    /// Whether the floor lets every operation `(invoked, returned, at_least, at_most)` pass.
    fn passes(ops: &[(u64, u64, i64, i64)]) -> bool {
        let mut events: Vec<(u64, bool, usize)> = Vec::new();
        for (i, op) in ops.iter().enumerate() {
            events.extend([(op.0, false, i), (op.1, true, i)]);
        }
        events.sort_unstable();
        let (mut floor, mut stamps, mut passes) = (Floor::default(), vec![Stamp(0); ops.len()], true);
        for (_, returned, i) in events {
            match returned {
                false => stamps[i] = floor.invoked(),
                true => {
                    passes &= stamps[i].admits(ops[i].3);
                    floor.returned(ops[i].2);
                }
            }
        }
        passes
    }

    #[test]
    fn the_floor_and_the_bounds_say_the_same() {
        let mut verdicts = [0, 0];
        for seed in 0..50_000 {
            let mut rng = Rng::new(seed);
            let mut op = || {
                let (invoked, length) = (rng.below(20), rng.below(6) as i64);
                let returned = invoked + rng.below(8);
                let told = [(length, i64::MAX), (0, length), (length, length), (length + 1, length)];
                let (at_least, at_most) = told[rng.below(4) as usize];
                (invoked, returned, at_least, at_most)
            };
            let ops: Vec<_> = (0..6).map(|_| op()).collect();
            let mut bounds = Bounds::default();
            for (invoked, returned, at_least, at_most) in &ops {
                bounds.at_least(*at_least, Nanos(*returned));
                bounds.at_most(*at_most, Nanos(*invoked));
            }
            let passes = passes(&ops);
            assert_eq!(bounds.contradictions().is_empty(), passes, "seed {seed}: {ops:?}");
            verdicts[usize::from(passes)] += 1;
        }
        assert!(verdicts.iter().all(|n| *n > 5_000), "{verdicts:?}");
    }
}
