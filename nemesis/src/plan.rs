//! The schedule of a run: drawn from the seed before anything starts, pure, replayable.
//!
//! A plan says which fault on which log, after which gap and for how long; the roles of that log at that moment decide
//! who is hit. **Invariants:** the same seed, mix, time, logs and timing give the same plan; no episode is planned into
//! the last fifth of the time; where time allows, the telling fault (`kill-lagging-leader`) comes first, a pause
//! second, and each fault of the mix once before any comes again.

use crate::fault::{Family, FaultKind};
use crate::ground::Ground;
use crate::harm::Harm;
use crate::mix::Mix;
use crate::when::When;
use history::LogId;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

/// The version of the file; another one is refused.
pub const VERSION: u32 = 2;
/// The most episodes a plan may have.
pub const EPISODES_MAX: usize = 10_000;
/// The longest run, milliseconds: a week.
pub const TIME_MS_MAX: u64 = 7 * 24 * 3600 * 1000;
const WARM_UP_MS: (u64, u64) = (700, 1200);
const GAP_MS: (u64, u64) = (300, 2000);
/// A hold is cut to this share of the time, so that a short run still has several episodes.
const HOLD_SHARE: u64 = 8;
const GAP_SHARE: u64 = 20;
/// The rank of what need not come early.
const LAST: u8 = 5;

/// A schedule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// What it was drawn from.
    pub seed: u64,
    /// What it was drawn from.
    pub mix: Mix,
    /// How long the load runs, milliseconds.
    pub time_ms: u64,
    /// Nothing is started that would reach beyond this, milliseconds after the load's start. A plan written by hand
    /// has no such end: its episodes are started when they are due.
    pub quiet_from_ms: Option<u64>,
    /// What it was drawn for; an episode names one of its logs.
    pub ground: Ground,
    /// What is to be done.
    pub episodes: Vec<Planned>,
    /// In which order.
    #[serde(default)]
    pub order: Order,
    /// What each episode waits for; empty if all of them only wait for their gap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// Replicas of a log that may lose what they had not made durable in one episode; what would cost more is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsynced_replicas_max: Option<u32>,
}

/// In which order episodes are done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// One after the other; each waits for its turn.
    #[default]
    AsListed,
    /// Whichever is due and whose condition holds; of several the first.
    AsReady,
}

/// What an episode waits for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Not before, milliseconds after the load's start.
    pub at_ms: u64,
    /// Not after.
    #[serde(default)]
    pub until_ms: Option<u64>,
    /// Not unless this holds.
    #[serde(default)]
    pub when: Option<When>,
}

/// One episode to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What.
    pub fault: FaultKind,
    /// The log whose roles decide the target.
    pub log: LogId,
    /// From the end of the episode before (the load's start) to the injection, milliseconds.
    pub gap_ms: u64,
    /// How long the harm lasts, milliseconds; each fault says from when.
    pub hold_ms: u64,
    /// Decides where the roles leave a choice.
    pub pick: u32,
}

/// A plan that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is nothing to hit.
    #[error("a run needs at least one log")]
    NoLogs,
    /// Not one episode fits.
    #[error("{time_ms} ms is too short for an episode of `{mix}`: {needed_ms} ms are needed, or `none` as the faults")]
    TooShort {
        /// What was given.
        time_ms: u64,
        /// The faults.
        mix: Mix,
        /// What is needed.
        needed_ms: u64,
    },
    /// Longer than [`TIME_MS_MAX`].
    #[error("{0} ms is too long for a run: at most {TIME_MS_MAX} ms, a week")]
    TooLong(u64),
    /// The cluster's clocks forbid the fault.
    #[error("`{fault}` is impossible here: {why}")]
    Impossible {
        /// Which.
        fault: FaultKind,
        /// Why.
        why: String,
    },
    /// The text is no plan: bad JSON, an unknown fault, a negative number.
    #[error("not a plan: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A plan of another version.
    #[error("a plan of version {0}, this program reads version {VERSION}")]
    Version(u32),
    /// An episode contradicts the plan.
    #[error("episode {index}: {why}")]
    Episode {
        /// Its place.
        index: usize,
        /// What is wrong.
        why: String,
    },
    /// More than [`EPISODES_MAX`].
    #[error("{0} episodes, at most {EPISODES_MAX}")]
    TooMany(usize),
}

