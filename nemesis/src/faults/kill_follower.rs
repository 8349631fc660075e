//! SIGKILL of a node that follows a log; it is started again over its old folder after the hold.
//!
//! A correct cluster goes on acknowledging as long as enough replicas are in sync, and the node catches up.

use super::kill;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Script, Timing};
use crate::scene::{Scene, Skip};
use std::ops::RangeInclusive;

/// The fault.
pub struct KillFollower;

impl Fault for KillFollower {
    fn name(&self) -> &'static str {
        "kill-follower"
    }

    fn about(&self) -> &'static str {
        "SIGKILL a node that follows a log; start it again after the hold"
    }

    fn evidence(&self) -> &'static str {
        "SIGKILL is the wait status of the pid that followed just before, and another process took its place"
    }

    fn family(&self) -> Family {
        Family::Kill
    }

    fn hold_ms(&self, timing: &Timing) -> RangeInclusive<u64> {
        200..=timing.lag_ms_max.max(200) + 1000
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        scene.follower(asked.log, asked.pick).map(|follower| kill(follower, asked.hold_ms))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let follows = episode.target().is_some_and(|target| target.follows.contains(&episode.log));
        follows && episode.target().is_some_and(|target| episode.shows_kill(target))
    }
}
