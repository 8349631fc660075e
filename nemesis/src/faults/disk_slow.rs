//! Every read and write takes longer.
//!
//! Nothing may be lost by it. Followers may fall behind and leave the in-sync set, a leader may lose its session.

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
pub struct DiskSlow;

impl Fault for DiskSlow {
    fn pattern(&self) -> &'static str {
        "disk-slow-{}"
    }

    fn about(&self) -> &'static str {
        "each read and write of {} takes 1 to 20 ms more for the hold"
    }

    fn evidence(&self) -> &'static str {
        "a read or write was held up"
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
        const RANGE_US: u32 = 19_000;
        break_disks(scene, asked, DiskFault::Slow { us: u64::from(1000 + asked.pick % RANGE_US) })
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_felt(episode, target))
    }
}