impl Plan {
    /// Draws a plan for `time_ms` of load on this ground.
    pub fn draw(seed: u64, mix: &Mix, time_ms: u64, ground: Ground) -> Result<Plan, PlanError> {
        let quiet_from_ms = Some(time_ms / 5 * 4);
        let mut plan = Plan { seed, mix: mix.clone(), quiet_from_ms, ..Plan::empty(time_ms, ground) };
        plan.check()?;
        plan.episodes = Draw::new(&plan).collect();
        if plan.episodes.is_empty() && !plan.mix.is_none() {
            return Err(plan.too_short());
        }
        Ok(plan)
    }

    /// The plan written by hand: the given episodes, whatever the mix would have been.
    pub fn scripted(time_ms: u64, ground: Ground, episodes: Vec<Planned>) -> Result<Plan, PlanError> {
        let plan = Plan { episodes, ..Plan::empty(time_ms, ground) };
        plan.check().map(|()| plan)
    }

    fn empty(time_ms: u64, ground: Ground) -> Plan {
        Plan {
            version: VERSION,
            seed: 0,
            mix: Mix::none(),
            time_ms,
            quiet_from_ms: None,
            ground,
            episodes: Vec::new(),
            order: Order::AsListed,
            triggers: Vec::new(),
            unsynced_replicas_max: None,
        }
    }

    /// Reads `plan.json`.
    pub fn parse(json: &str) -> Result<Plan, PlanError> {
        let plan: Plan = serde_json::from_str(json)?;
        plan.check().map(|()| plan)
    }

    /// Writes `plan.json`.
    pub fn to_json(&self) -> Result<String, PlanError> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    pub(crate) fn check(&self) -> Result<(), PlanError> {
        if self.version != VERSION {
            return Err(PlanError::Version(self.version));
        }
        if self.ground.logs == 0 {
            return Err(PlanError::NoLogs);
        }
        if self.time_ms > TIME_MS_MAX {
            return Err(PlanError::TooLong(self.time_ms));
        }
        if self.episodes.len() > EPISODES_MAX {
            return Err(PlanError::TooMany(self.episodes.len()));
        }
        for fault in self.mix.faults().chain(self.episodes.iter().map(|e| e.fault)) {
            if let Some(why) = fault.impossible(&self.ground) {
                return Err(PlanError::Impossible { fault, why });
            }
        }
        self.episodes
            .iter()
            .enumerate()
            .try_for_each(|(index, e)| self.check_episode(e).map_err(|why| PlanError::Episode { index, why }))
    }

    fn check_episode(&self, episode: &Planned) -> Result<(), String> {
        if episode.log.0 >= self.ground.logs {
            return Err(format!("log {} of {}", episode.log.0, self.ground.logs));
        }
        for (what, ms) in [("gap", episode.gap_ms), ("hold", episode.hold_ms)] {
            if ms > self.time_ms {
                return Err(format!("a {what} of {ms} ms in a run of {} ms", self.time_ms));
            }
        }
        Ok(())
    }

    fn too_short(&self) -> PlanError {
        let timing = &self.ground.timing;
        let shortest = |kind: FaultKind| kind.duration_ms(timing, *kind.hold_ms(timing).start());
        let episode = self.mix.faults().map(shortest).min().unwrap_or(0);
        let needed_ms = (WARM_UP_MS.1 + episode).div_ceil(4) * 5;
        PlanError::TooShort { time_ms: self.time_ms, mix: self.mix.clone(), needed_ms }
    }
}

/// Draws one episode after the other until the time is used up.
struct Draw<'a> {
    plan: &'a Plan,
    rng: Pcg64Mcg,
    at_ms: u64,
    count: usize,
    bag: Vec<FaultKind>,
}

