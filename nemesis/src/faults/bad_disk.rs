//! What the faults share that make calls to a disk go wrong for a while, the node being up: all but name, words and what is wrong.
//!
//! Not here: what is done to a disk while its node is down ([`super::spoil`], [`super::power_loss`]).

use super::{DISKS, break_disks, shows_felt, wrong_ms};
use crate::aim::Aim;
use crate::disk::DiskFault;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

/// A harm of this kind.
pub trait BadDisk: Sync {
    /// As [`Fault::pattern`].
    fn pattern(&self) -> &'static str;
    /// As [`Fault::about`].
    fn about(&self) -> &'static str;
    /// As [`Fault::evidence`].
    fn evidence(&self) -> &'static str;
    /// What goes wrong, how much of it drawn by `pick`.
    fn wrong(&self, pick: u32) -> DiskFault;
}

impl<T: BadDisk> Fault for T {
    fn pattern(&self) -> &'static str {
        BadDisk::pattern(self)
    }

    fn about(&self) -> &'static str {
        BadDisk::about(self)
    }

    fn evidence(&self) -> &'static str {
        BadDisk::evidence(self)
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
        break_disks(scene, asked, self.wrong(asked.pick))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_felt(episode, target))
    }
}
