//! A segment loses its end while the node is down: an open segment or a closed one.
//!
//! What was durable is harmed, so a run with this fault may lose what it acknowledged; the contract says so.

use super::{DISKS, patience_ms, segment, shows_wreck, wreck};
use crate::aim::Aim;
use crate::disk::Wreck;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

/// The harm.
pub struct Truncate;

impl Fault for Truncate {
    fn pattern(&self) -> &'static str {
        "truncate-segment-{}"
    }

    fn about(&self) -> &'static str {
        "cut up to 4 KiB off a segment of {} while it is down"
    }

    fn evidence(&self) -> &'static str {
        "as kill, and bytes of a segment are gone"
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
        wreck(scene, asked, Wreck::Truncate { segment: segment(asked.pick) })
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_wreck(episode, target))
    }
}
