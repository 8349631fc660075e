//! The newest offset of every key in the dirty part of a log, within a limit of memory.
//!
//! Keys are kept whole: two keys are never taken for one.

use crate::log::Offset;
use std::collections::HashMap;

/// What an entry costs beside the bytes of its key.
const ENTRY_BYTES: usize = 48;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Keys {
    newest: HashMap<Box<[u8]>, Offset>,
    bytes: usize,
}

impl Keys {
    /// Takes note of a record with this key; offsets come in order.
    pub fn learn(&mut self, key: &[u8], offset: Offset) {
        if let Some(newest) = self.newest.get_mut(key) {
            *newest = offset;
        } else {
            self.bytes += key.len() + ENTRY_BYTES;
            self.newest.insert(key.into(), offset);
        }
    }

    /// Memory in use.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no later record than the one at `offset` has this key.
    pub fn is_newest(&self, key: &[u8], offset: Offset) -> bool {
        self.newest.get(key).is_none_or(|newest| *newest <= offset)
    }
}
