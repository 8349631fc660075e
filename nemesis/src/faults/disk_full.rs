//! A disk fills up: one write is cut short, the next ones find no space.
//!
//! A record that was half written must not be acknowledged, and must not be there when the node comes back.

use super::bad_disk::BadDisk;
use crate::disk::DiskFault;

/// The harm.
pub struct DiskFull;

impl BadDisk for DiskFull {
    fn pattern(&self) -> &'static str {
        "disk-full-{}"
    }

    fn about(&self) -> &'static str {
        "the disk of {} fills up after 0 to 64 KiB more; if it ends, it is started again"
    }

    fn evidence(&self) -> &'static str {
        "a write was cut short or refused with ENOSPC"
    }

    fn wrong(&self, pick: u32) -> DiskFault {
        const RANGE_BYTES: u32 = 64 << 10;
        DiskFault::Full { bytes_left: u64::from(pick % RANGE_BYTES) }
    }
}
