//! SIGKILL of the node that leads a log; it is started again over its old folder after the hold.
//!
//! A correct cluster loses nothing that was acknowledged by all in-sync replicas, and nothing at all from the dead
//! node's page cache: what reached `write()` survives SIGKILL.

use super::kill;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Script, Timing};
use crate::scene::{Scene, Skip};
use std::ops::RangeInclusive;

/// The fault.
pub struct KillLeader;

impl Fault for KillLeader {
    fn name(&self) -> &'static str {
        "kill-leader"
    }

    fn about(&self) -> &'static str {
        "SIGKILL the node that leads a log; start it again after the hold"
    }

    fn evidence(&self) -> &'static str {
        "SIGKILL is the wait status of the pid that led just before, and another process took its place"
    }

    fn family(&self) -> Family {
        Family::Kill
    }

    fn hold_ms(&self, timing: &Timing) -> RangeInclusive<u64> {
        200..=timing.session_ms.max(200) + 1000
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        scene.leader(asked.log).map(|(leader, _)| kill(leader, asked.hold_ms))
    }

    fn effective(&self, episode: &Episode) -> bool {
        let led = |log| episode.target().is_some_and(|t| t.leads.iter().any(|led| led.log == log));
        led(episode.log) && episode.target().is_some_and(|target| episode.shows_kill(target))
    }
}
