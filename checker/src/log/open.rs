//! Appends whose offset no reply told: unknown ones, failed ones, and those acknowledged without an offset.
//!
//! They are few in an ordinary run, so each may cost a map entry. Reads resolve them: a value read where no
//! acknowledgement told it is looked up here, and is guilty of something if it is not found.

use crate::hash::Map;
use history::{Nanos, Value};

/// What is known of such an append.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fate {
    /// It did not happen.
    Failed,
    /// It may have.
    Unknown,
    /// It did.
    Untold,
}

/// Such an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenAppend {
    /// Its invocation.
    pub invoked: Nanos,
    /// Its reply.
    pub returned: Nanos,
    /// What is known of it.
    pub fate: Fate,
    /// Whether a read found it.
    pub seen: bool,
}

/// Those of one log.
#[derive(Clone, Default)]
pub struct OpenAppends {
    appends: Map<Value, OpenAppend>,
}

impl OpenAppends {
    /// Takes one. Of several appends of one value the most definite fate and the longest span are kept.
    pub fn insert(&mut self, value: Value, append: OpenAppend) {
        let held = self.appends.entry(value).or_insert(append);
        held.invoked = held.invoked.min(append.invoked);
        held.returned = held.returned.max(append.returned);
        held.fate = held.fate.max(append.fate);
    }

    /// A read found `value`: the append as it was before, if it is one of these.
    pub fn see(&mut self, value: Value) -> Option<OpenAppend> {
        let held = self.appends.get_mut(&value)?;
        let before = *held;
        held.seen = true;
        Some(before)
    }

    /// Whether `value` is one of these: then it may stand elsewhere than acknowledged.
    pub fn knows(&self, value: Value) -> bool {
        self.appends.contains_key(&value)
    }

    /// Those that may have happened and that nobody saw, by rising invocation.
    pub fn unseen(&self) -> Vec<(Nanos, Value, Fate)> {
        let mut unseen: Vec<_> = self.appends.iter().filter(|(_, a)| !a.seen && a.fate != Fate::Failed).collect();
        unseen.sort_unstable_by_key(|(value, a)| (a.invoked, **value));
        unseen.into_iter().map(|(value, a)| (a.invoked, *value, a.fate)).collect()
    }

    /// Unknown ones that a read found.
    pub fn unknown_seen(&self) -> u64 {
        self.appends.values().filter(|a| a.seen && a.fate == Fate::Unknown).count() as u64
    }

    /// Takes those of another shard.
    pub fn merge(&mut self, other: OpenAppends) {
        other.appends.into_iter().for_each(|(value, append)| self.insert(value, append));
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.appends.capacity() * (size_of::<(Value, OpenAppend)>() + 1)
    }
}
