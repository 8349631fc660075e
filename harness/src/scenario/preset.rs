//! Presets as data: what a run uses where nobody said otherwise.

use super::{ClusterShape, Floors, Load};
use crate::settings::{Origin, Owner, Settings};
use std::collections::BTreeMap;
use std::time::Duration;
use workloads::library::Library;
use workloads::properties::{self, Side};

/// 3 brokers, 1 dedicated controller, 4 partitions of 3 replicas.
pub const CLUSTER: ClusterShape =
    ClusterShape { brokers: 3, controllers: 1, replication: 3, partitions: 4, base_port: None };

/// 2000 records of 100 bytes a second for 30 s.
pub const LOAD: Load = Load { time: Duration::from_secs(30), rate_per_s: 2000, record_bytes: 100 };

/// One episode that took effect while acknowledged records were at risk.
pub const FLOORS: Floors = Floors { exposed_episodes_min: 1, effective_min: BTreeMap::new(), effective_min_each: 0 };

const BROKER: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "1500"),
    ("broker.heartbeat.interval.ms", "200"),
    ("replica.lag.time.max.ms", "2000"),
    ("replica.fetch.wait.max.ms", "100"),
    ("controller.quorum.election.timeout.ms", "500"),
    ("controller.quorum.fetch.timeout.ms", "1000"),
    // A group whose coordinator moves every few seconds would otherwise not come to work in a short run.
    ("group.initial.rebalance.delay.ms", "0"),
    ("min.insync.replicas", "2"),
];

const TOPIC: &[(&str, &str)] = &[("min.insync.replicas", "2"), ("unclean.leader.election.enable", "false")];

/// What never loses an acknowledged record: the default.
pub fn durable() -> Settings {
    let mut settings = Settings::default();
    for (owner, table) in [(Owner::Broker, BROKER), (Owner::Topic, TOPIC)] {
        for (name, value) in table {
            settings.set(owner, name, value, Origin::Preset);
        }
    }
    settings.adopt(Library::default());
    settings
}

impl Settings {
    /// Takes over a client library's durable preset, in place of another one's.
    pub fn adopt(&mut self, library: Library) {
        for (owner, side) in [(Owner::Producer, Side::Producer), (Owner::Consumer, Side::Consumer)] {
            self.forget_preset(owner);
            for (name, value) in properties::durable_of(library, side) {
                if self.get(owner, &name).is_none() {
                    self.set(owner, &name, &value, Origin::Preset);
                }
            }
        }
    }
}
