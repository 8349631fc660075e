//! Time as clients see it: the only place of this crate that reads a clock.
//!
//! All processes of a run share one machine and therefore one CLOCK_MONOTONIC. **Invariant:** nothing here sleeps;
//! whoever waits, waits for a condition until a [`Deadline`].

use history::Nanos;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// CLOCK_MONOTONIC now.
pub fn now() -> Nanos {
    Nanos(read(ClockId::CLOCK_MONOTONIC))
}

/// CLOCK_REALTIME now, nanoseconds since 1970. For people to read, never to compare.
pub fn wall() -> u64 {
    read(ClockId::CLOCK_REALTIME)
}

fn read(clock: ClockId) -> u64 {
    let t = clock_gettime(clock).expect("both clocks exist on every Linux");
    t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64
}

/// A moment after which an attempt is given up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deadline(pub Nanos);

impl Deadline {
    /// `ms` milliseconds from now.
    pub fn in_ms(ms: u64) -> Deadline {
        Deadline(now().plus_ms(ms))
    }

    /// The earlier of this one and `ms` milliseconds from now.
    pub fn but_at_most_ms(self, ms: u64) -> Deadline {
        self.min(Deadline::in_ms(ms))
    }

    /// Time left; `None` once there is none.
    pub fn remaining(self) -> Option<Duration> {
        match self.0.since(now()) {
            0 => None,
            left => Some(Duration::from_nanos(left)),
        }
    }

    /// An equal part of the time left for the next of so many.
    pub fn share(self, among: u32) -> Deadline {
        let left = self.remaining().unwrap_or_default() / among.max(1);
        Deadline::in_ms(left.as_millis() as u64)
    }

    /// True once no time is left.
    pub fn passed(self) -> bool {
        self.remaining().is_none()
    }
}

/// Waits `ms` between two attempts at something that cannot announce itself, or until the deadline if that is earlier; says
/// whether another attempt may be made.
///
/// For conditions behind somebody else's protocol only; within a process a condition variable or a channel tells.
pub fn between_attempts(ms: u64, deadline: Deadline) -> bool {
    let until = deadline.but_at_most_ms(ms);
    while let Some(left) = until.remaining() {
        std::thread::park_timeout(left);
    }
    !deadline.passed()
}
