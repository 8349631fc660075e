// The page that the harness and a process with the preloaded library share. Read by two crates: plain
// core Rust, nothing else. (No `//!`: it is included in the middle of another crate.)
//
// Every word is an atomic of its own; a reader never waits. A change of the clock is guarded by a sequence number that is odd
// while it is under way.

use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};

/// First word of a page: anything else is no page.
pub const MAGIC: u64 = 0x5347_5348_494d_0002;
/// Bytes of the file that is mapped.
pub const PAGE_BYTES: usize = 4096;
/// What `space_left` holds while space is not limited.
pub const UNLIMITED: i64 = i64::MAX;

/// Values of `fsync_mode`.
pub mod fsync {
    /// As it is.
    pub const REAL: u32 = 0;
    /// Answers 0 and does nothing.
    pub const LIE: u32 = 1;
    /// Fails with EIO.
    pub const FAIL: u32 = 2;
    /// Waits, then does it.
    pub const SLOW: u32 = 3;
    /// Waits until the mode changes, then does it.
    pub const HANG: u32 = 4;
}

/// Indices of `counts`.
pub mod count {
    /// Reads of data files while the disk was broken.
    pub const READS: usize = 0;
    /// Writes to data files while the disk was broken.
    pub const WRITES: usize = 1;
    /// Syncs, whatever the disk.
    pub const FSYNCS: usize = 2;
    /// Syncs lied about.
    pub const FSYNCS_LIED: usize = 3;
    /// Syncs failed.
    pub const FSYNCS_FAILED: usize = 4;
    /// Syncs held up.
    pub const FSYNCS_SLOWED: usize = 5;
    /// Reads failed.
    pub const READS_FAILED: usize = 6;
    /// Writes failed.
    pub const WRITES_FAILED: usize = 7;
    /// Reads and writes held up.
    pub const SLOWED: usize = 8;
    /// Writes cut short or refused for lack of space.
    pub const WRITES_FULL: usize = 9;
    /// Times told that were not right.
    pub const CLOCK_SKEWED: usize = 10;
    /// Absolute waits whose end was put right.
    pub const WAITS_CORRECTED: usize = 11;
    /// Processes that have loaded the library with this page.
    pub const LOADED: usize = 12;
    /// How many there are.
    pub const ALL: usize = 16;
}

/// The page.
#[repr(C)]
pub struct Page {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// Not 0 while the disk does something wrong.
    pub disk_broken: AtomicU32,
    /// See [`fsync`].
    pub fsync_mode: AtomicU32,
    /// For [`fsync::SLOW`], microseconds.
    pub fsync_us: AtomicU64,
    /// How many of a million reads fail.
    pub reads_fail_ppm: AtomicU32,
    /// How many of a million writes fail.
    pub writes_fail_ppm: AtomicU32,
    /// How much longer a read or write takes, microseconds.
    pub slow_us: AtomicU64,
    /// Bytes that can still be written, or [`UNLIMITED`].
    pub space_left: AtomicI64,
    /// Chooses which reads and writes fail.
    pub random: AtomicU64,
    /// Not 0 while the wall clock is wrong.
    pub clock_wrong: AtomicU32,
    /// Odd while the clock is being changed.
    pub clock_seq: AtomicU32,
    /// Added always, nanoseconds.
    pub offset_ns: AtomicI64,
    /// CLOCK_MONOTONIC when drift and strobe began, nanoseconds.
    pub since_ns: AtomicI64,
    /// Gained, billionths.
    pub drift_ppb: AtomicI64,
    /// Added in every other period, nanoseconds.
    pub strobe_ns: AtomicI64,
    /// A period, nanoseconds; 0: none.
    pub strobe_every_ns: AtomicI64,
    /// The largest difference told, nanoseconds.
    pub ahead_ns: AtomicI64,
    /// The smallest (most negative) difference told, nanoseconds.
    pub behind_ns: AtomicI64,
    /// See [`count`].
    pub counts: [AtomicU64; count::ALL],
}
