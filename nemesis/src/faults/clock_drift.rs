//! Wall clocks run too fast or too slow.

use super::{CLOCKS, most_of, shows_told, skew_clocks, wrong_ms};
use crate::aim::Aim;
use crate::episode::Episode;
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::skew::Skew;
use crate::step::Script;
use std::ops::RangeInclusive;

/// The harm.
pub struct ClockDrift;

impl Fault for ClockDrift {
    fn pattern(&self) -> &'static str {
        "clock-drift-{}"
    }

    fn about(&self) -> &'static str {
        "the wall clock of {} gains or loses 2 to 90 % for the hold"
    }

    fn evidence(&self) -> &'static str {
        "it was told times at least 80 % as wrong as asked"
    }

    fn family(&self) -> Family {
        Family::Clock
    }

    fn need(&self) -> Need {
        Need::Clock
    }

    fn aims(&self) -> &'static [Aim] {
        CLOCKS
    }

    fn hold_ms(&self, aim: Aim, timing: &Timing) -> RangeInclusive<u64> {
        wrong_ms(aim, timing)
    }

    fn duration_ms(&self, _: &Timing, hold_ms: u64) -> u64 {
        hold_ms
    }

    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        const DRIFTS_PPM: [i64; 6] = [20_000, -20_000, 200_000, -200_000, 900_000, -900_000];
        let ppm = DRIFTS_PPM[asked.pick as usize % DRIFTS_PPM.len()];
        let off_ms = asked.hold_ms.saturating_mul(ppm.unsigned_abs()) / 1_000_000;
        skew_clocks(scene, asked, Skew::Drift { ppm }, most_of(off_ms))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_told(episode, target))
    }
}
