//! When and by whom records were decided: the wall clock for people, CLOCK_MONOTONIC for putting a run's histories side by side.
//!
//! Nothing is ever decided by a stamp.

use serde::{Deserialize, Serialize};

use super::ids::ControllerId;
use crate::clock;

/// The moment of a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Milliseconds since 1970 by the controller's wall clock.
    pub wall_ms: u64,
    /// CLOCK_MONOTONIC of the controller's machine, nanoseconds.
    pub mono_ns: u64,
    /// The controller that decided.
    pub by: ControllerId,
}

impl Stamp {
    /// Now, by this process's clocks.
    pub fn now(by: ControllerId) -> Self {
        Self { wall_ms: clock::wall_ns() / 1_000_000, mono_ns: clock::monotonic_ns(), by }
    }
}
