//! What was wrong with the cluster at a moment: fault episodes as windows of time.
//!
//! Windows come in as data: this crate knows no fault.

use history::Nanos;
use serde::{Deserialize, Serialize};

/// One fault episode.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Window {
    /// The fault, e.g. `kill-leader`.
    pub name: String,
    /// When it was injected.
    pub from: Nanos,
    /// When the cluster had recovered, or [`Nanos::NEVER`].
    pub to: Nanos,
}

/// Episodes, to be asked which one an operation fell into.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Phases {
    /// By rising start.
    windows: Vec<Window>,
    /// The latest end among the windows up to each one.
    ends: Vec<Nanos>,
}

/// The phase in which no fault is at work.
pub const QUIET: &str = "quiet";

impl Phases {
    /// These episodes, in any order; they may overlap.
    pub fn new(mut windows: Vec<Window>) -> Phases {
        windows.sort_by_key(|window| window.from);
        let mut last = Nanos(0);
        let latest = |window: &Window| {
            last = last.max(window.to);
            last
        };
        let ends = windows.iter().map(latest).collect();
        Phases { windows, ends }
    }

    /// The earliest episode that shares a moment with `[from, to]`.
    pub fn first(&self, from: Nanos, to: Nanos) -> Option<usize> {
        let first = self.ends.partition_point(|end| *end < from);
        self.windows.get(first).filter(|window| window.from <= to).map(|_| first)
    }

    /// Every episode that shares a moment with `[from, to]`, by rising start.
    pub fn all(&self, from: Nanos, to: Nanos) -> impl Iterator<Item = &Window> {
        self.windows.iter().filter(move |window| window.from <= to && window.to >= from)
    }

    /// Every episode, by rising start.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_belongs_to_the_earliest_episode_it_touches() {
        let window = |name: &str, from, to| Window { name: name.into(), from: Nanos(from), to: Nanos(to) };
        let phases = Phases::new(vec![window("c", 50, 60), window("a", 10, 40), window("b", 12, 20)]);
        let table = [
            ((0, 9), None),
            ((0, 10), Some("a")),
            ((15, 15), Some("a")),
            ((21, 30), Some("a")),
            ((41, 49), None),
            ((40, 55), Some("a")),
            ((41, 50), Some("c")),
            ((61, u64::MAX), None),
        ];
        for ((from, to), name) in table {
            let found = phases.first(Nanos(from), Nanos(to)).map(|at| phases.windows()[at].name.as_str());
            assert_eq!(found, name, "{from}–{to}");
            assert_eq!(phases.all(Nanos(from), Nanos(to)).next().map(|window| window.name.as_str()), name);
        }
    }
}
