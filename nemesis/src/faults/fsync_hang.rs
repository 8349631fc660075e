//! fsync does not come back until the disk is mended.
//!
//! The node may look alive meanwhile: heartbeats go on, requests that need the disk do not.

use super::bad_disk::BadDisk;
use crate::disk::DiskFault;

/// The harm.
pub struct FsyncHang;

impl BadDisk for FsyncHang {
    fn pattern(&self) -> &'static str {
        "fsync-hang-{}"
    }

    fn about(&self) -> &'static str {
        "fsync of {} hangs for the hold"
    }

    fn evidence(&self) -> &'static str {
        "an fsync was held up"
    }

    fn wrong(&self, _: u32) -> DiskFault {
        DiskFault::FsyncHangs
    }
}
