//! The power fails while the disk is at it: fsync takes long, appends go on, and then everything that was not synced is gone.
//!
//! ```text
//! node  append fsync──────────── append append ✂ power     start──▶ its log ends where the last sync that was done began
//! ```
//! Where `flush.messages=1` promises that what is acknowledged is on disk, nothing is acknowledged while a sync is under way.
//! A power loss between two quick syncs hardly ever finds anything un-synced.

use super::{DISKS, loss, mended, nodes, patience_ms, shows_wreck, wrecked};
use crate::actor::Actor;
use crate::aim::Aim;
use crate::disk::{DiskFault, Wreck};
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::{ATTEMPTS_MS, Script, Step};
use std::ops::RangeInclusive;

/// What an fsync takes longer, milliseconds.
const SYNC_MS: u64 = 700;

/// The harm.
pub struct MidSync;

impl Fault for MidSync {
    fn pattern(&self) -> &'static str {
        "power-loss-{}-mid-sync"
    }

    fn about(&self) -> &'static str {
        "slow the fsync of {} down, let appends come, cut the power, start again after the hold"
    }

    fn evidence(&self) -> &'static str {
        "as power-loss"
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
        SYNC_MS * 2 + ATTEMPTS_MS + hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = nodes(scene, asked)?;
        let slow = targets.iter().map(|node| Step::Break(*node, DiskFault::FsyncSlow { ms: SYNC_MS }));
        let appends = Step::AwaitStale { log: asked.log, settle_ms: SYNC_MS, at_most_ms: SYNC_MS + ATTEMPTS_MS * 2 };
        let wreck = wrecked(&targets, Wreck::PowerLoss { loss: loss(asked.pick) });
        let hurt = slow.chain([appends]).chain(wreck).chain([Step::Hold(asked.hold_ms)]).collect();
        let who: Vec<Actor> = targets.iter().copied().map(Actor::Node).collect();
        Ok(Script::on(&who, hurt, mended(&targets)))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_wreck(episode, target))
    }
}
