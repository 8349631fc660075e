//! What is on a disk is harmed while the node is down: bits of a segment flip, a segment loses its end, or nothing is left.
//!
//! ```text
//! node  append fsync append fsync ✂ SIGKILL   ░ its files are harmed ░   start──▶ whatever it makes of them
//! ```
//! Segments are open ones (appended to) or closed ones. Checksums show flipped bits. A wiped disk was replaced; whose it is, is
//! written on it. A node that comes back with less and still counts as in sync could be elected: what was durable is harmed, and a
//! run with these faults may lose what it acknowledged; the contract says so.

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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spoil {
    /// Up to three bits of a segment flip.
    BitRot,
    /// A segment loses its end.
    Truncate,
    /// Everything is gone but whose disk it is.
    Wipe,
}

impl Fault for Spoil {
    fn pattern(&self) -> &'static str {
        match self {
            Spoil::BitRot => "bit-rot-{}",
            Spoil::Truncate => "truncate-segment-{}",
            Spoil::Wipe => "wipe-disk-{}",
        }
    }

    fn about(&self) -> &'static str {
        match self {
            Spoil::BitRot => "flip up to three bits in a segment of {} while it is down",
            Spoil::Truncate => "cut up to 4 KiB off a segment of {} while it is down",
            Spoil::Wipe => "{} loses everything on its disk but whose it is, while it is down",
        }
    }

    fn evidence(&self) -> &'static str {
        match self {
            Spoil::BitRot => "as kill, and bytes of a segment are others",
            Spoil::Truncate => "as kill, and bytes of a segment are gone",
            Spoil::Wipe => "as kill, and its files are gone",
        }
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
        let segment = segment(asked.pick);
        let how = match self {
            Spoil::BitRot => Wreck::BitRot { segment },
            Spoil::Truncate => Wreck::Truncate { segment },
            Spoil::Wipe => Wreck::Wipe,
        };
        wreck(scene, asked, how)
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_wreck(episode, target))
    }
}
