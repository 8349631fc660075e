//! What a plan is made for: the cluster's shape and clocks, and who is there to be hit. Data, written into the plan.

use crate::aim::Aim;
use serde::{Deserialize, Serialize};

/// The cluster's own clocks, as configured, and the patience of the runner. All in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Timing {
    /// How long a follower's fetch may be parked at its leader (`replica.fetch.wait.max.ms`).
    pub fetch_wait_ms: u64,
    /// How long a follower may lag before it leaves the in-sync set (`replica.lag.time.max.ms`).
    pub lag_ms_max: u64,
    /// How long a silent node counts as alive (`broker.session.timeout.ms`).
    pub session_ms: u64,
    /// How often a node proves that it lives (`broker.heartbeat.interval.ms`).
    pub heartbeat_ms: u64,
    /// How long a silent member of a consumers' group counts as alive (`session.timeout.ms`).
    #[serde(default = "member_ms")]
    pub member_ms: u64,
    /// How long a request to a paused node waits before that counts as evidence.
    pub probe_ms: u64,
    /// How long recovery usually takes; a plan is drawn with it.
    pub recovery_ms: u64,
    /// How long healing and recovery may take before the runner goes on without.
    pub recovery_ms_max: u64,
}

fn member_ms() -> u64 {
    6000
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            fetch_wait_ms: 500,
            lag_ms_max: 3000,
            session_ms: 3000,
            heartbeat_ms: 500,
            member_ms: member_ms(),
            probe_ms: 400,
            recovery_ms: 500,
            recovery_ms_max: 15_000,
        }
    }
}

/// The cluster and its clients, as far as a plan has to know them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// Logs under load; an episode names one of them.
    pub logs: u32,
    /// Nodes that keep replicas.
    pub brokers: u32,
    /// Nodes that only vote on metadata.
    pub controllers: u32,
    /// Replicas of each log.
    pub replication: u32,
    /// Whether consumers share a group that somebody coordinates.
    pub groups: bool,
    /// Whether producers use transactions that somebody coordinates.
    pub transactions: bool,
    /// The clocks.
    pub timing: Timing,
}

impl Default for Ground {
    fn default() -> Ground {
        let timing = Timing::default();
        Ground { logs: 4, brokers: 3, controllers: 1, replication: 3, groups: true, transactions: true, timing }
    }
}

impl Ground {
    /// Why nobody can ever be hit who is aimed at, if that is so.
    pub fn lacks(&self, aim: Aim) -> Option<String> {
        let why = match aim {
            Aim::Follower if self.replication < 2 => "a log of one replica has no follower",
            Aim::Some if self.brokers < 2 => "some brokers are fewer than all, and there is one",
            Aim::Minority if self.brokers < 3 => "fewer than half of the brokers are none: it needs 3 brokers",
            Aim::Controller if self.controllers == 0 => "no node is a controller alone",
            Aim::GroupCoordinator if !self.groups => "no consumers of this workload share a group",
            Aim::TransactionCoordinator if !self.transactions => "no producer of this workload uses transactions",
            Aim::Requests(api) if api.is_of_groups() && !self.groups => "no consumers of this workload share a group",
            Aim::Requests(api) if api.is_of_transactions() && !self.transactions => {
                "no producer of this workload uses transactions"
            }
            _ => return None,
        };
        Some(why.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_be_there_is_refused_with_the_reason_and_who_can_is_not() {
        let small = Ground {
            brokers: 1,
            replication: 1,
            controllers: 0,
            groups: false,
            transactions: false,
            ..Ground::default()
        };
        let lacking: Vec<Aim> = Aim::ALL.into_iter().filter(|aim| small.lacks(*aim).is_some()).collect();
        let expected = [
            Aim::Follower,
            Aim::Controller,
            Aim::GroupCoordinator,
            Aim::TransactionCoordinator,
            Aim::Some,
            Aim::Minority,
        ];
        assert_eq!(lacking, expected);
        assert!(Aim::ALL.into_iter().all(|aim| Ground::default().lacks(aim).is_none()));
    }
}
