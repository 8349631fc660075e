//! A process that gets the processor a fifth of the time: SIGSTOP and SIGCONT in turn.
//!
//! It answers, late; heartbeats arrive, barely. Timeouts that are too tight fire without anything being broken.

use super::PROCESSES;
use crate::aim::Aim;
use crate::episode::{Episode, Evidence};
use crate::fault::{Asked, Family, Fault};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// How long it runs, then how long it stands still, milliseconds.
const CYCLE_MS: (u64, u64) = (20, 80);
/// Full cycles that must have been seen.
const CYCLES_MIN: u32 = 3;

/// The harm.
pub struct Throttle;

impl Fault for Throttle {
    fn pattern(&self) -> &'static str {
        "throttle-{}"
    }

    fn about(&self) -> &'static str {
        "give {} the processor a fifth of the time by SIGSTOP and SIGCONT in turn"
    }

    fn evidence(&self) -> &'static str {
        "/proc state T after each of three SIGSTOPs or more, and not T after as many SIGCONTs"
    }

    fn family(&self) -> Family {
        Family::Pause
    }

    fn aims(&self) -> &'static [Aim] {
        PROCESSES
    }

    fn hold_ms(&self, _: Aim, _: &Timing) -> RangeInclusive<u64> {
        1000..=4000
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let who = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let hurt = vec![Step::Throttle { who: who.clone(), cycle_ms: CYCLE_MS, for_ms: asked.hold_ms }];
        Ok(Script::on(&who, hurt, Vec::new()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| {
            episode.evidence.iter().any(|e| {
                matches!(e, Evidence::Throttled { who, stops, runs }
                    if *who == target.who && *stops >= CYCLES_MIN && *runs >= CYCLES_MIN)
            })
        })
    }
}
