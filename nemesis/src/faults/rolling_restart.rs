//! Every broker restarted one after the other, each only once the cluster is whole again: an upgrade.
//!
//! Done right it is invisible; every log changes its leader at least once, and nothing that was acknowledged is lost.

use crate::aim::Aim;
use crate::episode::{Episode, Evidence};
use crate::fault::{Asked, Family, Fault};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// How long the cluster may take to be whole again after each, milliseconds.
const WHOLE_MS_MAX: u64 = 10_000;
/// What a restart usually takes until the cluster is whole again, milliseconds.
const EACH_MS: u64 = 1_000;

/// The harm.
pub struct RollingRestart;

impl Fault for RollingRestart {
    fn pattern(&self) -> &'static str {
        "rolling-restart"
    }

    fn about(&self) -> &'static str {
        "SIGTERM and start every broker, one after the other, each once the cluster is whole again"
    }

    fn evidence(&self) -> &'static str {
        "every broker's pid ended by SIGTERM and another took its place, and a log was led under a later epoch"
    }

    fn family(&self) -> Family {
        Family::Kill
    }

    fn aims(&self) -> &'static [Aim] {
        &[Aim::Cluster]
    }

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        0..=0
    }

    fn duration_ms(&self, timing: &Timing, _: u64) -> u64 {
        3 * (EACH_MS + timing.session_ms / 2)
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let brokers = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let one = |who| [Step::Terminate(who), Step::Start(who), Step::AwaitWhole { at_most_ms: WHOLE_MS_MAX }];
        let hurt = brokers.iter().copied().flat_map(one).collect();
        Ok(Script::on(&brokers, hurt, Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let moved = |e: &Evidence| matches!(e, Evidence::LeaderMoved { .. });
        episode.aimed().all(|target| episode.shows_termination(target)) && episode.evidence.iter().any(moved)
    }
}
