//! Every read and write takes longer.
//!
//! Nothing may be lost by it. Followers may fall behind and leave the in-sync set, a leader may lose its session.

use super::bad_disk::BadDisk;
use crate::disk::DiskFault;

/// The harm.
pub struct DiskSlow;

impl BadDisk for DiskSlow {
    fn pattern(&self) -> &'static str {
        "disk-slow-{}"
    }

    fn about(&self) -> &'static str {
        "each read and write of {} takes 1 to 20 ms more for the hold"
    }

    fn evidence(&self) -> &'static str {
        "a read or write was held up"
    }

    fn wrong(&self, pick: u32) -> DiskFault {
        const RANGE_US: u32 = 19_000;
        DiskFault::Slow { us: u64::from(1000 + pick % RANGE_US) }
    }
}
