//! Which faults a run draws from, and how often each: `kill-leader,pause-follower:2`, `none`, or a word for a whole set.

use crate::aim::Aim;
use crate::fault::{FaultKind, UnknownFault};
use crate::harm::Harm;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The largest weight of a fault.
pub const WEIGHT_MAX: u32 = 100;

/// Of each family something that a correct cluster of durable settings survives, and that bites whatever the settings are: one
/// replica at a time, and no more un-synced data lost than that of one.
const MIXED: &[(Harm, Aim)] = &[
    (Harm::Kill, Aim::Leader),
    (Harm::Kill, Aim::Follower),
    (Harm::Pause, Aim::Leader),
    (Harm::Pause, Aim::Follower),
    (Harm::KillLagging, Aim::Leader),
    (Harm::Isolate, Aim::Leader),
    (Harm::Slow, Aim::Leader),
    (Harm::Reset, Aim::Leader),
    (Harm::PowerLoss, Aim::Leader),
    (Harm::DiskSlow, Aim::Leader),
    (Harm::DiskFull, Aim::Follower),
    (Harm::ClockJump, Aim::Leader),
    (Harm::ClockDrift, Aim::Follower),
];

/// Names for whole sets of faults, and what each means.
pub const WORDS: [(&str, &str); 3] = [
    ("mixed", "some of each family: processes, network, disks, clocks; the default"),
    ("survivable", "every fault by which a correct cluster of durable settings loses nothing"),
    ("all", "every fault, also those by which a loss is expected"),
];

/// Faults and their weights; no weight is 0. The empty mix breaks nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mix(BTreeMap<FaultKind, u32>);

/// Text that is no mix.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MixError {
    /// A name is no fault's.
    #[error(transparent)]
    Unknown(#[from] UnknownFault),
    /// A weight is not a number from 1 to [`WEIGHT_MAX`].
    #[error("the weight of `{fault}` is a number from 1 to {WEIGHT_MAX}, not `{weight}`")]
    Weight {
        /// Whose.
        fault: FaultKind,
        /// As typed.
        weight: String,
    },
    /// A fault is named twice.
    #[error("`{0}` is named twice; give it a weight instead: `{0}:2`")]
    Twice(FaultKind),
    /// `none` beside a fault.
    #[error("`none` stands alone")]
    NoneAmongOthers,
}

impl Default for Mix {
    /// Of each family something that a correct cluster of any size survives.
    fn default() -> Mix {
        Mix::each(MIXED.iter().filter_map(|(harm, aim)| FaultKind::new(*harm, *aim)))
    }
}

impl Mix {
    /// Each of these as often as any other.
    fn each(kinds: impl Iterator<Item = FaultKind>) -> Mix {
        Mix(kinds.map(|kind| (kind, 1)).collect())
    }

    /// The faults that one of the [`WORDS`] stands for. What a cluster's shape or a machine makes impossible is among them.
    pub fn of_word(word: &str) -> Option<Mix> {
        match word {
            "mixed" => Some(Mix::default()),
            "survivable" => Some(Mix::each(FaultKind::all().filter(|kind| kind.is_survivable()))),
            "all" => Some(Mix::each(FaultKind::all())),
            _ => None,
        }
    }

    /// Breaks nothing.
    pub fn none() -> Mix {
        Mix(BTreeMap::new())
    }

    /// One fault.
    pub fn only(kind: FaultKind) -> Mix {
        Mix(BTreeMap::from([(kind, 1)]))
    }

    /// True if it breaks nothing.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Its faults.
    pub fn faults(&self) -> impl Iterator<Item = FaultKind> {
        self.0.keys().copied()
    }

    /// The faults of which `keep` says yes, with their weights.
    pub fn retain(&self, mut keep: impl FnMut(FaultKind) -> bool) -> Mix {
        Mix(self.0.iter().filter(|(kind, _)| keep(**kind)).map(|(kind, weight)| (*kind, *weight)).collect())
    }

