//! Nodes come back with an empty disk: it was replaced. Whose disk it is, is written on it.
//!
//! A node that comes back with nothing and still counts as in sync could be elected: what was durable is gone, and a run with
//! this fault may lose what it acknowledged; the contract says so.

use super::{DISKS, patience_ms, shows_wreck, wreck};
use crate::aim::Aim;
use crate::disk::Wreck;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

/// The harm.
pub struct Wipe;

impl Fault for Wipe {
    fn pattern(&self) -> &'static str {
        "wipe-disk-{}"
    }

    fn about(&self) -> &'static str {
        "{} loses everything on its disk but whose it is, while it is down"
    }

    fn evidence(&self) -> &'static str {
        "as kill, and its files are gone"
    }

    fn family(&self) -> Family {
        Family::Disk
    }

    fn need(&self) -> Need {
        Need::Files
    }

    fn is_survivable(&self) -> bool {
        false
    }

    fn forgets(&self) -> bool {
        true
    }

    fn aims(&self) -> &'static [Aim] {
        DISKS
    }

    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
        200..=patience_ms(aim, timing).max(200) + 1000
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        wreck(scene, asked, Wreck::Wipe)
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_wreck(episode, target))
    }
}
