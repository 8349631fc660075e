//! SIGSTOP of a process, or of several at once; SIGCONT after the hold.
//!
//! A hold beyond the session's end makes a leader one of the past that does not know it: on SIGCONT it still holds
//! requests, and must not acknowledge them on its own. A follower that lags too long leaves the in-sync set; a correct
//! cluster acknowledges again from then on, if enough replicas are left, and lets it back in only when it has caught up.

use super::{PROCESSES, patience_ms};
use crate::actor::Actor;
use crate::aim::Aim;
use crate::episode::{Episode, Target};
use crate::fault::{Asked, Family, Fault};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// The harm.
pub struct Pause;

impl Fault for Pause {
    fn pattern(&self) -> &'static str {
        "pause-{}"
    }

    fn about(&self) -> &'static str {
        "SIGSTOP {}; SIGCONT after the hold"
    }

    fn evidence(&self) -> &'static str {
        "/proc state T at two samples, and, of a node, a request to it timed out or it lost a role"
    }

    fn family(&self) -> Family {
        Family::Pause
    }

    fn aims(&self) -> &'static [Aim] {
        PROCESSES
    }

    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
        300..=patience_ms(aim, timing).max(300) + 1500
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        timing.probe_ms + hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let each = |step: fn(_) -> Step| targets.iter().copied().map(step);
        let probes = targets.iter().filter_map(|who| who.node()).map(Step::Probe);
        let hurt = each(Step::Pause).chain(each(Step::Sample)).chain(probes);
        let hurt = hurt.chain([Step::Hold(asked.hold_ms)]).chain(each(Step::Sample)).collect();
        Ok(Script::on(&targets, hurt, each(Step::Resume).collect()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let silent = |target: &Target| matches!(target.who, Actor::Client(_)) || episode.shows_silence(target);
        episode.aimed().all(|target| episode.shows_stop(target) && silent(target))
    }
}
