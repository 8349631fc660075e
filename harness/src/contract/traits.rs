//! What a run does, as far as promises depend on it: whose client, which groups and transactions, what its faults destroy.
//!
//! Plain data, filled in from a scenario before anything starts.

use serde::{Deserialize, Serialize};
use workloads::library::Library;
use workloads::workload::Need;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Traits {
    /// Whose defaults hold where nothing is set.
    pub client: Client,
    /// Whether consumers share logs as a group.
    pub group: Group,
    /// Whether records are appended in transactions.
    pub transactions: Transactions,
    /// What an application does about a record that was not acknowledged.
    pub resends: Resends,
    /// Replicas of each log.
    pub replicas: u16,
    /// What faults destroy.
    pub damage: Damage,
}

/// A client library.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// librdkafka 2.12.
    Librdkafka,
    /// Apache Kafka's Java client, from 3.0 on.
    Java,
    /// Our own, for single requests: librdkafka's defaults.
    Wire,
}

/// How consumers share logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// They do not: each reads what it assigned itself.
    None,
    /// As members that store positions like this.
    Member(Commits),
}

/// When a member stores its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Commits {
    /// When its settings say (`enable.auto.commit`).
    BySettings,
    /// Before it processes what it was handed.
    BeforeProcessing,
    /// After it has processed what it was handed.
    AfterProcessing,
    /// In the transaction of what it appends.
    InTransaction,
    /// In one act with the effect of processing, outside of the brokers.
    WithEffect,
}

/// Which transactions there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transactions {
    /// None.
    None,
    /// Of appends, perhaps with a group's positions.
    Some,
}

/// Whether an application hands a record over again that may have been appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resends {
    /// Never.
    Never,
    /// When its outcome is unknown.
    Unknown,
}

/// The most that faults take from replicas at one time: the budget that the settings must be able to pay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Damage {
    /// Nodes that lose what they had not flushed (power loss).
    pub unflushed_nodes: u16,
    /// Nodes that lose what they had flushed (wiped disks, disks that lie about flushing).
    pub flushed_nodes: u16,
    /// Nodes that are down or out of sync, those included.
    pub down_nodes: u16,
    /// Whether bytes on a disk change.
    pub corrupts: bool,
    /// Whether a wall clock goes wrong: then records have whatever age it says.
    #[serde(default)]
    pub clocks: bool,
}

#[allow(dead_code, reason = "each is for the workloads and faults that have it")]
impl Traits {
    /// The traits of producers and ungrouped readers on librdkafka whose faults destroy nothing.
    pub fn plain(replicas: u16) -> Traits {
        Traits {
            client: Client::Librdkafka,
            group: Group::None,
            transactions: Transactions::None,
            resends: Resends::Never,
            replicas,
            damage: Damage::default(),
        }
    }

    /// The traits of what a workload on a client library needs; members store positions as their settings say.
    pub fn of(library: Library, needs: &[Need], replicas: u16) -> Traits {
        let plain = Traits::plain(replicas).with_client(Client::of(library));
        needs.iter().fold(plain, |traits, need| match need {
            Need::Groups => traits.with_group(Commits::BySettings),
            Need::Transactions => traits.with_transactions(),
            Need::Compaction | Need::Administration => traits,
        })
    }

    /// The same with members of a group.
    pub fn with_group(self, commits: Commits) -> Traits {
        Traits { group: Group::Member(commits), ..self }
    }

    /// The same with transactions.
    pub fn with_transactions(self) -> Traits {
        Traits { transactions: Transactions::Some, ..self }
    }

    /// The same with another client.
    pub fn with_client(self, client: Client) -> Traits {
        Traits { client, ..self }
    }

    /// The same with faults that destroy.
    pub fn with_damage(self, damage: Damage) -> Traits {
        Traits { damage, ..self }
    }
}

impl Client {
    /// Whose defaults a library has.
    pub fn of(library: Library) -> Client {
        match library {
            Library::Librdkafka => Client::Librdkafka,
            Library::Java => Client::Java,
            Library::Wire => Client::Wire,
        }
    }

    /// As in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Client::Librdkafka => "librdkafka",
            Client::Java => "the Java client",
            Client::Wire => "the wire client",
        }
    }
}
