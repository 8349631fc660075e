//! A schedule as users write it, in TOML, and the plan that it becomes.
//!
//! ```toml
//! [[fault]]                       # again and again, in any order, each when it is due and its condition holds
//! kind = "pause-leader"
//! every = "8s"                    # or "6s..10s"
//! for = "2s..9s"
//!
//! [[fault]]
//! kind = "kill-leader"
//! when = "ack-within(50ms) && follower-lag>=1"
//!
//! [floors]                        # effective episodes; below: inconclusive
//! "kill-leader" = 1
//! ```
//! Instead of `[[fault]]`: `[[step]]`, one after the other, each as soon as its condition holds; or `[[mix]]`, each drawn
//! from for a while and followed by quiet, in turn. **Invariant:** whatever names an unknown fault or condition, a
//! negative duration or a target that cannot be is refused before anything starts.

use crate::fault::FaultKind;
use crate::ground::Ground;
use crate::mix::Mix;
use crate::plan::{EPISODES_MAX, Order, Plan, PlanError, Planned, Trigger};
use crate::when::{When, duration_ms};
use history::LogId;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Largest file read, bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// A schedule.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Schedule {
    /// Each again and again, or once.
    pub fault: Vec<Repeated>,
    /// One after the other.
    pub step: Vec<Stepwise>,
    /// In turn.
    pub mix: Vec<Rotation>,
    /// Effective episodes by fault, `*` for each that is asked for.
    pub floors: BTreeMap<String, u32>,
    /// What faults may cost before a loss is expected.
    pub budget: Option<Budget>,
}

/// A fault that comes again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeated {
    /// What.
    pub kind: FaultKind,
    /// From one to the next; once if absent.
    pub every: Option<Span>,
    /// How long; what is useful if absent.
    #[serde(rename = "for")]
    pub hold: Option<Span>,
    /// Not unless this holds.
    pub when: Option<When>,
    /// The log whose roles decide; drawn if absent.
    pub log: Option<u32>,
    /// At most so often.
    pub times: Option<u32>,
}

/// A step of a script.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stepwise {
    /// What.
    pub kind: FaultKind,
    /// Not before this holds.
    pub when: Option<When>,
    /// How long; the least that is useful if absent.
    #[serde(rename = "for")]
    pub hold: Option<Span>,
    /// The log whose roles decide; the first if absent.
    pub log: Option<u32>,
}

/// A mix for a while, then quiet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// What is drawn from.
    pub faults: Mix,
    /// How long.
    #[serde(rename = "for")]
    pub time: Span,
    /// How long nothing is broken afterwards.
    pub quiet: Option<Span>,
}

/// What faults may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Budget {
    /// Replicas of a log that may lose what they had not made durable at the same time; a fault that would cost more is
    /// skipped.
    pub unsynced_replicas: u32,
}

/// `8s`, or `2s..9s`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    /// Least, milliseconds.
    pub from_ms: u64,
    /// Most, milliseconds.
    pub to_ms: u64,
}

/// A schedule that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// It is not TOML, or not a schedule.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// Nothing is to be done, or in more than one order.
    #[error("a schedule has [[fault]], [[step]] or [[mix]], one of the three")]
    OneOfThree,
}

impl Schedule {
    /// Reads a schedule. Errors name line and column.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        let schedule: Schedule = toml::from_str(text)?;
        let kinds = [schedule.fault.is_empty(), schedule.step.is_empty(), schedule.mix.is_empty()];
        if kinds.iter().filter(|empty| !**empty).count() == 1 { Ok(schedule) } else { Err(ScheduleError::OneOfThree) }
    }

    /// Every fault it names.
    pub fn faults(&self) -> Vec<FaultKind> {
        let named = self.fault.iter().map(|f| f.kind).chain(self.step.iter().map(|s| s.kind));
        named.chain(self.mix.iter().flat_map(|m| m.faults.faults())).collect()
    }

    /// Takes away every fault of which `keep` says no. A mix that is left empty is quiet.
    pub fn retain(&mut self, mut keep: impl FnMut(FaultKind) -> bool) {
        self.fault.retain(|fault| keep(fault.kind));
        self.step.retain(|step| keep(step.kind));
        for rotation in &mut self.mix {
            rotation.faults = rotation.faults.retain(&mut keep);
        }
    }

    /// The plan for `time_ms` of load on this ground.
    pub fn plan(&self, seed: u64, time_ms: u64, ground: Ground) -> Result<Plan, PlanError> {
        let mut draw = Draw { rng: Pcg64Mcg::seed_from_u64(seed), ground, time_ms, found: Vec::new() };
        let order = if self.fault.is_empty() { Order::AsListed } else { Order::AsReady };
        self.fault.iter().try_for_each(|fault| draw.repeat(fault))?;
        self.step.iter().try_for_each(|step| draw.step(step))?;
        if !self.mix.is_empty() {
            draw.rotate(&self.mix, seed)?;
        }
        draw.found.sort_by_key(|(_, trigger)| trigger.at_ms);
        let (episodes, triggers) = draw.found.into_iter().unzip();
        let plan = Plan::scripted(time_ms, ground, episodes)?;
        let unsynced_replicas_max = self.budget.map(|budget| budget.unsynced_replicas);
        let plan = Plan { seed, quiet_from_ms: Some(time_ms), order, triggers, unsynced_replicas_max, ..plan };
        plan.check().map(|()| plan)
    }
}

