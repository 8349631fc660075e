//! What a reply says of a log's length, under the promises of the system that gave it.

use crate::contract::{Bind, Promises};
use history::{Kind, Op, Outcome, Record};

/// The two numbers of `bounds`, where the operation gives them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Effect {
    /// A length that surely existed when the reply came.
    pub at_least: Option<i64>,
    /// The greatest length that may have existed at the invocation.
    pub at_most: Option<i64>,
}

/// The effect of `op`, which read `records`. An append whose offset was not told has none that is known here.
#[inline]
pub fn effect(op: &Op, records: &[Record], promises: &Promises) -> Effect {
    if op.outcome() != Outcome::Ok {
        return Effect { at_least: read_end(records), at_most: None };
    }
    let binds = |bind: Bind, length: i64| (bind == Bind::Binds && length >= 0).then_some(length);
    let told = op.offset.0;
    match op.kind() {
        Kind::Append if told >= 0 => {
            Effect { at_least: binds(promises.acks, told.saturating_add(1)), at_most: Some(told) }
        }
        Kind::Fetch if records.is_empty() => Effect { at_least: None, at_most: binds(promises.empty_fetches, told) },
        Kind::Fetch | Kind::Poll => Effect { at_least: read_end(records), at_most: None },
        Kind::EndOffset => Effect { at_least: Some(told), at_most: binds(promises.end_offsets, told) },
        Kind::StableEnd | Kind::LogStart => Effect { at_least: Some(told), at_most: None },
        _ => Effect::default(),
    }
}

fn read_end(records: &[Record]) -> Option<i64> {
    records.last().map(|r| r.offset.0.saturating_add(1))
}
