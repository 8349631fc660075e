//! What a side must show: effects that must be seen, effects that must not, and whatever else may.
//!
//! **Invariant:** a run that did not reach its condition shows nothing, and neither does one that was violated: what a side
//! promises is permitted by its own contract.

use super::effect::{Effect, Effects};
use results::Exit;
use results::autopsy::Stage;
use std::collections::BTreeMap;

/// What a side must show.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expected {
    shows: Vec<Effect>,
    never: Vec<Effect>,
    violates: bool,
    stage: Option<Stage>,
}

impl Expected {
    /// Each of these at least once.
    pub fn shows(effects: &[Effect]) -> Expected {
        Expected { shows: effects.to_vec(), ..Expected::default() }
    }

    /// None of these.
    pub fn none_of(effects: &[Effect]) -> Expected {
        Expected { never: effects.to_vec(), ..Expected::default() }
    }

    /// And none of these.
    pub fn and_none_of(mut self, effects: &[Effect]) -> Expected {
        self.never.extend(effects);
        self
    }

    /// The run's verdict is VIOLATION: the system breaks what its configuration promises.
    #[cfg_attr(not(test), allow(dead_code))]
    pub fn and_violates(mut self) -> Expected {
        self.violates = true;
        self
    }

    /// And every missing record is told to have died at this stage.
    pub fn and_dies_at(mut self, stage: Stage) -> Expected {
        self.stage = Some(stage);
        self
    }

    /// Whether missing records, counted by stage, died where they must; if not, why not.
    pub fn judge_stages(&self, stages: &BTreeMap<String, u64>) -> Result<(), String> {
        let Some(stage) = self.stage.map(|stage| stage.to_string()) else { return Ok(()) };
        match stages.iter().find(|(told, _)| **told != stage) {
            Some((told, records)) => Err(format!("{records} records are told as `{told}`, and `{stage}` is right")),
            None if stages.is_empty() => Err(format!("no record is told as `{stage}`")),
            None => Ok(()),
        }
    }

    /// Whether a side that ended like this showed what it must; if not, why not. `short_of` is what an inconclusive run
    /// did not reach.
    pub fn judge(&self, exit: Exit, effects: &Effects, short_of: &[String]) -> Result<(), String> {
        match (exit, self.violates) {
            (Exit::Pass, false) | (Exit::Violation, true) => self.compare(effects),
            (Exit::Pass, true) => Err("nothing was violated".into()),
            (Exit::Inconclusive, _) => Err(short_of.join("; ")),
            (exit, _) => Err(format!("it ended in {}", exit.meaning())),
        }
    }

    fn compare(&self, effects: &Effects) -> Result<(), String> {
        let missing = self.shows.iter().find(|effect| effects.count(**effect) == 0);
        let forbidden = self.never.iter().find(|effect| effects.count(**effect) > 0);
        match (missing, forbidden) {
            (Some(effect), _) => Err(format!("no record was {}", effect.name())),
            (_, Some(effect)) => Err(format!("{} records were {}", effects.count(*effect), effect.name())),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
impl Effects {
    /// These, once each.
    pub(super) fn once(effects: &[Effect]) -> Effects {
        effects.iter().map(|effect| (*effect, 1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(expected: &Expected, exit: Exit, seen: &[Effect]) -> bool {
        expected.judge(exit, &Effects::once(seen), &[]).is_ok()
    }

    #[test]
    fn a_stage_must_be_told_and_no_other() {
        let expected = Expected::shows(&[Effect::Lost]).and_dies_at(Stage::B2);
        let told = |stages: &[Stage]| expected.judge_stages(&stages.iter().map(|s| (s.to_string(), 1)).collect());
        assert!(told(&[Stage::B2]).is_ok());
        assert!(told(&[Stage::B2, Stage::B1]).is_err() && told(&[]).is_err());
        assert!(Expected::none_of(&[Effect::Lost]).judge_stages(&BTreeMap::new()).is_ok());
    }

    #[test]
    fn a_side_that_did_not_reach_its_condition_shows_nothing() {
        assert!(!judge(&Expected::shows(&[Effect::Lost]), Exit::Inconclusive, &[Effect::Lost]));
        assert!(!judge(&Expected::none_of(&[Effect::Lost]), Exit::Inconclusive, &[]));
    }

    #[test]
    fn a_losing_side_must_lose_and_a_safe_side_must_not() {
        let (losing, safe) = (Expected::shows(&[Effect::Lost]), Expected::none_of(&[Effect::Lost]));
        for (seen, of_losing, of_safe) in [(&[Effect::Lost][..], true, false), (&[], false, true)] {
            assert_eq!(judge(&losing, Exit::Pass, seen), of_losing);
            assert_eq!(judge(&safe, Exit::Pass, seen), of_safe);
        }
        assert!(!judge(&losing, Exit::Violation, &[Effect::Lost]) && !judge(&safe, Exit::Violation, &[]));
    }

    #[test]
    fn other_damage_than_promised_is_not_the_promised_damage() {
        let side = Expected::shows(&[Effect::Redelivered]).and_none_of(&[Effect::Skipped]);
        assert!(judge(&side, Exit::Pass, &[Effect::Redelivered, Effect::Phantom]));
        assert!(!judge(&side, Exit::Pass, &[Effect::Redelivered, Effect::Skipped]));
        assert!(!judge(&side, Exit::Pass, &[Effect::Duplicated]));
    }

    #[test]
    fn a_side_that_must_violate_is_not_content_with_a_pass() {
        let side = Expected::shows(&[Effect::Lost]).and_violates();
        assert!(judge(&side, Exit::Violation, &[Effect::Lost]) && !judge(&side, Exit::Pass, &[Effect::Lost]));
    }
}
