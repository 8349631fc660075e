//! Wall clocks jump there and back again, over and over.

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
pub struct ClockStrobe;

impl Fault for ClockStrobe {
    fn pattern(&self) -> &'static str {
        "clock-strobe-{}"
    }

    fn about(&self) -> &'static str {
        "the wall clock of {} jumps by 1 or 60 s, there and back every 20 to 200 ms, for the hold"
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
        const JUMPS_MS: [i64; 4] = [1_000, -1_000, 60_000, -60_000];
        const RANGE_MS: u32 = 180;
        let ms = JUMPS_MS[asked.pick as usize % JUMPS_MS.len()];
        let every_ms = u64::from(20 + asked.pick % RANGE_MS);
        skew_clocks(scene, asked, Skew::Strobe { ms, every_ms }, most_of(ms.unsigned_abs()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_told(episode, target))
    }
}