impl<'a> Draw<'a> {
    fn new(plan: &'a Plan) -> Draw<'a> {
        Draw { plan, rng: Pcg64Mcg::seed_from_u64(plan.seed), at_ms: 0, count: 0, bag: Vec::new() }
    }

    fn gap_ms(&mut self) -> u64 {
        let (shortest, longest) = if self.count == 0 { WARM_UP_MS } else { GAP_MS };
        let share = if self.count == 0 { longest } else { self.plan.time_ms / GAP_SHARE };
        self.rng.random_range(shortest..=longest.min(share).max(shortest))
    }

    fn hold_ms(&mut self, fault: FaultKind) -> u64 {
        let range = fault.hold_ms(&self.plan.ground.timing);
        let longest = (*range.end()).min(self.plan.time_ms / HOLD_SHARE).max(*range.start());
        self.rng.random_range(*range.start()..=longest)
    }

    /// The harm must be over before the quiet end; recovery may use it.
    fn fits(&self, fault: FaultKind, gap_ms: u64, hold_ms: u64) -> bool {
        let over_ms = self.at_ms + gap_ms + fault.duration_ms(&self.plan.ground.timing, hold_ms);
        self.plan.quiet_from_ms.is_none_or(|quiet_ms| over_ms <= quiet_ms)
    }

    /// The next fault of the bag, which is filled and shuffled when it is empty; what must come early is put first.
    fn refill(&mut self) {
        if !self.bag.is_empty() {
            return;
        }
        self.bag = self.plan.mix.bag();
        self.bag.shuffle(&mut self.rng);
        if self.count == 0 {
            let first = |kind: &FaultKind| match kind.definition().family() {
                Family::Kill if kind.harm() == Harm::KillLagging => 0,
                Family::Pause => 1,
                Family::Network => 2,
                Family::Disk => 3,
                Family::Clock => 4,
                Family::Kill => LAST,
            };
            let urgent = |bag: &[FaultKind], rank| bag.iter().position(|kind| first(kind) == rank);
            let mut place = 0;
            for rank in 0..LAST {
                if let Some(at) = urgent(&self.bag[place..], rank) {
                    self.bag.swap(place, place + at);
                    place += 1;
                }
            }
        }
    }
}

impl Iterator for Draw<'_> {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        if self.count == EPISODES_MAX || self.plan.mix.is_none() {
            return None;
        }
        self.refill();
        let gap_ms = self.gap_ms();
        let holds: Vec<u64> = self.bag.clone().into_iter().map(|fault| self.hold_ms(fault)).collect();
        let at = (0..self.bag.len()).find(|&at| self.fits(self.bag[at], gap_ms, holds[at]))?;
        let (fault, hold_ms) = (self.bag.remove(at), holds[at]);
        let (log, pick) = (LogId(self.rng.random_range(0..self.plan.ground.logs)), self.rng.random());
        self.at_ms +=
            gap_ms + fault.duration_ms(&self.plan.ground.timing, hold_ms) + self.plan.ground.timing.recovery_ms;
        self.count += 1;
        Some(Planned { fault, log, gap_ms, hold_ms, pick })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Timing;

    fn kind(name: &str) -> FaultKind {
        name.parse().unwrap()
    }

    fn ground(logs: u32, timing: Timing) -> Ground {
        Ground { logs, timing, ..Ground::default() }
    }

    fn draw(seed: u64, time_ms: u64) -> Plan {
        Plan::draw(seed, &Mix::default(), time_ms, Ground::default()).unwrap()
    }

    #[test]
    fn a_thousand_seeds_give_valid_plans_that_end_quiet() {
        for seed in 0..1000 {
            for time_ms in [8_000, 10_000, 30_000, 300_000] {
                let plan = draw(seed, time_ms);
                assert!(!plan.episodes.is_empty() && plan.check().is_ok());
                let timing = &plan.ground.timing;
                let last = |e: &Planned| e.gap_ms + e.fault.duration_ms(timing, e.hold_ms) + timing.recovery_ms;
                assert!(
                    plan.episodes.iter().map(last).sum::<u64>() <= time_ms / 5 * 4 + timing.recovery_ms,
                    "{plan:?}"
                );
                assert_eq!(draw(seed, time_ms), plan);
                assert_eq!(Plan::parse(&plan.to_json().unwrap()).unwrap(), plan);
            }
        }
    }

    #[test]
    fn seeds_differ() {
        let plans: std::collections::HashSet<String> =
            (0..100).map(|seed| draw(seed, 30_000).to_json().unwrap()).collect();
        assert_eq!(plans.len(), 100);
    }

    #[test]
    fn the_telling_fault_comes_first_and_then_one_of_each_family() {
        for seed in 0..1000 {
            let faults: Vec<FaultKind> = draw(seed, 30_000).episodes.iter().map(|e| e.fault).collect();
            assert_eq!(faults[0], kind("kill-lagging-leader"), "{seed}");
            assert_eq!(faults[1].definition().family(), Family::Pause, "{seed}");
            let early = [Family::Kill, Family::Pause, Family::Network, Family::Disk, Family::Clock];
            let drawn: Vec<Family> =
                draw(seed, 60_000).episodes.iter().map(|e| e.fault.definition().family()).collect();
            assert_eq!(drawn[..5], early, "{seed}");
            assert_eq!(draw(seed, 10_000).episodes[0].fault, kind("kill-lagging-leader"), "{seed}");
            assert!(draw(seed, 10_000).episodes[0].gap_ms <= 1200);
        }
    }

    #[test]
    fn ten_seconds_hold_a_kill_and_a_pause_where_sessions_are_short() {
        let timing = Timing { lag_ms_max: 2000, session_ms: 1500, heartbeat_ms: 200, ..Timing::default() };
        for seed in 0..1000 {
            let plan = Plan::draw(seed, &Mix::default(), 10_000, ground(4, timing)).unwrap();
            let families: Vec<Family> = plan.episodes.iter().map(|e| e.fault.definition().family()).collect();
            assert_eq!(families[..2], [Family::Kill, Family::Pause], "{seed}");
        }
    }

    #[test]
    fn every_fault_of_the_mix_comes_once_before_any_comes_again() {
        for seed in 0..100 {
            let mut first: Vec<FaultKind> =
                draw(seed, 300_000).episodes.iter().take(Mix::default().faults().count()).map(|e| e.fault).collect();
            first.sort_unstable();
            assert_eq!(first, Mix::default().faults().collect::<Vec<_>>());
        }
    }

    #[test]
    fn where_the_telling_fault_does_not_fit_others_are_drawn() {
        let slow = Timing { session_ms: 9000, lag_ms_max: 30_000, heartbeat_ms: 2000, ..Timing::default() };
        let plan = Plan::draw(1, &Mix::default(), 10_000, ground(1, slow)).unwrap();
        assert!(plan.episodes.iter().all(|e| e.fault != kind("kill-lagging-leader")) && !plan.episodes.is_empty());
    }

    #[test]
    fn the_mix_none_gives_the_empty_plan() {
        assert_eq!(Plan::draw(1, &Mix::none(), 100, ground(1, Timing::default())).unwrap().episodes, []);
    }

    #[test]
    fn an_impossible_plan_says_why() {
        let draw = |time_ms, logs, timing| {
            Plan::draw(1, &Mix::default(), time_ms, ground(logs, timing)).unwrap_err().to_string()
        };
        let tight = Timing { lag_ms_max: 1000, ..Timing::default() };
        assert_eq!(draw(10_000, 0, Timing::default()), "a run needs at least one log");
        assert_eq!(
            draw(u64::MAX, 1, Timing::default()),
            format!("{} ms is too long for a run: at most {TIME_MS_MAX} ms, a week", u64::MAX)
        );
        assert!(draw(0, 1, Timing::default()).starts_with("0 ms is too short for an episode of `kill-leader,"));
        assert_eq!(
            draw(10_000, 1, tight),
            "`kill-lagging-leader` is impossible here: followers must miss appends for 750 ms, but leave the in-sync set after 250 ms"
        );
    }

    #[test]
    fn what_is_too_short_says_how_long_is_long_enough() {
        let here = ground(1, Timing::default());
        let mut possible = FaultKind::all().filter(|kind| kind.impossible(&here).is_none()).peekable();
        assert!(possible.peek().is_some());
        for kind in possible {
            let draw = |ms| Plan::draw(7, &Mix::only(kind), ms, ground(1, Timing::default()));
            let Err(PlanError::TooShort { needed_ms, .. }) = draw(1000) else { panic!("{kind} fits into a second") };
            assert!(draw(needed_ms * 2).is_ok(), "{kind} {needed_ms}");
        }
    }

    #[test]
    fn a_damaged_plan_is_refused_with_its_reason() {
        let whole = draw(1, 10_000).to_json().unwrap();
        for (from, to, why) in [
            ("\"version\": 2", "\"version\": 3", "version 3"),
            ("\"time_ms\": 10000", "\"time_ms\": -1", "invalid value: integer `-1`"),
            ("\"fault\": \"kill-lagging-leader\"", "\"fault\": \"kill-lagging-leder\"", "there is no fault"),
            ("\"logs\": 4", "\"logs\": 0", "at least one log"),
            ("\"log\": ", "\"log\": 9", "of 4"),
            ("\"hold_ms\": ", "\"hold_ms\": 99999", "a hold of"),
            ("\"seed\"", "\"sead\"", "unknown field"),
            ("}", "", "not a plan"),
        ] {
            let damaged = whole.replacen(from, to, 1);
            assert_ne!(damaged, whole, "{from}");
            let error = Plan::parse(&damaged).unwrap_err().to_string();
            assert!(error.contains(why), "{error} should contain {why}");
        }
        assert!((0..whole.len()).all(|cut| Plan::parse(&whole[..cut]).is_err()));
    }
}
