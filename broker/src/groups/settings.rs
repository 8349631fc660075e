//! What groups are told: limits and times, from a node's properties.

use std::ops::RangeInclusive;

use super::effects::Waiter;
use crate::bugs::Bugs;
use crate::config::Config;

/// The moment of a call: timers run on a clock nobody sets, commits carry the wall's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a monotonic clock.
    pub mono_ms: u64,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
}

/// Somebody's turn: who waits for the answer, when, and by which rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'a> {
    pub waiter: Waiter,
    pub now: Now,
    pub settings: &'a Settings,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `group.min.session.timeout.ms` and `group.max.session.timeout.ms`
    pub session_ms: RangeInclusive<i64>,
    /// `group.initial.rebalance.delay.ms`
    pub initial_delay_ms: u64,
    /// `group.max.size`
    pub members_max: usize,
    /// `offset.metadata.max.bytes`
    pub metadata_bytes_max: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub retention_ms: i64,
    /// Planted bugs.
    pub bugs: Bugs,
}

impl Settings {
    /// What the properties say.
    pub fn of(config: &Config) -> Settings {
        let values = config.values();
        let number = |name| values.number(name);
        Settings {
            session_ms: number("group.min.session.timeout.ms")..=number("group.max.session.timeout.ms"),
            initial_delay_ms: number("group.initial.rebalance.delay.ms") as u64,
            members_max: number("group.max.size") as usize,
            metadata_bytes_max: number("offset.metadata.max.bytes") as usize,
            retention_ms: number("offsets.retention.minutes").saturating_mul(60_000),
            bugs: config.bugs,
        }
    }
}
