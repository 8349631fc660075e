//! What an episode put at risk: acknowledged records that a fault of its kind could have cost.
//!
//! Pure, computed after the run from the history. A record is at risk if its append and the window of risk overlap:
//! from [`BEFORE_MS`] before the injection (just acknowledged, perhaps not yet everywhere) until everything was healed.

use crate::episode::{Episode, Outcome};
use history::{LogId, Nanos};

/// How long before the injection an acknowledgement still counts as at risk, milliseconds.
pub const BEFORE_MS: u64 = 1000;

/// When and where acknowledged records were at risk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RiskWindow {
    from: Nanos,
    to: Nanos,
    logs: Vec<LogId>,
}

impl RiskWindow {
    /// The window of an episode; none if nothing was surely done.
    pub fn of(episode: &Episode) -> Option<RiskWindow> {
        let injected = episode.injected.filter(|_| episode.outcome == Outcome::Installed)?;
        let from = Nanos(injected.0.saturating_sub(BEFORE_MS * 1_000_000));
        Some(RiskWindow { from, to: episode.healed.unwrap_or(Nanos::NEVER), logs: episode.logs_at_risk() })
    }

    /// True if a record acknowledged with these times was at risk.
    pub fn holds(&self, log: LogId, invoked: Nanos, returned: Nanos) -> bool {
        let overlaps = invoked <= self.to && returned >= self.from && returned != Nanos::NEVER;
        overlaps && self.logs.binary_search(&log).is_ok()
    }
}

/// How many of `acks` (log, invoked, returned) the episode put at risk.
pub fn exposure(episode: &Episode, acks: impl IntoIterator<Item = (LogId, Nanos, Nanos)>) -> u64 {
    let Some(window) = RiskWindow::of(episode) else { return 0 };
    acks.into_iter().filter(|(log, invoked, returned)| window.holds(*log, *invoked, *returned)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Life;
    use crate::episode::{Led, Part, Target};
    use history::{LeaderEpoch, NodeId};

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    fn episode(outcome: Outcome) -> Episode {
        let leads = vec![Led { log: LogId(2), epoch: LeaderEpoch(5) }];
        let life = Life { pid: 1, start_time: 1 };
        let target = Target {
            who: NodeId(1).into(),
            part: Part::Target,
            life,
            leads,
            follows: vec![LogId(0)],
            duties: Vec::new(),
        };
        Episode {
            index: 0,
            fault: "kill-leader".parse().unwrap(),
            log: LogId(2),
            logs: 4,
            hold_ms: 1000,
            attempts: 1,
            targets: vec![target],
            asked: at(4990),
            injected: Some(at(5000)),
            healed: Some(at(7000)),
            recovered: Some(at(8000)),
            outcome,
            effective: true,
            evidence: Vec::new(),
        }
    }

    #[test]
    fn a_record_is_at_risk_if_its_append_touches_the_window_on_a_hosted_log() {
        for (log, invoked, returned, at_risk) in [
            (2, 4100, 4200, true),
            (0, 4100, 4200, true),
            (1, 4100, 4200, false),
            (2, 3900, 4000, true),
            (2, 3900, 3999, false),
            (2, 7000, 9000, true),
            (2, 7001, 9000, false),
            (2, 1, 9000, true),
        ] {
            let ack = (LogId(log), at(invoked), at(returned));
            assert_eq!(exposure(&episode(Outcome::Installed), [ack]), u64::from(at_risk), "{ack:?}");
        }
        assert_eq!(exposure(&episode(Outcome::Installed), [(LogId(2), at(5000), Nanos::NEVER)]), 0);
    }

    #[test]
    fn an_episode_that_was_not_surely_done_exposes_nothing() {
        let ack = (LogId(2), at(5500), at(5600));
        for outcome in [Outcome::Skipped { reason: "".into() }, Outcome::Indeterminate { reason: "".into() }] {
            assert_eq!(exposure(&episode(outcome), [ack]), 0);
        }
        let never_injected = Episode { injected: None, ..episode(Outcome::Installed) };
        assert_eq!(exposure(&never_injected, [ack]), 0);
    }

    #[test]
    fn an_episode_never_healed_is_a_risk_to_the_end() {
        let open = Episode { healed: None, ..episode(Outcome::Installed) };
        assert_eq!(exposure(&open, [(LogId(2), at(99_000), at(99_001))]), 1);
    }
}
