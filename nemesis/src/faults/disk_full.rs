//! A disk fills up: one write is cut short, the next ones find no space.
//!
//! A record that was half written must not be acknowledged, and must not be there when the node comes back.

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
pub struct DiskFull;

impl Fault for DiskFull {
    fn pattern(&self) -> &'static str {
        "disk-full-{}"
    }

    fn about(&self) -> &'static str {
        "the disk of {} fills up after 0 to 64 KiB more; if it ends, it is started again"
    }

    fn evidence(&self) -> &'static str {
        "a write was cut short or refused with ENOSPC"
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
        const RANGE_BYTES: u32 = 64 << 10;
        break_disks(scene, asked, DiskFault::Full { bytes_left: u64::from(asked.pick % RANGE_BYTES) })
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_felt(episode, target))
    }
}
