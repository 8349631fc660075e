//! Nodes are killed and what is on their disks is harmed while they are down. The power fails: what they had not synced vanishes,
//! data and names. Or what was durable goes: bits of a segment flip, a segment loses its end, nothing is left.
//!
//! ```text
//! node  append append fsync append append ✂ power        start──▶ its log ends where it was synced
//!                           └─ gone, or some of it ─┘
//! node  append fsync append fsync ✂ SIGKILL   ░ its files are harmed ░   start──▶ whatever it makes of them
//! ```
//! How much of the un-synced remains is drawn: nothing, a prefix of the writes, a prefix with the next write torn, random
//! blocks. Of one replica at a time: what was acknowledged by all in-sync replicas is on the others. Of all at once: whatever
//! none of them had synced is lost, and only `flush.messages=1` promises otherwise: then the power was cut as surely as without,
//! and what it cost is nothing.
//!
//! Segments are open ones (appended to) or closed ones. Checksums show flipped bits. A wiped disk was replaced; whose it is, is
//! written on it. A node that comes back with less and still counts as in sync could be elected: where what was durable is harmed,
//! a run may lose what it acknowledged; the contract says so.

use super::{DISKS, actors, mended, nodes, patience_ms, shows_damage, shows_wreck, wrecked};
use crate::aim::Aim;
use crate::disk::{Damage, Loss, Segment, Wreck};
use crate::episode::{Episode, Target};
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// The harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrecked {
    /// What was not synced is gone, or some of it.
    PowerLoss,
    /// Up to three bits of a segment flip.
    BitRot,
    /// A segment loses its end.
    Truncate,
    /// Everything is gone but whose disk it is.
    Wipe,
}

impl Wrecked {
    /// What exactly, as the pick decides.
    fn drawn(self, pick: u32) -> Wreck {
        let segment = if pick.is_multiple_of(2) { Segment::Open } else { Segment::Closed };
        match self {
            Wrecked::PowerLoss => Wreck::PowerLoss { loss: Loss::ALL[pick as usize % Loss::ALL.len()] },
            Wrecked::BitRot => Wreck::BitRot { segment },
            Wrecked::Truncate => Wreck::Truncate { segment },
            Wrecked::Wipe => Wreck::Wipe,
        }
    }
}

impl Fault for Wrecked {
    fn pattern(&self) -> &'static str {
        match self {
            Wrecked::PowerLoss => "power-loss-{}",
            Wrecked::BitRot => "bit-rot-{}",
            Wrecked::Truncate => "truncate-segment-{}",
            Wrecked::Wipe => "wipe-disk-{}",
        }
    }

    fn about(&self) -> &'static str {
        match self {
            Wrecked::PowerLoss => {
                "cut the power of {}: SIGKILL, and what it has not synced is lost; start it again after the hold"
            }
            Wrecked::BitRot => "flip up to three bits in a segment of {} while it is down",
            Wrecked::Truncate => "cut up to 4 KiB off a segment of {} while it is down",
            Wrecked::Wipe => "{} loses everything on its disk but whose it is, while it is down",
        }
    }

    fn evidence(&self) -> &'static str {
        match self {
            Wrecked::PowerLoss => {
                "as kill, and its disk was set back to what was synced: how many changes were not, and what that cost"
            }
            Wrecked::BitRot => "as kill, and bytes of a segment are others",
            Wrecked::Truncate => "as kill, and bytes of a segment are gone",
            Wrecked::Wipe => "as kill, and its files are gone",
        }
    }

    fn family(&self) -> Family {
        Family::Disk
    }

    fn need(&self) -> Need {
        if *self == Wrecked::PowerLoss { Need::PowerLoss } else { Need::Files }
    }

    fn is_survivable(&self) -> bool {
        *self == Wrecked::PowerLoss
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
        let targets = nodes(scene, asked)?;
        let hurt = wrecked(&targets, self.drawn(asked.pick)).into_iter().chain([Step::Hold(asked.hold_ms)]).collect();
        Ok(Script::on(&actors(&targets), hurt, mended(&targets)))
    }

    fn effective(&self, episode: &Episode) -> bool {
        // Set back to what was durable: whether that cost anything or not.
        let cut = |target: &Target| shows_damage(episode, target, Damage::shows_cut);
        episode
            .aimed()
            .all(|target| if *self == Wrecked::PowerLoss { cut(target) } else { shows_wreck(episode, target) })
    }
}
