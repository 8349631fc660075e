//! SIGTERM and start at once: what an operator does to change a setting.
//!
//! The node is away for as long as it takes to end and to recover, usually shorter than anybody's patience: no election
//! is forced, and clients must find it again under the same address.

use super::PROCESSES;
use crate::aim::Aim;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// The harm.
pub struct Restart;

impl Fault for Restart {
    fn pattern(&self) -> &'static str {
        "restart-{}"
    }

    fn about(&self) -> &'static str {
        "SIGTERM {} and start it again at once"
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

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        0..=0
    }

    fn duration_ms(&self, _: &Timing, _: u64) -> u64 {
        500
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let hurt = targets.iter().flat_map(|who| [Step::Terminate(*who), Step::Start(*who)]).collect();
        Ok(Script::on(&targets, hurt, Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| episode.shows_termination(target))
    }
}
