//! SIGSTOP of the node that leads a log, SIGCONT after the hold.
//!
//! A hold beyond the session's end makes it a leader of the past that does not know it: on SIGCONT it still holds
//! requests, and must not acknowledge them on its own.

use super::pause;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Script, Timing};
use crate::scene::{Scene, Skip};
use std::ops::RangeInclusive;

/// The fault.
pub struct PauseLeader;

impl Fault for PauseLeader {
    fn name(&self) -> &'static str {
        "pause-leader"
    }

    fn about(&self) -> &'static str {
        "SIGSTOP the node that leads a log; SIGCONT after the hold"
    }

    fn evidence(&self) -> &'static str {
        "/proc state T at two samples, and a request to it timed out or it lost a role"
    }

    fn family(&self) -> Family {
        Family::Pause
    }

    fn hold_ms(&self, timing: &Timing) -> RangeInclusive<u64> {
        300..=timing.session_ms.max(300) + 1500
    }

    fn duration_ms(&self, timing: &Timing, hold_ms: u64) -> u64 {
        timing.probe_ms + hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        scene.leader(asked.log).map(|(leader, _)| pause(leader, asked.hold_ms))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let led = |log| episode.target().is_some_and(|t| t.leads.iter().any(|led| led.log == log));
        led(episode.log) && episode.target().is_some_and(|t| episode.shows_stop(t) && episode.shows_silence(t))
    }
}
