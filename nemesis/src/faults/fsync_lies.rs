//! The disks of nodes say that they have synced and have not; then their power fails.
//!
//! ```text
//! node  fsync ✓ │ append fsync ✓ append fsync ✓ ✂ power     everything since the last honest one is gone
//!               └ from here on a lie
//! ```
//! No setting protects against it but other replicas: of one at a time nothing is lost.

use super::{DISKS, break_disks, nodes, shows_felt, shows_wreck, wrecked, wrong_ms};
use crate::aim::Aim;
use crate::disk::{DiskFault, Loss, Wreck};
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

/// The harm.
pub struct FsyncLies;

impl Fault for FsyncLies {
    fn pattern(&self) -> &'static str {
        "fsync-lies-{}"
    }

    fn about(&self) -> &'static str {
        "the disk of {} lies about fsync for the hold; then its power fails, and it is started again"
    }

    fn evidence(&self) -> &'static str {
        "fsyncs were answered and not done, then as power-loss"
    }

    fn family(&self) -> Family {
        Family::Disk
    }

    fn need(&self) -> Need {
        Need::PowerLoss
    }

    fn forgets(&self) -> bool {
        true
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
        let mut script = break_disks(scene, asked, DiskFault::FsyncLies)?;
        script.hurt.extend(wrecked(&nodes(scene, asked)?, Wreck::PowerLoss { loss: Loss::All }));
        Ok(script)
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_felt(episode, target) && shows_wreck(episode, target))
    }
}
