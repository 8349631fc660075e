//! Wall clocks jump, forwards or back, and jump again when they are mended.
//!
//! By no more than half an hour: beyond an hour Kafka rejects records for their times (`message.timestamp.after.max.ms`), beyond a day
//! it forgets idempotent producers (`producer.id.expiration.ms`), and both are as documented.

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
pub struct ClockJump;

impl Fault for ClockJump {
    fn pattern(&self) -> &'static str {
        "clock-jump-{}"
    }

    fn about(&self) -> &'static str {
        "the wall clock of {} jumps by 2 s to 30 min, forwards or back, for the hold"
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
        const JUMPS_MS: [i64; 8] = [2_000, -2_000, 60_000, -60_000, 600_000, -600_000, 1_800_000, -1_800_000];
        let ms = JUMPS_MS[asked.pick as usize % JUMPS_MS.len()];
        skew_clocks(scene, asked, Skew::Jump { ms }, most_of(ms.unsigned_abs()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_told(episode, target))
    }
}
