//! Apache Kafka in KRaft mode: brokers and controllers are JVMs started from the release's jars.
//!
//! ```text
//! CACHE/kafka/4.1.0/libs/*.jar          the release, fetched once and checked       (fetch)
//! CACHE/kafka/4.1.0/formatted-…/        what formatting writes, without identities  (format)
//! CACHE/kafka/4.1.0/classes-…jsa        an archive of loaded classes: a quick start (archive)
//! run/brokers/1/{node.properties,data}  a node                                      (properties)
//! ```
//! **Invariants:** nodes share nothing but the cache, which is only read while they run; they listen on the loopback
//! address only; what a node prints goes to its `stdout.log` in Kafka's own line format.
//!
//! Source: Kafka's `StorageTool`, KIP-631, KIP-858, KIP-966.

mod archive;
mod cache;
pub mod fetch;
mod format;
mod java;
mod properties;
mod release;

use super::choice::KafkaSource;
use super::{Capabilities, Capability, NodePlan, Seat, System};
use crate::commands::Failure;
use crate::run::Processes;
use crate::scenario::Scenario;
use crate::settings::Owner;
use cache::Home;
use java::Java;
use release::Release;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Apache Kafka.
pub struct Kafka {
    /// Where its jars come from.
    pub source: KafkaSource,
}

/// JVMs that have little processor time want longer than the embedded broker.
const PRESET: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "3000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("replica.lag.time.max.ms", "3000"),
    ("replica.fetch.wait.max.ms", "100"),
    ("controller.quorum.election.timeout.ms", "1000"),
    ("controller.quorum.fetch.timeout.ms", "2000"),
];

impl Kafka {
    fn home(&self) -> Result<Home, String> {
        Home::of(&self.source)
    }

    /// `jars PATH`, for people.
    pub fn place(&self) -> Option<String> {
        self.home().ok().map(|home| format!("{:12} {}", "jars", home.libs.display()))
    }

    fn release(&self) -> Release {
        self.home().map_or_else(|_| Release::default(), |home| home.release())
    }
}

impl System for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn version(&self) -> String {
        self.release().to_string()
    }

    fn capabilities(&self) -> Capabilities {
        let has = Capabilities::all();
        match self.release().has_elr() {
            true => has,
            false => has.without(Capability::Elr, "eligible leader replicas came with Kafka 4.0"),
        }
    }

    fn preset(&self) -> &'static [(&'static str, &'static str)] {
        PRESET
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(180)
    }

    fn recovery_ms(&self) -> (u64, u64) {
        (8_000, 60_000)
    }

    fn ready_line(&self) -> Option<&'static str> {
        Some("Kafka Server started")
    }

    fn reads_back(&self) -> bool {
        true
    }

    fn ports(&self, scenario: &Scenario) -> usize {
        properties::ports(scenario.cluster)
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        if let Ok(java) = Java::find() {
            facts.insert("java".to_owned(), java.version);
        }
        if let Some(digest) = self.home().ok().and_then(|home| home.digest().ok()) {
            facts.insert("kafka jars".to_owned(), digest);
        }
        facts
    }

    fn refuse(&self, scenario: &Scenario) -> Result<(), String> {
        if let Some(bug) = &scenario.plant {
            return Err(format!("`{bug}` can be planted in the embedded broker only"));
        }
        let ours = |owner| scenario.settings.of(owner).find(|(name, _)| name.starts_with("stormglass."));
        if let Some((name, _)) = ours(Owner::Broker).or_else(|| ours(Owner::Topic)) {
            return Err(format!("`{name}` is a setting of the embedded broker; Kafka does not know it"));
        }
        self.release().refuse(&scenario.settings.values(Owner::Feature))
    }

    fn prepare(&self, scenario: &Scenario, processes: &mut Processes) -> Result<(), Failure> {
        let java = Java::find().map_err(java::no_java)?;
        let home = self.home().map_err(cache::no_start)?;
        fetch::bring(&home, processes)?;
        java.check(home.release()).map_err(cache::no_start)?;
        let _turn = home.lock()?;
        format::bring(&home, &java, scenario, processes)?;
        archive::bring(&home, &java, processes)
    }

    fn advertises(&self) -> bool {
        true
    }

    fn program(&self) -> Option<PathBuf> {
        Java::find().ok().map(|java| java.program)
    }

    fn lay_out(&self, scenario: &Scenario, folder: &Path, seats: &[Seat]) -> std::io::Result<Vec<NodePlan>> {
        let home = self.home().map_err(std::io::Error::other)?;
        let java = Java::find().map_err(std::io::Error::other)?;
        properties::lay_out(scenario, (&home, &java), folder, seats)
    }
}
