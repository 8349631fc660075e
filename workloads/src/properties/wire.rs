//! The wire client's properties: few, and some only in the value that it has anyway, so that what it promises can be read.

use super::{Meaning, PropertyError, Side, hint};
use crate::library::Library;

/// What a property may be.
enum Values {
    /// A whole number in this range.
    Number(i64, i64),
    /// One of these.
    OneOf(&'static [&'static str]),
}

#[rustfmt::skip]
const PRODUCER: &[(&str, Values, &str)] = &[
    ("acks", Values::OneOf(&["all", "-1", "0", "1"]), "all"),
    ("enable.idempotence", Values::OneOf(&["false"]), "false"),
    ("max.in.flight.requests.per.connection", Values::OneOf(&["1"]), "1"),
    ("retries", Values::OneOf(&["0"]), "0"),
    ("transaction.timeout.ms", Values::Number(1, 900_000), "30000"),
];

#[rustfmt::skip]
const CONSUMER: &[(&str, Values, &str)] = &[
    ("auto.offset.reset", Values::OneOf(&["earliest"]), "earliest"),
    ("check.crcs", Values::OneOf(&["true"]), "true"),
    ("fetch.max.wait.ms", Values::Number(1, 60_000), "20"),
    ("isolation.level", Values::OneOf(&["read_committed", "read_uncommitted"]), "read_committed"),
    ("max.partition.fetch.bytes", Values::Number(1, 64 << 20), "262144"),
];

fn table(side: Side) -> &'static [(&'static str, Values, &'static str)] {
    match side {
        Side::Producer => PRODUCER,
        Side::Consumer => CONSUMER,
    }
}

/// The names it has.
pub(super) fn names(side: Side) -> impl Iterator<Item = &'static str> {
    table(side).iter().map(|row| row.0)
}

/// Its properties as it has them where nobody says otherwise.
pub(super) fn durable(side: Side) -> impl Iterator<Item = (&'static str, &'static str)> {
    table(side).iter().map(|(name, _, usual)| (*name, *usual))
}

/// What a property comes to.
pub(super) fn meaning(side: Side, name: &str, value: &str) -> Result<Meaning, PropertyError> {
    let Some((_, values, _)) = table(side).iter().find(|row| row.0 == name) else {
        return Err(hint::unknown(Library::Wire, side, name, names(side)));
    };
    let refused = |why: String| PropertyError::Value { name: name.to_owned(), why };
    match values {
        Values::Number(from, to) if !value.parse().is_ok_and(|n: i64| (*from..=*to).contains(&n)) => {
            Err(refused(format!("`{value}` is not a number from {from} to {to}")))
        }
        Values::OneOf([only]) if value != *only => {
            Err(refused(format!("the wire client has it at {only} and cannot change it")))
        }
        Values::OneOf(all) if !all.contains(&value) => Err(refused(format!("`{value}` is none of {}", all.join(", ")))),
        _ => Ok(Meaning::Set { name: name.to_owned(), value: value.to_owned() }),
    }
}
