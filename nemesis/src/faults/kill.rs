//! SIGKILL of a process, or of several at once; they are started again after the hold.
//!
//! A correct cluster loses nothing that was acknowledged by all in-sync replicas, and nothing at all from a dead node's
//! page cache: what reached `write()` survives SIGKILL. It goes on acknowledging as long as enough replicas are in sync.
//! Of a client, whatever was under way has an unknown outcome; its successor starts afresh.

use super::{PROCESSES, patience_ms};
use crate::aim::Aim;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// The harm.
pub struct Kill;

impl Fault for Kill {
    fn pattern(&self) -> &'static str {
        "kill-{}"
    }

    fn about(&self) -> &'static str {
        "SIGKILL {}; start it again after the hold"
    }

    fn evidence(&self) -> &'static str {
        "SIGKILL is the wait status of the pid that had the role just before, and another process took its place"
    }

    fn family(&self) -> Family {
        Family::Kill
    }

    fn aims(&self) -> &'static [Aim] {
        PROCESSES
    }

    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
        200..=patience_ms(aim, timing).max(200) + 1000
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let each = |step: fn(_) -> Step| targets.iter().copied().map(step);
        let hurt = each(Step::Kill).chain([Step::Hold(asked.hold_ms)]).collect();
        Ok(Script::on(&targets, hurt, each(Step::Start).collect()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| episode.shows_kill(target))
    }
}
