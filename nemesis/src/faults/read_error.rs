//! Reads fail with EIO, all of them or some.
//!
//! What cannot be read must be an error to whoever asked, never an empty answer that looks like the end of the log.

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
pub struct ReadError;

impl Fault for ReadError {
    fn pattern(&self) -> &'static str {
        "read-error-{}"
    }

    fn about(&self) -> &'static str {
        "reads of {} fail with EIO for the hold, 1 % to all of them; if it ends, it is started again"
    }

    fn evidence(&self) -> &'static str {
        "a read failed"
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
        const SHARES_PPM: [u32; 3] = [10_000, 200_000, 1_000_000];
        let ppm = SHARES_PPM[asked.pick as usize % SHARES_PPM.len()];
        break_disks(scene, asked, DiskFault::ReadsFail { ppm })
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_felt(episode, target))
    }
}
