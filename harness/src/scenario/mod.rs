//! Everything needed to do a run again, as meant: valid, complete, the seed filled in. Nothing stringly typed goes further.

mod damage;
pub mod file;
pub mod preset;

use crate::contract::{self, Commits, Damage, Resends, Traits};
use crate::java_client;
use crate::settings::{Origin, Owner, Settings};
pub use crate::systems::SystemChoice;
use crate::systems::{Capabilities, Capability, Skip};
use checker::{Claim, Contract};
use history::{LogId, ProcessId, WriterId};
use nemesis::fault::Need;
use nemesis::plan::Planned;
use nemesis::{FaultKind, Mix, Schedule};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use workloads::library::Library;
use workloads::spec::{Commit, Load as ClientLoad, LogPlace, RoleSpec};
use workloads::workload::{Need as WorkloadNeed, Pace, Site, Workload};

/// One scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scenario {
    /// As in the run folder's path.
    pub name: String,
    /// Every choice is drawn from it.
    pub seed: u64,
    /// What is tested.
    pub system: SystemChoice,
    /// Its shape.
    pub cluster: ClusterShape,
    /// What clients do.
    #[serde(default)]
    pub workload: Workload,
    /// The client library they use.
    #[serde(default)]
    pub client: Library,
    /// Which release of it, where there are several and somebody said which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_release: Option<String>,
    /// How fast and for how long.
    pub load: Load,
    /// What breaks it.
    pub faults: Faults,
    /// Settings of every role with their origins.
    pub settings: Settings,
    /// The planted bug, by name.
    pub plant: Option<String>,
    /// What the run must have reached to be green.
    pub floors: Floors,
    /// What was asked for and the system cannot do.
    #[serde(default)]
    pub skipped: Vec<Skip>,
    /// What does the breaking.
    #[serde(default)]
    pub injector: Injector,
    /// Faults that must be made and proven: if the machine cannot, nothing is started. Any other is left out then.
    #[serde(default)]
    pub insisted: BTreeSet<FaultKind>,
}

/// What does the breaking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Injector {
    /// What is asked for is done.
    #[default]
    Real,
    /// Planted: everything is reported as done, and nothing is. The run must not be green.
    Noop,
}

/// Nodes and replicas.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClusterShape {
    /// Brokers.
    pub brokers: u16,
    /// Dedicated controllers: 1 or 3.
    pub controllers: u16,
    /// Replicas of each partition.
    pub replication: u16,
    /// Partitions of the topic.
    pub partitions: u16,
    /// First of the ports to use; any free ones if absent.
    pub base_port: Option<u16>,
}

/// The load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Load {
    /// How long.
    #[serde(with = "millis")]
    pub time: Duration,
    /// Records a second over all producers, open loop; 0: as fast as acknowledgements come.
    pub rate_per_s: u64,
    /// Payload size.
    pub record_bytes: usize,
}

/// Which faults.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Faults {
    /// Drawn from the seed by weight; the mix may be empty.
    Drawn(Mix),
    /// Written down.
    Scripted(Vec<Planned>),
    /// Written down by a user, as a schedule.
    Scheduled(Box<Schedule>),
}

/// What a run must have reached to be green.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Floors {
    /// Effective and exposed episodes.
    pub exposed_episodes_min: u32,
    /// Effective episodes of a fault.
    #[serde(default)]
    pub effective_min: BTreeMap<nemesis::FaultKind, u32>,
    /// Effective episodes of every fault that was asked for.
    #[serde(default)]
    pub effective_min_each: u32,
}

pub use workloads::workload::TOPIC;

impl Scenario {
    /// What a run is where nobody said otherwise, without faults: the durable preset, the default workload and load.
    pub fn new(name: &str, seed: u64) -> Scenario {
        Scenario {
            name: name.to_owned(),
            seed,
            system: SystemChoice::Embedded,
            cluster: preset::CLUSTER,
            workload: Workload::default(),
            client: Library::default(),
            client_release: None,
            load: preset::LOAD,
            faults: Faults::Drawn(Mix::none()),
            settings: preset::durable(),
            plant: None,
            floors: preset::FLOORS,
            skipped: Vec::new(),
            injector: Injector::Real,
            insisted: BTreeSet::new(),
        }
    }

