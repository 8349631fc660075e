//! A writer's records by rising offset: each must have been handed over after all that stand before it.
//!
//! One pass over the contents with one number a writer. A value that stands twice is found here too: its second place
//! does not rise.

use history::{Offset, Value};
use std::collections::HashMap;

/// Writers looked up by index; the rest by map.
const INDEXED_MAX: usize = 1 << 12;

/// A record that stands behind one that its writer handed over later, or behind itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inversion {
    /// The record that stands too late.
    pub value: Value,
    /// Where.
    pub offset: Offset,
    /// The greatest of its writer's values before it.
    pub before: Value,
}

/// The greatest value of each writer so far.
#[derive(Default)]
pub struct Order {
    indexed: Vec<Option<Value>>,
    rest: HashMap<u32, Option<Value>>,
}

impl Order {
    /// The next record by rising offset.
    #[inline]
    pub fn next(&mut self, offset: i64, value: Value) -> Option<Inversion> {
        let greatest = self.greatest(value.writer().0);
        match *greatest {
            Some(before) if before.sequence() >= value.sequence() => {
                Some(Inversion { value, offset: Offset(offset), before })
            }
            _ => {
                *greatest = Some(value);
                None
            }
        }
    }

    fn greatest(&mut self, writer: u32) -> &mut Option<Value> {
        let at = writer as usize;
        if at >= INDEXED_MAX {
            return self.rest.entry(writer).or_default();
        }
        if at >= self.indexed.len() {
            self.indexed.resize(at + 1, None);
        }
        &mut self.indexed[at]
    }
}
