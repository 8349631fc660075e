//! fsync takes much longer than usual: a disk about to die, a noisy neighbour.
//!
//! Nothing may be lost by it; what waits for a sync waits.

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
pub struct FsyncSlow;

impl Fault for FsyncSlow {
    fn pattern(&self) -> &'static str {
        "fsync-slow-{}"
    }

    fn about(&self) -> &'static str {
        "fsync of {} takes 50 to 1000 ms more for the hold"
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
        const RANGE_MS: u32 = 950;
        break_disks(scene, asked, DiskFault::FsyncSlow { ms: u64::from(50 + asked.pick % RANGE_MS) })
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_felt(episode, target))
    }
}
