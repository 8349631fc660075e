//! Reads or writes fail with EIO, all of them or some.
//!
//! What cannot be read must be an error to whoever asked, never an empty answer that looks like the end of the log; what could not
//! be written must not be acknowledged.

use super::bad_disk::BadDisk;
use crate::disk::DiskFault;

const SHARES_PPM: [u32; 3] = [10_000, 200_000, 1_000_000];

/// The harm: what fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoError {
    /// Reads.
    Reads,
    /// Writes.
    Writes,
}

impl BadDisk for IoError {
    fn pattern(&self) -> &'static str {
        match self {
            IoError::Reads => "read-error-{}",
            IoError::Writes => "write-error-{}",
        }
    }

    fn about(&self) -> &'static str {
        match self {
            IoError::Reads => {
                "reads of {} fail with EIO for the hold, 1 % to all of them; if it ends, it is started again"
            }
            IoError::Writes => {
                "writes of {} fail with EIO for the hold, 1 % to all of them; if it ends, it is started again"
            }
        }
    }

    fn evidence(&self) -> &'static str {
        match self {
            IoError::Reads => "a read failed",
            IoError::Writes => "a write failed",
        }
    }

    fn wrong(&self, pick: u32) -> DiskFault {
        let ppm = SHARES_PPM[pick as usize % SHARES_PPM.len()];
        match self {
            IoError::Reads => DiskFault::ReadsFail { ppm },
            IoError::Writes => DiskFault::WritesFail { ppm },
        }
    }
}
