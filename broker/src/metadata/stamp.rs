//! When and by whom records were decided: the wall clock for people, CLOCK_MONOTONIC for putting a run's histories side by side.
//!
//! Nothing is ever decided by a stamp.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::ids::ControllerId;

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
    /// Now, by this process's clocks; a clock that cannot be read is 0.
    pub fn now(by: ControllerId) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        Self { wall_ms: whole(wall.as_millis()), mono_ns: whole(mono.as_nanos()), by }
    }
}

fn whole(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
