//! fsync fails with EIO.
//!
//! Nobody knows then what is on disk: the kernel calls the pages clean, and a second fsync that succeeds proves nothing. A
//! correct broker stops; one that goes on and tries again has lost what it acknowledged after the next power loss.

use super::{DISKS, break_disks, shows_felt, wrong_ms};
use crate::aim::Aim;
use crate::disk::DiskFault;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

/// The harm.
pub struct FsyncError;

impl Fault for FsyncError {
    fn pattern(&self) -> &'static str {
        "fsync-error-{}"
    }

    fn about(&self) -> &'static str {
        "fsync of {} fails with EIO for the hold; if it ends, it is started again"
    }

    fn evidence(&self) -> &'static str {
        "an fsync failed"
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
        break_disks(scene, asked, DiskFault::FsyncFails)
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_felt(episode, target))
    }
}
