//! Conditions of a schedule: `ack-within(50ms) && follower-lag>=1`. What holds is asked of the cluster at that moment.

use crate::cluster::Cluster;
use crate::scene::Scene;
use history::LogId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most conditions of one `when`.
pub const CONDITIONS_MAX: usize = 8;
/// Longest duration, milliseconds: a week.
const MS_MAX: u64 = 7 * 24 * 3600 * 1000;

/// All of them must hold, on the log of the episode.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct When(Vec<Condition>);

/// One condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// An acknowledgement arrived less than so many milliseconds ago.
    AckWithin(u64),
    /// So many records were acknowledged, or more.
    Acked(u64),
    /// So many records were handed over and have no answer yet, or more.
    InFlight(u64),
    /// Some replica lacks so many records that another has, or more.
    FollowerLag(u64),
    /// So many replicas are in sync, or more.
    IsrAtLeast(u64),
    /// So many replicas are in sync, or fewer.
    IsrAtMost(u64),
    /// Every log is led and every replica in sync.
    Whole,
    /// So many milliseconds passed since the load began, or more.
    Elapsed(u64),
}

/// Text that is no condition.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{0}` is no condition; there are ack-within(50ms), acked>=N, in-flight>=N, follower-lag>=N, isr>=N, isr<=N, whole, elapsed>=5s, joined by &&"
)]
pub struct NoCondition(pub String);

impl When {
    /// True if all of it holds now. The cheap conditions are asked first, and the fleeting one last.
    pub fn holds(&self, log: LogId, elapsed_ms: u64, cluster: &mut dyn Cluster) -> bool {
        let mut conditions = self.0.clone();
        conditions.sort_by_key(|condition| condition.order());
        let cheap = conditions.iter().find(|c| matches!(c, Condition::AckWithin(_)));
        let recent = cheap.is_none_or(|c| c.holds(log, elapsed_ms, cluster));
        recent && conditions.iter().all(|condition| condition.holds(log, elapsed_ms, cluster))
    }
}

impl Condition {
    fn order(self) -> u8 {
        match self {
            Condition::Elapsed(_) | Condition::Acked(_) | Condition::InFlight(_) => 0,
            Condition::FollowerLag(_) => 1,
            Condition::IsrAtLeast(_) | Condition::IsrAtMost(_) | Condition::Whole => 2,
            Condition::AckWithin(_) => 3,
        }
    }

    fn holds(self, log: LogId, elapsed_ms: u64, cluster: &mut dyn Cluster) -> bool {
        let appends = cluster.appends(log);
        match self {
            Condition::AckWithin(ms) => appends.acked > 0 && cluster.now().since(appends.acked_at) < ms * 1_000_000,
            Condition::Acked(least) => appends.acked >= least,
            Condition::InFlight(least) => appends.invoked.saturating_sub(appends.acked) >= least,
            Condition::FollowerLag(least) => {
                let ends = cluster.log_ends(log);
                let (first, last) = (ends.iter().map(|e| e.1.0).min(), ends.iter().map(|e| e.1.0).max());
                matches!((first, last), (Some(first), Some(last)) if last.saturating_sub(first) as u64 >= least)
            }
            Condition::IsrAtLeast(least) => in_sync(log, cluster).is_some_and(|count| count >= least),
            Condition::IsrAtMost(most) => in_sync(log, cluster).is_some_and(|count| count <= most),
            Condition::Whole => Scene::take(cluster).all_in_sync(),
            Condition::Elapsed(ms) => elapsed_ms >= ms,
        }
    }
}

fn in_sync(log: LogId, cluster: &mut dyn Cluster) -> Option<u64> {
    cluster.roles().iter().find(|roles| roles.log == log).map(|roles| roles.isr.len() as u64)
}

/// `250ms`, `90s`, `45m`, `2h`, in milliseconds; at most a week.
pub fn duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale).filter(|ms| *ms <= MS_MAX)
}

impl FromStr for Condition {
    type Err = NoCondition;

