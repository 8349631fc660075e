//! fsync takes much longer than usual: a disk about to die, a noisy neighbour.
//!
//! Nothing may be lost by it; what waits for a sync waits.

use super::bad_disk::BadDisk;
use crate::disk::DiskFault;

/// The harm.
pub struct FsyncSlow;

impl BadDisk for FsyncSlow {
    fn pattern(&self) -> &'static str {
        "fsync-slow-{}"
    }

    fn about(&self) -> &'static str {
        "fsync of {} takes 50 to 1000 ms more for the hold"
    }

    fn evidence(&self) -> &'static str {
        "an fsync was held up"
    }

    fn wrong(&self, pick: u32) -> DiskFault {
        const RANGE_MS: u32 = 950;
        DiskFault::FsyncSlow { ms: u64::from(50 + pick % RANGE_MS) }
    }
}
