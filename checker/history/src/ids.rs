//! Newtypes of the vocabulary. Each is as wide as it is on the wire or in the journal, no wider.

use serde::{Deserialize, Serialize};
use std::fmt;

/// CLOCK_MONOTONIC, nanoseconds. All processes of a run share one machine and therefore one clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The return time of an operation whose reply never came.
    pub const NEVER: Nanos = Nanos(u64::MAX);

    /// Nanoseconds from `earlier` to `self`, 0 if `earlier` is later.
    #[inline]
    pub fn since(self, earlier: Nanos) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment plus `ms` milliseconds, saturating.
    pub fn plus_ms(self, ms: u64) -> Nanos {
        Nanos(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }
}

/// A log: an index into [`crate::Names::logs`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogId(pub u32);

/// A position in a log; −1 where it is not known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Offset {
    /// The offset of an append that was acknowledged without one.
    pub const UNKNOWN: Offset = Offset(-1);
}

/// A client process, or the nemesis: an index into [`crate::Names::processes`]. At most 2^22 of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(pub u32);

/// A broker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub i32);

/// The reign under which a record was appended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaderEpoch(pub i32);

/// One producer instance. Its appends are numbered 0, 1, 2 … over all logs in the order they were handed over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriterId(pub u32);

/// What a record says it is: writer (24 bits) and sequence (40 bits), so that value → operation is arithmetic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Value(pub u64);

impl Value {
    const SEQUENCE_BITS: u32 = 40;
    /// Largest writer id an ordinary value may have; the two above it are the reserved ones below.
    pub const WRITER_MAX: u32 = 0xFF_FFFD;
    /// Largest sequence of a writer.
    pub const SEQUENCE_MAX: u64 = (1 << Self::SEQUENCE_BITS) - 1;
    /// The record's bytes do not match their checksum.
    pub const CORRUPT: Value = Value(0xFF_FFFF << Self::SEQUENCE_BITS);
    /// A well-formed record of another run, or not a record of ours at all.
    pub const FOREIGN: Value = Value(0xFF_FFFE << Self::SEQUENCE_BITS);
    /// A batch's own marker or a record removed by policy: an owner of an offset that carries no data.
    pub const MARKER: Value = Value(0xFF_FFFE << Self::SEQUENCE_BITS | 1);

    /// Packs writer and sequence; both are masked to their widths.
    #[inline]
    pub fn new(writer: WriterId, sequence: u64) -> Value {
        Value(u64::from(writer.0 & 0xFF_FFFF) << Self::SEQUENCE_BITS | sequence & Self::SEQUENCE_MAX)
    }

    /// The producer instance.
    #[inline]
    pub fn writer(self) -> WriterId {
        WriterId((self.0 >> Self::SEQUENCE_BITS) as u32)
    }

    /// Its position in the order the writer handed records over.
    #[inline]
    pub fn sequence(self) -> u64 {
        self.0 & Self::SEQUENCE_MAX
    }

    /// False for [`Value::CORRUPT`], [`Value::FOREIGN`] and [`Value::MARKER`].
    #[inline]
    pub fn is_ordinary(self) -> bool {
        self.writer().0 <= Self::WRITER_MAX
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::CORRUPT => f.write_str("corrupt"),
            Value::FOREIGN => f.write_str("foreign"),
            Value::MARKER => f.write_str("marker"),
            v => write!(f, "{}.{}", v.writer().0, v.sequence()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_gives_back_its_writer_and_sequence() {
        for (w, s) in [(0, 0), (7, 42), (Value::WRITER_MAX, Value::SEQUENCE_MAX)] {
            let v = Value::new(WriterId(w), s);
            assert_eq!((v.writer(), v.sequence(), v.is_ordinary()), (WriterId(w), s, true));
        }
    }

    #[test]
    fn reserved_values_are_not_ordinary() {
        assert!([Value::CORRUPT, Value::FOREIGN, Value::MARKER].iter().all(|v| !v.is_ordinary()));
    }
}
