//! What a system under test has, as far as scenarios care. What it lacks, it lacks for a reason a person can read.
//!
//! **Invariant:** nothing is skipped silently: whatever a scenario needs and a system lacks becomes a [`Skip`], and a skip is
//! part of the verdict.

use nemesis::fault::{Family, Need as Grip};
use nemesis::{FaultKind, Mix};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use workloads::workload::Need;

/// Something that a system can have and a scenario can need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Its processes are ours to kill, pause and start again.
    Processes,
    /// What was acknowledged survives the end of its process.
    Durable,
    /// Records are kept by several nodes.
    Replication,
    /// Consumer groups.
    Groups,
    /// Transactions.
    Transactions,
    /// Eligible leader replicas (KIP-966).
    Elr,
    /// Settings that force records to disk before they are acknowledged: `flush.messages`, `flush.ms`.
    FlushSettings,
    /// Settings that can be changed while it runs.
    DynamicConfigs,
    /// Its log folders are in Kafka's layout and can be read.
    LogFolder,
    /// Its disks can lose what was not synced.
    PowerLoss,
    /// Its traffic can be led through proxies: advertised addresses are ours to choose.
    Proxies,
    /// Logs that keep the last value of each key.
    Compaction,
    /// Topics and partitions that can be made while it runs.
    Administration,
    /// It minds no faults of our own clients.
    Clients,
}

impl Capability {
    /// All of them.
    pub const ALL: [Capability; 14] = [
        Capability::Processes,
        Capability::Durable,
        Capability::Replication,
        Capability::Groups,
        Capability::Transactions,
        Capability::Elr,
        Capability::FlushSettings,
        Capability::DynamicConfigs,
        Capability::LogFolder,
        Capability::PowerLoss,
        Capability::Proxies,
        Capability::Compaction,
        Capability::Administration,
        Capability::Clients,
    ];

    /// As written in `cmd=` after `-`: `processes`, `log-folder`.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Processes => "processes",
            Capability::Durable => "durable",
            Capability::Replication => "replication",
            Capability::Groups => "groups",
            Capability::Transactions => "transactions",
            Capability::Elr => "elr",
            Capability::FlushSettings => "flush-settings",
            Capability::DynamicConfigs => "dynamic-configs",
            Capability::LogFolder => "log-folder",
            Capability::PowerLoss => "power-loss",
            Capability::Proxies => "proxies",
            Capability::Compaction => "compaction",
            Capability::Administration => "administration",
            Capability::Clients => "clients",
        }
    }
}

impl From<Need> for Capability {
    fn from(need: Need) -> Capability {
        match need {
            Need::Groups => Capability::Groups,
            Need::Transactions => Capability::Transactions,
            Need::Compaction => Capability::Compaction,
            Need::Administration => Capability::Administration,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a system has: everything but what it lacks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    lacks: BTreeMap<Capability, String>,
}

impl Capabilities {
    /// Lacks nothing.
    pub fn all() -> Capabilities {
        Capabilities::default()
    }

    /// Has none of it, for one reason.
    pub fn none(because: &str) -> Capabilities {
        let lacks = Capability::ALL.into_iter().map(|c| (c, because.to_owned())).collect();
        Capabilities { lacks }
    }

    /// Lacks this.
    pub fn without(mut self, capability: Capability, because: &str) -> Capabilities {
        self.lacks.insert(capability, because.to_owned());
        self
    }

    /// Has this after all.
    pub fn with(mut self, capability: Capability) -> Capabilities {
        self.lacks.remove(&capability);
        self
    }

    /// Why it lacks a capability; `None` if it has it.
    pub fn lacks(&self, capability: Capability) -> Option<&str> {
        self.lacks.get(&capability).map(String::as_str)
    }

    /// The first of `needs` that is lacking, as the reason for which `what` is skipped.
    pub fn refuse(&self, what: &str, needs: &[Capability]) -> Option<Skip> {
        needs.iter().find_map(|need| {
            let because = self.lacks(*need)?;
            Some(Skip { what: what.to_owned(), because: format!("it needs {need}: {because}") })
        })
    }

    /// The faults of a mix that the system can suffer, and those that are skipped.
    pub fn sift(&self, mix: &Mix) -> (Mix, Vec<Skip>) {
        let mut skips = Vec::new();
        let kept = mix.retain(|kind| {
            let skip = self.refuse(&kind.name(), needs(kind));
            let keep = skip.is_none();
            skips.extend(skip);
            keep
        });
        (kept, skips)
    }
}

/// What a fault needs of a system.
pub fn needs(fault: FaultKind) -> &'static [Capability] {
    if fault.aim().is_of_clients() {
        // A proxy stands before nodes, and must have been there when they began to tell their addresses.
        let between = fault.definition().family() == Family::Network;
        return if between { &[Capability::Clients, Capability::Processes] } else { &[Capability::Clients] };
    }
    match fault.definition().family() {
        Family::Kill => &[Capability::Processes, Capability::Durable],
        Family::Pause | Family::Network | Family::Clock => &[Capability::Processes],
        Family::Disk if fault.definition().need() == Grip::PowerLoss => {
            &[Capability::Processes, Capability::Durable, Capability::PowerLoss]
        }
        Family::Disk => &[Capability::Processes, Capability::Durable],
    }
}

/// Something that was not done, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Skip {
    /// A fault, a workload, a scenario.
    pub what: String,
    /// The reason.
    pub because: String,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is skipped: {}", self.what, self.because)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_whose_memory_dies_with_it_is_paused_and_not_killed() {
        let has = Capabilities::all().without(Capability::Durable, "it keeps records in memory");
        let mix = "kill-leader,pause-leader,kill-producer".parse().unwrap();
        let (kept, skipped) = has.sift(&mix);
        assert_eq!(kept.to_string(), "kill-producer,pause-leader");
        let told = skipped.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(told, ["kill-leader is skipped: it needs durable: it keeps records in memory"]);
    }

    #[test]
    fn a_system_that_lacks_nothing_skips_nothing() {
        let (kept, skipped) = Capabilities::all().sift(&Mix::default());
        assert_eq!((kept, skipped), (Mix::default(), Vec::new()));
    }

    #[test]
    fn everything_lacking_leaves_the_empty_mix() {
        let (kept, skipped) = Capabilities::none("it is not ours").sift(&Mix::default());
        assert!(kept.is_none() && skipped.len() == Mix::default().faults().count());
    }
}
