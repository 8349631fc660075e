//! The clocks of a broker, in one place.
//!
//! **Invariant:** durations and leases are measured on clocks nobody sets. `Monotonic` counts while the process is
//! stopped (SIGSTOP) and `boot_ns` also while the machine sleeps, so a lease can only look older than it is.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of CLOCK_MONOTONIC.
pub fn monotonic_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Nanoseconds of CLOCK_BOOTTIME: like monotonic, and it counts while the machine is suspended.
pub fn boot_ns() -> u64 {
    read(ClockId::CLOCK_BOOTTIME)
}

/// Nanoseconds since 1970 by the wall clock, for people only.
pub fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Milliseconds since 1970 by the wall clock: Kafka's record timestamps.
pub fn wall_ms() -> i64 {
    (wall_ns() / 1_000_000) as i64
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("both clocks exist on every Linux since 2.6.39");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}