    /// The same on another client library, with that one's durable preset.
    pub fn on(mut self, library: Library) -> Scenario {
        self.client = library;
        self.settings.adopt(library);
        self
    }

    /// The release of the Java client that it uses.
    pub fn java_release(&self) -> &str {
        self.client_release.as_deref().unwrap_or(java_client::RELEASE)
    }

    /// Why its client library cannot be used here or for its workload, if it cannot.
    pub fn client_missing(&self) -> Option<String> {
        self.client_refuses().or_else(|| match self.client {
            Library::Java => java_client::ready(self.java_release()).err(),
            Library::Librdkafka | Library::Wire => None,
        })
    }

    /// What of its workload its client library cannot do, if anything.
    pub fn client_refuses(&self) -> Option<String> {
        let refuses = |role: &RoleSpec| self.client.applications().refuses(role);
        let plan = self.workload.shape().plan(&self.imagined());
        let refused = plan.clients.iter().flat_map(|client| &client.roles).find_map(refuses);
        refused.map(|why| format!("it cannot play the workload {}: {why}", self.workload.name()))
    }

    /// What its settings, workload and client promise.
    pub fn contract(&self) -> Contract {
        let contract = self.workload.shape().bind(contract::derive(&self.settings, &self.traits()));
        let transactions = self.workload.shape().needs().contains(&WorkloadNeed::Transactions);
        if self.client != Library::Wire || transactions {
            return contract;
        }
        let because = "readers on the wire client are given windows, not one record after the other";
        [Claim::ConsumerOrder, Claim::NoSkip].into_iter().fold(contract, |c, claim| c.out_of_scope(claim, because))
    }

    /// The claims that its workload makes judgeable.
    pub fn claims(&self) -> Vec<Claim> {
        self.workload.shape().plan(&self.imagined()).claims
    }

    /// A site of its shape that nobody is at: to ask a workload who would do what.
    fn imagined(&self) -> Site {
        let topics = self.topics();
        let places = topics.iter().flat_map(|(topic, _)| (0..self.cluster.partitions).map(move |n| (topic, n)));
        let place = |(id, (topic, n)): (u32, (&String, u16))| LogPlace {
            id: LogId(id),
            topic: topic.clone(),
            partition: n.into(),
        };
        Site {
            run: 0,
            seed: self.seed,
            bootstrap: Vec::new(),
            logs: (0..).zip(places).map(place).collect(),
            pace: Pace { load: ClientLoad::OpenLoop { per_second: 1.0 }, record_bytes: 0, sample_ms: 0 },
            replication: 1,
            library: self.client,
            exact: false,
            java: None,
            looks: None,
            journals: PathBuf::new(),
            flush_ms_max: 0,
            producer: BTreeMap::new(),
            consumer: BTreeMap::new(),
            first_process: ProcessId(0),
            first_writer: WriterId(0),
        }
    }

    /// What its workload needs of the system, and what a catalogue entry needs beside that.
    pub fn needs(&self, more: &[Capability]) -> Vec<Capability> {
        let level = self.settings.get(Owner::Feature, "eligible.leader.replicas.version");
        let elr = level.filter(|level| level.value != "0").map(|_| Capability::Elr);
        let of_workload = self.workload.shape().needs().iter().map(|need| Capability::from(*need));
        of_workload.chain(more.iter().copied()).chain(elr).collect()
    }