    fn from_str(text: &str) -> Result<Condition, NoCondition> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let least = |name: &str| compact.strip_prefix(name)?.strip_prefix(">=");
        let count = |name: &str| least(name)?.parse::<u64>().ok();
        let found = if compact == "whole" {
            Some(Condition::Whole)
        } else if let Some(within) = compact.strip_prefix("ack-within(").and_then(|rest| rest.strip_suffix(')')) {
            duration_ms(within).map(Condition::AckWithin)
        } else if let Some(most) = compact.strip_prefix("isr<=") {
            most.parse().ok().map(Condition::IsrAtMost)
        } else if let Some(elapsed) = least("elapsed") {
            duration_ms(elapsed).map(Condition::Elapsed)
        } else {
            let acked = count("acked").map(Condition::Acked);
            let in_flight = count("in-flight").map(Condition::InFlight);
            let lag = count("follower-lag").map(Condition::FollowerLag);
            acked.or(in_flight).or(lag).or_else(|| count("isr").map(Condition::IsrAtLeast))
        };
        found.ok_or_else(|| NoCondition(text.trim().to_owned()))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::AckWithin(ms) => write!(f, "ack-within({ms}ms)"),
            Condition::Acked(n) => write!(f, "acked>={n}"),
            Condition::InFlight(n) => write!(f, "in-flight>={n}"),
            Condition::FollowerLag(n) => write!(f, "follower-lag>={n}"),
            Condition::IsrAtLeast(n) => write!(f, "isr>={n}"),
            Condition::IsrAtMost(n) => write!(f, "isr<={n}"),
            Condition::Whole => f.write_str("whole"),
            Condition::Elapsed(ms) => write!(f, "elapsed>={ms}ms"),
        }
    }
}

impl FromStr for When {
    type Err = NoCondition;

    fn from_str(text: &str) -> Result<When, NoCondition> {
        let conditions: Vec<Condition> = text.split("&&").map(str::parse).collect::<Result<_, _>>()?;
        if conditions.len() > CONDITIONS_MAX { Err(NoCondition(text.to_owned())) } else { Ok(When(conditions)) }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(Condition::to_string).collect();
        f.write_str(&words.join(" && "))
    }
}

impl TryFrom<String> for When {
    type Error = NoCondition;

    fn try_from(text: String) -> Result<When, NoCondition> {
        text.parse()
    }
}

impl From<When> for String {
    fn from(when: When) -> String {
        when.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Flaw, Sim};

    #[test]
    fn a_condition_is_printed_as_it_can_be_typed() {
        for text in [
            "ack-within(50ms) && follower-lag>=1",
            "acked>=1000",
            "in-flight>=3 && isr<=2 && isr>=1",
            "whole && elapsed>=5000ms",
        ] {
            assert_eq!(text.parse::<When>().unwrap().to_string(), text);
        }
        assert_eq!(" acked >= 5&&elapsed>=2s".parse::<When>().unwrap().to_string(), "acked>=5 && elapsed>=2000ms");
    }

    #[test]
    fn what_is_no_condition_is_refused_by_name() {
        for text in ["", "ack-within(-50ms)", "ack-within(50)", "acked>=-1", "acked>1", "leader", "whole &&", "isr=2"] {
            let refused = text.parse::<When>().unwrap_err().to_string();
            assert!(refused.contains("is no condition; there are ack-within(50ms)"), "{text}: {refused}");
        }
    }

    #[test]
    fn a_condition_holds_when_it_is_so_and_only_then() {
        let mut sim = Sim::new(1, Flaw::None);
        let log = LogId(1);
        let holds = |sim: &mut Sim, text: &str| text.parse::<When>().unwrap().holds(log, 100, sim);
        assert!(!holds(&mut sim, "acked>=1") && holds(&mut sim, "whole && isr>=3"));
        sim.advance(sim.now().plus_ms(200));
        for (text, expected) in [
            ("acked>=1 && ack-within(50ms)", true),
            ("follower-lag>=1", false),
            ("isr<=2", false),
            ("elapsed>=100ms", true),
            ("elapsed>=101ms", false),
        ] {
            assert_eq!(holds(&mut sim, text), expected, "{text}");
        }
        sim.pause(crate::Actor::Node(history::NodeId(3))).unwrap();
        sim.advance(sim.now().plus_ms(1000));
        assert!(holds(&mut sim, "follower-lag>=1") && !holds(&mut sim, "ack-within(50ms)"));
    }
}
