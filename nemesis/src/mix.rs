//! Which faults a run draws from, and how often each: `kill-leader,pause-follower:2`, or `none`.

use crate::aim::Aim;
use crate::fault::{FaultKind, UnknownFault};
use crate::harm::Harm;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The largest weight of a fault.
pub const WEIGHT_MAX: u32 = 100;

const DEFAULT: &[(Harm, Aim)] = &[
    (Harm::Kill, Aim::Leader),
    (Harm::Kill, Aim::Follower),
    (Harm::Pause, Aim::Leader),
    (Harm::Pause, Aim::Follower),
    (Harm::KillLagging, Aim::Leader),
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
    /// A bit of everything that a correct cluster of any size survives.
    fn default() -> Mix {
        Mix(DEFAULT.iter().filter_map(|(harm, aim)| Some((FaultKind::new(*harm, *aim)?, 1))).collect())
    }
}

impl Mix {
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