    /// The topics the workload works on, the one under load first, each with its own configs.
    pub fn topics(&self) -> Vec<(String, Vec<(&'static str, String)>)> {
        let topics = self.workload.shape().topics().into_iter();
        topics.map(|topic| (format!("{}{}", self.topic(), topic.suffix), topic.configs)).collect()
    }

    /// The topic under load: on somebody else's cluster one that is this run's alone.
    pub fn topic(&self) -> String {
        match self.system {
            SystemChoice::Existing { .. } => format!("{TOPIC}-{:x}", self.seed),
            _ => TOPIC.into(),
        }
    }

    /// Takes away the faults that the system cannot suffer, each with its reason.
    pub fn skip_what_it_lacks(&mut self, has: &Capabilities) {
        if let Faults::Drawn(mix) = &self.faults {
            let (kept, skipped) = has.sift(mix);
            self.faults = Faults::Drawn(kept);
            self.skipped.extend(skipped);
        }
    }

    /// Whether its clients wait for each answer before they ask again.
    pub fn waits(&self) -> bool {
        self.client == Library::Wire || self.workload.shape().waits()
    }

    /// Takes away the faults for which there is a reason, and keeps the reason.
    pub fn leave_out(&mut self, mut why_not: impl FnMut(FaultKind) -> Option<String>) {
        let mut skipped = Vec::new();
        let mut keep = |kind: FaultKind| match why_not(kind) {
            Some(because) => {
                skipped.push(Skip { what: kind.name(), because });
                false
            }
            None => true,
        };
        match &mut self.faults {
            Faults::Drawn(mix) => *mix = mix.retain(&mut keep),
            Faults::Scripted(episodes) => episodes.retain(|episode| keep(episode.fault)),
            Faults::Scheduled(schedule) => schedule.retain(&mut keep),
        }
        skipped.dedup();
        self.skipped.extend(skipped);
    }

    /// What its promises depend on beside the settings.
    pub fn traits(&self) -> Traits {
        let traits = Traits::of(self.client, self.workload.shape().needs(), self.cluster.replication);
        let traits = match self.workload.shape().commits() {
            None | Some(Commit::Never | Commit::Library | Commit::Stored) => traits,
            Some(Commit::Before | Commit::Finally) => traits.with_group(Commits::BeforeProcessing),
            Some(Commit::AfterBatch | Commit::AfterRecord | Commit::Async) => {
                traits.with_group(Commits::AfterProcessing)
            }
        };
        let resends = if self.workload.shape().resends() { Resends::Unknown } else { Resends::Never };
        Traits { resends, ..traits }.with_damage(self.damage())
    }

    /// The most that its faults destroy at one time; what its schedule's budget forbids is not done.
    fn damage(&self) -> Damage {
        let worst = damage::of(&self.kinds(), self.cluster);
        let budget = match &self.faults {
            Faults::Scheduled(schedule) => schedule.budget.map(|budget| budget.unsynced_replicas),
            Faults::Drawn(_) | Faults::Scripted(_) => None,
        };
        let most = budget.map_or(u16::MAX, |most| u16::try_from(most).unwrap_or(u16::MAX));
        let (unflushed_nodes, flushed_nodes) = (worst.unflushed_nodes.min(most), worst.flushed_nodes.min(most));
        Damage { unflushed_nodes, flushed_nodes, ..worst }
    }

    /// Takes over what the workload configures its topic with, where nobody else said otherwise.
    pub fn adopt_topic(&mut self) {
        let usual = self.workload.shape().topics().into_iter().next();
        for (name, value) in usual.into_iter().flat_map(|topic| topic.configs) {
            if self.settings.get(Owner::Topic, name).is_none() {
                let by = format!("workload {}", self.workload.name());
                self.settings.set(Owner::Topic, name, &value, Origin::Implied(by));
            }
        }
    }

    /// True if the run is refused where the machine cannot make and prove the fault.
    pub fn insists_on(&self, kind: FaultKind) -> bool {
        matches!(self.faults, Faults::Scripted(_)) || self.insisted.contains(&kind)
    }

    /// What its faults need beyond signals.
    pub fn fault_needs(&self) -> BTreeSet<Need> {
        self.kinds().into_iter().map(|kind| kind.definition().need()).collect()
    }

    /// The same as far as nodes are concerned: a client's clock is no node's.
    pub fn node_needs(&self) -> BTreeSet<Need> {
        let nodes = self.kinds().into_iter().filter(|kind| !kind.aim().is_of_clients());
        nodes.map(|kind| kind.definition().need()).collect()
    }

    /// What people are told before a run whose faults may destroy more copies than its settings keep: that a loss is expected.
    pub fn expected_loss(&self) -> Option<String> {
        let damage = self.traits().damage;
        let (copies, of) = (damage.unflushed_nodes.max(damage.flushed_nodes), self.cluster.replication);
        let because = contract::overdrawn(&self.settings, &self.traits())?;
        Some(format!("expected loss {copies} of {of} replicas may lose un-synced data at one time: {because}"))
    }

    /// Whether its faults reach for the wall clocks of clients, and of nodes.
    pub fn skews(&self) -> Skews {
        let clocks = self.kinds().into_iter().filter(|kind| kind.definition().need() == Need::Clock);
        let (clients, nodes): (Vec<_>, Vec<_>) = clocks.partition(|kind| kind.aim().is_of_clients());
        Skews { clients: !clients.is_empty(), nodes: !nodes.is_empty() }
    }

    /// The kinds of its faults.
    pub fn kinds(&self) -> Vec<FaultKind> {
        match &self.faults {
            Faults::Drawn(mix) => mix.faults().collect(),
            Faults::Scripted(episodes) => episodes.iter().map(|episode| episode.fault).collect(),
            Faults::Scheduled(schedule) => schedule.faults(),
        }
    }

    /// Completes settings that follow from others. Returns what it changed, in words.
    pub fn settle(&mut self) -> Vec<String> {
        let idempotence = self.settings.get(Owner::Producer, "enable.idempotence");
        let implied = idempotence.is_some_and(|s| s.value == "true" && s.origin == Origin::Preset);
        let Some((needs, name)) = self.forbids_idempotence().filter(|_| implied) else { return Vec::new() };
        let by = self.settings.cite(Owner::Producer, name);
        let note = format!("enable.idempotence is off: it needs {needs}, and the run has {by}");
        self.settings.set(Owner::Producer, "enable.idempotence", "false", Origin::Implied(by));
        vec![note]
    }

    /// What idempotence needs that a producer's setting does not give, and that setting.
    fn forbids_idempotence(&self) -> Option<(&'static str, &'static str)> {
        const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";
        let number = |name| self.settings.get(Owner::Producer, name).and_then(|set| set.value.parse::<u64>().ok());
        let against = [
            (self.settings.acks_are_weak(), ("acks=all", "acks")),
            (number("retries") == Some(0), ("retries of more than 0", "retries")),
            (number(IN_FLIGHT).is_some_and(|n| n > 5), ("no more than 5 requests in flight", IN_FLIGHT)),
        ];
        against.into_iter().find(|(against, _)| *against).map(|(_, which)| which)
    }
}

/// Whose wall clocks go wrong in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Skews {
    /// Those of clients.
    pub clients: bool,
    /// Those of nodes.
    pub nodes: bool,
}

