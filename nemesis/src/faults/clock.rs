//! Wall clocks that jump, that run too fast or too slow, or that jump there and back again, over and over.
//!
//! By no more than half an hour: beyond an hour Kafka rejects records for their times (`message.timestamp.after.max.ms`), beyond a day
//! it forgets idempotent producers (`producer.id.expiration.ms`), and both are as documented. The monotonic clock is never touched.

use super::wrong_ms;
use crate::aim::Aim;
use crate::episode::{Episode, Evidence, Target};
use crate::fault::{Asked, Family, Fault, Need};
use crate::ground::Timing;
use crate::scene::{Scene, Skip};
use crate::skew::Skew;
use crate::step::{Script, Step};
use std::ops::RangeInclusive;

/// Whose wall clock can be hit.
const CLOCKS: &[Aim] = &[
    Aim::Leader,
    Aim::Follower,
    Aim::GroupCoordinator,
    Aim::TransactionCoordinator,
    Aim::All,
    Aim::Some,
    Aim::Minority,
    Aim::Majority,
    Aim::Producer,
    Aim::Consumer,
];

/// How long somebody may take to be told a wrong time after the hold, milliseconds: clocks are read all the time.
const TOLD_MS_MAX: u64 = 5_000;

/// The harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// Forwards or back, and again when it is mended.
    Jump,
    /// Too fast or too slow.
    Drift,
    /// There and back, over and over.
    Strobe,
}

impl Clock {
    /// How it goes wrong, and by how many milliseconds at the end of the hold.
    fn skew(self, asked: Asked) -> (Skew, u64) {
        const JUMPS_MS: [i64; 8] = [2_000, -2_000, 60_000, -60_000, 600_000, -600_000, 1_800_000, -1_800_000];
        const DRIFTS_PPM: [i64; 6] = [20_000, -20_000, 200_000, -200_000, 900_000, -900_000];
        const STROBES_MS: [i64; 4] = [1_000, -1_000, 60_000, -60_000];
        const STROBE_RANGE_MS: u32 = 180;
        let drawn = |from: &[i64]| from[asked.pick as usize % from.len()];
        match self {
            Clock::Jump => {
                let ms = drawn(&JUMPS_MS);
                (Skew::Jump { ms }, ms.unsigned_abs())
            }
            Clock::Drift => {
                let ppm = drawn(&DRIFTS_PPM);
                (Skew::Drift { ppm }, asked.hold_ms.saturating_mul(ppm.unsigned_abs()) / 1_000_000)
            }
            Clock::Strobe => {
                let (ms, every_ms) = (drawn(&STROBES_MS), u64::from(20 + asked.pick % STROBE_RANGE_MS));
                (Skew::Strobe { ms, every_ms }, ms.unsigned_abs())
            }
        }
    }
}

impl Fault for Clock {
    fn pattern(&self) -> &'static str {
        match self {
            Clock::Jump => "clock-jump-{}",
            Clock::Drift => "clock-drift-{}",
            Clock::Strobe => "clock-strobe-{}",
        }
    }

    fn about(&self) -> &'static str {
        match self {
            Clock::Jump => "the wall clock of {} jumps by 2 s to 30 min, forwards or back, for the hold",
            Clock::Drift => "the wall clock of {} gains or loses 2 to 90 % for the hold",
            Clock::Strobe => "the wall clock of {} jumps by 1 or 60 s, there and back every 20 to 200 ms, for the hold",
        }
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

    /// The hold is longer if nobody was told by its end.
    fn script(&self, scene: &Scene, asked: Asked, _: &Timing) -> Result<Script, Skip> {
        let targets = asked.aim.resolve(scene, asked.log, asked.pick)?;
        let (skew, by_ms) = self.skew(asked);
        let off_ms = most_of(by_ms);
        let skewed = targets.iter().map(|who| Step::Skew(*who, skew));
        let told = targets.iter().map(|who| Step::AwaitTold { who: *who, off_ms, at_most_ms: TOLD_MS_MAX });
        let hurt = skewed.chain([Step::Hold(asked.hold_ms)]).chain(told).collect();
        Ok(Script::on(&targets, hurt, targets.iter().copied().map(Step::Mend).collect()))
    }

    fn effective(&self, episode: &Episode) -> bool {
        episode.aimed().all(|target| shows_told(episode, target))
    }
}

/// Of what is asked, 80 %: a clock is read at moments of its own.
fn most_of(asked_ms: u64) -> u64 {
    asked_ms / 5 * 4 + asked_ms % 5 * 4 / 5
}

/// True if the target was told times as wrong as they were meant to be.
fn shows_told(episode: &Episode, target: &Target) -> bool {
    episode.evidence.iter().any(|e| match e {
        Evidence::ClockTold { who, asked_ms, reading } => {
            *who == target.who && reading.skewed > 0 && reading.off_ms() >= (*asked_ms).max(1)
        }
        _ => false,
    })
}
