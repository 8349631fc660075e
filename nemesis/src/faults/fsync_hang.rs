//! fsync does not come back until the disk is mended.
//!
//! The node may look alive meanwhile: heartbeats go on, requests that need the disk do not.

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
pub struct FsyncHang;

impl Fault for FsyncHang {
    fn pattern(&self) -> &'static str {
        "fsync-hang-{}"
    }

    fn about(&self) -> &'static str {
        "fsync of {} hangs for the hold"
    }

    fn evidence(&self) -> &'static str {
        "an fsync was held up"
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
        break_disks(scene, asked, DiskFault::FsyncHangs)
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_felt(episode, target))
    }
}
