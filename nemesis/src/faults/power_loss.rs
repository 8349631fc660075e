//! The power of nodes fails: SIGKILL, and what they had not synced vanishes, data and names.
//!
//! ```text
//! node  append append fsync append append ✂ power        start──▶ its log ends where it was synced
//!                           └─ gone, or some of it ─┘
//! ```
//! How much of the un-synced remains is drawn: nothing, a prefix of the writes, a prefix with the next write torn, random
//! blocks. Of one replica at a time: what was acknowledged by all in-sync replicas is on the others. Of all at once: whatever
//! none of them had synced is lost, and only `flush.messages=1` promises otherwise: then the power was cut as surely as without,
//! and what it cost is nothing.

use super::{DISKS, loss, patience_ms, shows_power_cut, wreck};
use crate::aim::Aim;
use crate::disk::Wreck;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::Script;
use std::ops::RangeInclusive;

/// The harm.
pub struct PowerLoss;

impl Fault for PowerLoss {
    fn pattern(&self) -> &'static str {
        "power-loss-{}"
    }

    fn about(&self) -> &'static str {
        "cut the power of {}: SIGKILL, and what it has not synced is lost; start it again after the hold"
    }

    fn evidence(&self) -> &'static str {
        "as kill, and its disk was set back to what was synced: how many changes were not, and what that cost"
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
        200..=patience_ms(aim, timing).max(200) + 1000
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        wreck(scene, asked, Wreck::PowerLoss { loss: loss(asked.pick) })
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_power_cut(episode, target))
    }
}