    /// Each fault as often as its weight.
    pub fn bag(&self) -> Vec<FaultKind> {
        self.0.iter().flat_map(|(kind, weight)| std::iter::repeat_n(*kind, *weight as usize)).collect()
    }
}

impl FromStr for Mix {
    type Err = MixError;

    fn from_str(text: &str) -> Result<Mix, MixError> {
        if text.trim() == "none" {
            return Ok(Mix::none());
        }
        let mut mix = BTreeMap::new();
        for item in text.split(',').map(str::trim) {
            let (name, weight) = item.split_once(':').unwrap_or((item, "1"));
            if name == "none" {
                return Err(MixError::NoneAmongOthers);
            }
            let fault = name.parse()?;
            let number = weight.parse().ok().filter(|w| (1..=WEIGHT_MAX).contains(w));
            let number = number.ok_or_else(|| MixError::Weight { fault, weight: weight.into() })?;
            if mix.insert(fault, number).is_some() {
                return Err(MixError::Twice(fault));
            }
        }
        Ok(Mix(mix))
    }
}

impl TryFrom<String> for Mix {
    type Error = MixError;

    fn try_from(text: String) -> Result<Mix, MixError> {
        text.parse()
    }
}

impl From<Mix> for String {
    fn from(mix: Mix) -> String {
        mix.to_string()
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        for (index, (kind, weight)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match weight {
                1 => write!(f, "{comma}{kind}")?,
                _ => write!(f, "{comma}{kind}:{weight}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_printed_as_it_can_be_typed() {
        for text in ["none", "kill-leader", "kill-leader,pause-follower:3", "kill-follower:100"] {
            assert_eq!(text.parse::<Mix>().unwrap().to_string(), text);
        }
        assert_eq!(Mix::default().to_string().parse(), Ok(Mix::default()));
        assert_eq!(" kill-leader , pause-leader".parse::<Mix>().unwrap().bag().len(), 2);
    }

    #[test]
    fn the_default_mix_is_of_every_family_and_each_word_says_more_than_the_one_before() {
        use crate::fault::Family::{Clock, Disk, Kill, Network, Pause};
        let families =
            |mix: &Mix| mix.faults().map(|kind| kind.definition().family()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(families(&Mix::default()), [Kill, Pause, Network, Disk, Clock].into());
        let of = |word: &str| Mix::of_word(word).unwrap();
        let kinds = |word: &str| of(word).faults().collect::<std::collections::BTreeSet<FaultKind>>();
        assert!(kinds("mixed").is_subset(&kinds("survivable")) && kinds("survivable").is_subset(&kinds("all")));
        let (all, survivable) = (kinds("all"), kinds("survivable"));
        let more = |name: &str| all.contains(&name.parse().unwrap()) && !survivable.contains(&name.parse().unwrap());
        assert!(more("bit-rot-leader") && more("power-loss-all") && !more("power-loss-follower") && !more("kill-all"));
        assert_eq!((kinds("all").len(), Mix::of_word("al")), (FaultKind::all().count(), None));
    }

    #[test]
    fn what_is_no_mix_says_why() {
        for (text, why) in [
            ("kill-leedr", "there is no fault `kill-leedr`, did you mean `kill-leader`?; see `stormglass list faults`"),
            ("", "there is no fault ``; see `stormglass list faults`"),
            ("kill-leader,", "there is no fault ``; see `stormglass list faults`"),
            ("kill-leader:0", "the weight of `kill-leader` is a number from 1 to 100, not `0`"),
            ("kill-leader:-1", "the weight of `kill-leader` is a number from 1 to 100, not `-1`"),
            ("kill-leader:101", "the weight of `kill-leader` is a number from 1 to 100, not `101`"),
            ("kill-leader,kill-leader", "`kill-leader` is named twice; give it a weight instead: `kill-leader:2`"),
            ("none,kill-leader", "`none` stands alone"),
        ] {
            assert_eq!(text.parse::<Mix>().unwrap_err().to_string(), why, "{text}");
        }
    }
}