/// Draws what the schedule leaves open.
struct Draw {
    rng: Pcg64Mcg,
    ground: Ground,
    time_ms: u64,
    found: Vec<(Planned, Trigger)>,
}

impl Draw {
    fn repeat(&mut self, fault: &Repeated) -> Result<(), PlanError> {
        let mut at_ms = 0;
        for _ in 0..fault.times.unwrap_or(u32::MAX) {
            at_ms += fault.every.map_or(0, |every| self.within(every).max(1));
            if at_ms >= self.time_ms && self.time_ms > 0 {
                break;
            }
            let hold = fault.hold.unwrap_or_else(|| useful(fault.kind, &self.ground));
            let log = fault.log.unwrap_or_else(|| self.rng.random_range(0..self.ground.logs.max(1)));
            let trigger = Trigger { at_ms, until_ms: None, when: fault.when.clone() };
            self.add(fault.kind, log, hold, trigger)?;
            if fault.every.is_none() && fault.times.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Stepwise) -> Result<(), PlanError> {
        let useful = useful(step.kind, &self.ground);
        let hold = step.hold.unwrap_or(Span { to_ms: useful.from_ms, ..useful });
        let trigger = Trigger { at_ms: 0, until_ms: None, when: step.when.clone() };
        self.add(step.kind, step.log.unwrap_or(0), hold, trigger)
    }

    /// Each mix in turn, until the time is over.
    fn rotate(&mut self, mixes: &[Rotation], seed: u64) -> Result<(), PlanError> {
        let mut from_ms = 0;
        for (turn, mix) in mixes.iter().cycle().enumerate() {
            let time_ms = self.within(mix.time).max(1).min(self.time_ms.saturating_sub(from_ms));
            let until_ms = Some(from_ms + time_ms);
            // The plan of a window ends with a quiet fifth; here quiet comes after the window.
            match Plan::draw(seed.wrapping_add(turn as u64), &mix.faults, time_ms / 4 * 5, self.ground) {
                Ok(plan) => {
                    let trigger = Trigger { at_ms: from_ms, until_ms, when: None };
                    self.found.extend(plan.episodes.into_iter().map(|planned| (planned, trigger.clone())));
                }
                Err(PlanError::TooShort { .. }) if turn > 0 => (),
                Err(error) => return Err(error),
            }
            from_ms += time_ms + mix.quiet.map_or(0, |quiet| self.within(quiet));
            if from_ms >= self.time_ms || self.found.len() > EPISODES_MAX {
                return Ok(());
            }
        }
        Ok(())
    }

    fn add(&mut self, fault: FaultKind, log: u32, hold: Span, trigger: Trigger) -> Result<(), PlanError> {
        if self.found.len() == EPISODES_MAX {
            return Err(PlanError::TooMany(EPISODES_MAX + 1));
        }
        let (hold_ms, pick) = (self.within(hold), self.rng.random());
        self.found.push((Planned { fault, log: LogId(log), gap_ms: 0, hold_ms, pick }, trigger));
        Ok(())
    }

    fn within(&mut self, span: Span) -> u64 {
        self.rng.random_range(span.from_ms..=span.to_ms)
    }
}

fn useful(kind: FaultKind, ground: &Ground) -> Span {
    let range = kind.hold_ms(&ground.timing);
    Span { from_ms: *range.start(), to_ms: *range.end() }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Span, String> {
        let (from, to) = text.split_once("..").unwrap_or((&text, &text));
        let ms = |part: &str| duration_ms(part).ok_or_else(|| format!("`{text}` is no duration; write 8s, or 2s..9s"));
        let (from_ms, to_ms) = (ms(from)?, ms(to)?);
        if from_ms > to_ms { Err(format!("`{text}` ends before it begins")) } else { Ok(Span { from_ms, to_ms }) }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from_ms == self.to_ms {
            true => write!(f, "{}ms", self.from_ms),
            false => write!(f, "{}ms..{}ms", self.from_ms, self.to_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<Plan, String> {
        let schedule = Schedule::parse(text).map_err(|e| e.to_string())?;
        schedule.plan(7, 60_000, Ground::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn faults_come_again_and_an_anchored_one_waits_for_its_event() {
        let text = "[[fault]]\nkind = \"pause-leader\"\nevery = \"8s\"\nfor = \"2s..9s\"\n\
                    [[fault]]\nkind = \"kill-leader\"\nwhen = \"ack-within(50ms) && follower-lag>=1\"\n";
        let plan = plan(text).unwrap();
        let pauses: Vec<u64> = plan.triggers.iter().filter(|t| t.when.is_none()).map(|t| t.at_ms).collect();
        assert_eq!(pauses, [8000, 16_000, 24_000, 32_000, 40_000, 48_000, 56_000]);
        assert_eq!((plan.episodes.len(), plan.order), (8, Order::AsReady));
        assert_eq!(plan.episodes[0].fault.name(), "kill-leader");
        assert!(plan.episodes[1..].iter().all(|e| (2000..=9000).contains(&e.hold_ms)));
        assert_eq!(Plan::parse(&plan.to_json().unwrap()).unwrap(), plan);
    }

    #[test]
    fn the_examples_are_schedules() {
        for (text, episodes_min) in [
            (include_str!("../../tests/schedules/anchored.toml"), 6),
            (include_str!("../../tests/schedules/steps.toml"), 3),
            (include_str!("../../tests/schedules/turns.toml"), 4),
        ] {
            let plan = plan(text).unwrap();
            assert!(plan.episodes.len() >= episodes_min, "{}: {text}", plan.episodes.len());
        }
    }

    #[test]
    fn a_fault_that_is_left_out_leaves_the_others() {
        let mut schedule = Schedule::parse(include_str!("../../tests/schedules/turns.toml")).unwrap();
        schedule.retain(|kind| kind.definition().family() != crate::fault::Family::Clock);
        let names: Vec<String> = schedule.faults().into_iter().map(FaultKind::name).collect();
        assert!(names.contains(&"disk-slow-leader".to_owned()) && !names.contains(&"clock-jump-leader".to_owned()));
        schedule.retain(|_| false);
        assert_eq!(schedule.plan(7, 60_000, Ground::default()).unwrap().episodes, []);
    }

    #[test]
    fn steps_keep_their_order_and_mixes_their_turns() {
        let steps = "[[step]]\nkind = \"pause-follower\"\nwhen = \"acked>=1000\"\n[[step]]\nkind = \"kill-leader\"\nfor = \"1s\"\n";
        let steps = plan(steps).unwrap();
        assert_eq!(steps.order, Order::AsListed);
        assert_eq!(
            steps.episodes.iter().map(|e| e.fault.name()).collect::<Vec<_>>(),
            ["pause-follower", "kill-leader"]
        );
        let mixes = "[[mix]]\nfaults = \"kill-leader\"\nfor = \"15s\"\nquiet = \"5s\"\n[[mix]]\nfaults = \"pause-follower\"\nfor = \"10s\"\n";
        let mixes = plan(mixes).unwrap();
        let kinds = |from: u64, to: u64| {
            let of = mixes.episodes.iter().zip(&mixes.triggers).filter(|(_, t)| (from..to).contains(&t.at_ms));
            of.map(|(e, _)| e.fault.name()).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(kinds(0, 15_000).into_iter().collect::<Vec<_>>(), ["kill-leader"]);
        assert_eq!(kinds(20_000, 30_000).into_iter().collect::<Vec<_>>(), ["pause-follower"]);
        assert!(mixes.triggers.iter().all(|t| t.until_ms.is_some_and(|until| until > t.at_ms)));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_reason() {
        for (text, why) in [
            ("", "one of the three"),
            ("[[fault]]\nkind = \"kill-leeder\"\n", "did you mean `kill-leader`"),
            ("[[fault]]\nkind = \"kill-leader\"\nevery = \"-8s\"\n", "`-8s` is no duration"),
            ("[[fault]]\nkind = \"kill-leader\"\nevery = \"9s..2s\"\n", "ends before it begins"),
            ("[[fault]]\nkind = \"kill-leader\"\nwhen = \"moon>=1\"\n", "`moon>=1` is no condition"),
            ("[[fault]]\nkind = \"kill-leader\"\nlog = 9\n", "log 9 of 4"),
            ("[[fault]]\nkind = \"kill-leader\"\nevry = \"1s\"\n", "unknown field `evry`"),
            ("[[fault]]\nkind = \"kill-leader\"\nfor = \"2h\"\n", "a hold of 7200000 ms"),
            ("[[step]]\nkind = \"kill-leader\"\n[[fault]]\nkind = \"kill-leader\"\n", "one of the three"),
            ("[[fault]\n", "TOML"),
        ] {
            let refused = plan(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
        let few = Ground { brokers: 1, replication: 1, ..Ground::default() };
        let follower = Schedule::parse("[[fault]]\nkind = \"kill-follower\"\n").unwrap();
        let refused = follower.plan(7, 60_000, few).unwrap_err().to_string();
        assert_eq!(refused, "`kill-follower` is impossible here: a log of one replica has no follower");
    }
}
