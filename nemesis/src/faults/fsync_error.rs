//! fsync fails with EIO.
//!
//! Nobody knows then what is on disk: the kernel calls the pages clean, and a second fsync that succeeds proves nothing. A
//! correct broker stops; one that goes on and tries again has lost what it acknowledged after the next power loss.

use super::bad_disk::BadDisk;
use crate::disk::DiskFault;

/// The harm.
pub struct FsyncError;

impl BadDisk for FsyncError {
    fn pattern(&self) -> &'static str {
        "fsync-error-{}"
    }

    fn about(&self) -> &'static str {
        "fsync of {} fails with EIO for the hold; if it ends, it is started again"
    }

    fn evidence(&self) -> &'static str {
        "an fsync failed"
    }

    fn wrong(&self, _: u32) -> DiskFault {
        DiskFault::FsyncFails
    }
}
