//! SIGTERM of a process, or of several at once: it may hand over and flush first. It is started again after the hold.
//!
//! A controlled shutdown moves leadership before the node ends; nothing that was acknowledged may be lost on the way.

use super::{PROCESSES, patience_ms};
use crate::aim::Aim;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// The harm.
pub struct Terminate;

impl Fault for Terminate {
    fn pattern(&self) -> &'static str {
        "terminate-{}"
    }

    fn about(&self) -> &'static str {
        "SIGTERM {} and wait for its end; start it again after the hold"
    }

    fn evidence(&self) -> &'static str {
        "the pid that had the role just before ended by SIGTERM or with code 0 or 143, and another process took its place"
    }

    fn family(&self) -> Family {
        Family::Kill
    }

    fn aims(&self) -> &'static [Aim] {
        PROCESSES
    }

    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
        100..=patience_ms(aim, timing).max(200) + 500
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms + 500
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let each = |step: fn(_) -> Step| targets.iter().copied().map(step);
        let hurt = each(Step::Terminate).chain([Step::Hold(asked.hold_ms)]).collect();
        Ok(Script::on(&targets, hurt, each(Step::Start).collect()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| episode.shows_termination(target))
    }
}
