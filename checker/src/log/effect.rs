//! What a reply says of a log's length, under the promises of the system that gave it.

use crate::contract::{Bind, Promises};
use history::{Kind, Op, Outcome, Record};

/// The two numbers of `bounds`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effect {
    /// A length that surely existed when the reply came; 0 if none is told.
    pub at_least: i64,
    /// The greatest length that may have existed at the invocation; [`Effect::ANY`] if none is told.
    pub at_most: i64,
}

impl Effect {
    /// Any length may have existed.
    pub const ANY: i64 = i64::MAX;
}

/// One past the last of `records`, 0 if there is none.
#[inline]
pub fn read_end(records: &[Record]) -> i64 {
    records.last().map_or(0, |last| last.offset.0.saturating_add(1))
}

/// The effect of `op`, whose read, if it is one, ended before `read_end` (0 if it was empty). An append whose offset was
/// not told has none that is known here.
#[inline]
pub fn effect(op: &Op, read_end: i64, promises: &Promises) -> Effect {
    let (at_least, at_most) = match (op.outcome() == Outcome::Ok, op.kind(), op.offset.0) {
        _ if read_end > 0 => (read_end, Effect::ANY),
        (false, ..) => (0, Effect::ANY),
        (_, Kind::Append, told) if told >= 0 => (bound(promises.acks, told.saturating_add(1), 0), told),
        (_, Kind::Fetch, told) => (0, bound(promises.empty_fetches, told, Effect::ANY)),
        (_, Kind::EndOffset, told) => (told, bound(promises.end_offsets, told, Effect::ANY)),
        (_, Kind::StableEnd | Kind::LogStart, told) => (told, Effect::ANY),
        _ => (0, Effect::ANY),
    };
    Effect { at_least: at_least.max(0), at_most }
}

#[inline]
fn bound(bind: Bind, length: i64, free: i64) -> i64 {
    if bind == Bind::Binds && length >= 0 { length } else { free }
}
