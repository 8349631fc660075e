//! What the search found, or how far it got.

/// Limits of one search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Most configurations visited, over all keys.
    pub nodes_max: u64,
    /// Most memory at a time, bytes, over all keys.
    pub bytes_max: usize,
}

impl Default for Budget {
    /// Twenty million configurations, one gibibyte.
    fn default() -> Budget {
        Budget { nodes_max: 20_000_000, bytes_max: 1 << 30 }
    }
}

/// What a search ran into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// [`Budget::nodes_max`].
    Nodes,
    /// [`Budget::bytes_max`].
    Bytes,
    /// More operations open at one time than a configuration holds.
    Concurrency,
}

/// The verdict over all keys. Operations are named by their place in the input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// There is an order for every key.
    Linearizable,
    /// There is none for this key.
    NotLinearizable {
        /// The key.
        key: u64,
        /// Why.
        refutation: Refutation,
    },
    /// No key is refuted, and some were not decided.
    Undecided,
}

/// Why there is no order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refutation {
    /// Nothing that could have made the operation legal was called before it returned.
    NeverPossible {
        /// The operation.
        operation: usize,
        /// The first to be called of those that could have, if any.
        too_late: Option<usize>,
    },
    /// Every order was tried.
    Exhausted(Progress),
}

/// The longest way the search went: a linearizable prefix, and where it ended. The search leaves a way as soon as it is
/// doomed, so this is a lower bound; [`super::longest_prefix`] gives the exact one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// The longest linearizable prefix, in an order that the model allows; optional operations only where used.
    pub prefix: Vec<usize>,
    /// Operations with a reply that it places, pure ones included.
    pub placed: usize,
    /// Operations with a reply in all.
    pub required: usize,
    /// Operations with a reply that had been called and were not placed, the earliest return first.
    pub stuck: Vec<usize>,
    /// Configurations still to be tried when the search stopped.
    pub frontier: usize,
}

/// What became of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Partition {
    /// An order the model allows.
    Linearizable {
        /// The key.
        key: u64,
        /// The operations in that order; optional ones only where used.
        order: Vec<usize>,
    },
    /// There is none.
    NotLinearizable {
        /// The key.
        key: u64,
    },
    /// Not known.
    Undecided {
        /// The key.
        key: u64,
        /// What stopped the search; `None` if another key was refuted first.
        limit: Option<Limit>,
        /// How far it got.
        progress: Progress,
    },
}

/// The whole answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// In one word.
    pub verdict: Verdict,
    /// Key by key, by rising key.
    pub partitions: Vec<Partition>,
    /// Configurations visited.
    pub nodes: u64,
    /// Most memory the search held, bytes, as it counts itself.
    pub bytes: usize,
}
