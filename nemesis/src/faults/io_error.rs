//! Reads or writes fail with EIO, all of them or some.
//!
//! What cannot be read must be an error to whoever asked, never an empty answer that looks like the end of the log; what could not
//! be written must not be acknowledged.

use super::{DISKS, break_disks, shows_felt, wrong_ms};
use crate::aim::Aim;
use crate::disk::DiskFault;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

const SHARES_PPM: [u32; 3] = [10_000, 200_000, 1_000_000];

/// The harm: what fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoError {
    /// Reads.
    Reads,
    /// Writes.
    Writes,
}

impl Fault for IoError {
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

    fn family(&self) -> Family {
        Family::Disk
    }

    fn need(&self) -> Need {
        Need::Disk
    }

    fn aims(&self) -> &'static [Aim] {
        DISKS
    }

    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
        wrong_ms(aim, timing)
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let ppm = SHARES_PPM[asked.pick as usize % SHARES_PPM.len()];
        let fault = match self {
            IoError::Reads => DiskFault::ReadsFail { ppm },
            IoError::Writes => DiskFault::WritesFail { ppm },
        };
        break_disks(scene, asked, fault)
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_felt(episode, target))
    }
}
