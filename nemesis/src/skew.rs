//! What a node's wall clock may do wrong, and what the node was told: words only. CLOCK_MONOTONIC is never touched.

use serde::{Deserialize, Serialize};

/// What a process's wall clock does from now on. A later one takes the place of an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Skew {
    /// It is off by so much, milliseconds; negative is back.
    Jump {
        /// How much.
        ms: i64,
    },
    /// It gains so many millionths from now on; negative loses.
    Drift {
        /// How many.
        ppm: i64,
    },
    /// It jumps there and back again, over and over.
    Strobe {
        /// How far, milliseconds; negative is back.
        ms: i64,
        /// How long it stays at either place, milliseconds.
        every_ms: u64,
    },
}

/// The wall clock as a process was told it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ClockReading {
    /// How often it was told a wrong time.
    pub skewed: u64,
    /// The wrong time told that was furthest ahead of the right one, milliseconds; 0 if none was ahead.
    pub ahead_ms: i64,
    /// The wrong time told that was furthest behind, milliseconds, negative; 0 if none was behind.
    pub behind_ms: i64,
}

impl ClockReading {
    /// The largest difference from the right time that was told, milliseconds, without its sign.
    pub fn off_ms(&self) -> u64 {
        self.ahead_ms.unsigned_abs().max(self.behind_ms.unsigned_abs())
    }
}
