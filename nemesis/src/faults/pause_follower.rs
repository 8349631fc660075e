//! SIGSTOP of a node that follows a log, SIGCONT after the hold.
//!
//! A hold beyond the allowed lag makes it leave the in-sync set; a correct cluster acknowledges again from then on, if
//! enough replicas are left, and lets it back in only when it has caught up.

use super::pause;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Script, Timing};
use crate::scene::{Scene, Skip};
use std::ops::RangeInclusive;

/// The fault.
pub struct PauseFollower;

impl Fault for PauseFollower {
    fn name(&self) -> &'static str {
        "pause-follower"
    }

    fn about(&self) -> &'static str {
        "SIGSTOP a node that follows a log; SIGCONT after the hold"
    }

    fn evidence(&self) -> &'static str {
        "/proc state T at two samples, and a request to it timed out or it lost a role"
    }

    fn family(&self) -> Family {
        Family::Pause
    }

    fn hold_ms(&self, timing: &Timing) -> RangeInclusive<u64> {
        300..=timing.lag_ms_max.max(300) + 1500
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        timing.probe_ms + hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        scene.follower(asked.log, asked.pick).map(|follower| pause(follower, asked.hold_ms))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let follows = episode.target().is_some_and(|target| target.follows.contains(&episode.log));
        follows && episode.target().is_some_and(|t| episode.shows_stop(t) && episode.shows_silence(t))
    }
}
