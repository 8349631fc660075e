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
    /// Nothing is told.
    pub const NONE: Effect = Effect { at_least: 0, at_most: Effect::ANY };

    #[inline]
    fn proves(at_least: i64) -> Effect {
        Effect { at_least, at_most: Effect::ANY }
    }
}

#[inline]
fn bound(bind: Bind, length: i64, free: i64) -> i64 {
    if bind == Bind::Binds && length >= 0 { length } else { free }
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
    let (kind, told) = (op.kind(), op.offset.0);
    if read_end > 0 {
        return Effect::proves(read_end);
    }
    if op.outcome() != Outcome::Ok {
        return Effect::NONE;
    }
    match kind {
        Kind::Append if told >= 0 => {
            Effect { at_least: bound(promises.acks, told.saturating_add(1), 0), at_most: told }
        }
        Kind::Fetch => Effect { at_least: 0, at_most: bound(promises.empty_fetches, told, Effect::ANY) },
        Kind::EndOffset => Effect { at_least: told, at_most: bound(promises.end_offsets, told, Effect::ANY) },
        Kind::StableEnd | Kind::LogStart => Effect::proves(told),
        _ => Effect::NONE,
    }
}