/// Where a run is put and what is kept of it.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// Folder of all runs.
    pub out: PathBuf,
    /// Keep brokers' data folders whatever the verdict.
    pub data: bool,
}

mod millis {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(time.as_millis() as u64)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_millis)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn scenario(settings: Settings) -> Scenario {
        Scenario { settings, ..Scenario::new("queue", 1) }
    }

    #[test]
    fn weak_acks_turn_the_presets_idempotence_off_and_say_so() {
        let mut s = scenario(preset::durable());
        s.settings.set(Owner::Producer, "acks", "1", Origin::Flag);
        assert_eq!(s.settle().len(), 1);
        assert_eq!(s.settings.get(Owner::Producer, "enable.idempotence").unwrap().value, "false");
    }

    #[test]
    fn what_idempotence_cannot_be_with_turns_the_presets_off_and_what_it_can_be_with_does_not() {
        for (name, value, off) in [
            ("retries", "0", true),
            ("retries", "1", false),
            ("max.in.flight.requests.per.connection", "6", true),
            ("max.in.flight.requests.per.connection", "5", false),
            ("acks", "-1", false),
        ] {
            let mut s = scenario(preset::durable());
            s.settings.set(Owner::Producer, name, value, Origin::Flag);
            assert_eq!(s.settle().len(), usize::from(off), "{name}={value}");
        }
    }

    #[test]
    fn idempotence_that_was_asked_for_is_left_to_the_clients_own_refusal() {
        let mut s = scenario(preset::durable());
        s.settings.set(Owner::Producer, "acks", "1", Origin::Flag);
        s.settings.set(Owner::Producer, "enable.idempotence", "true", Origin::Flag);
        assert!(s.settle().is_empty());
    }
}
