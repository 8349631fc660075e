//! One broker that speaks Kafka's protocol, Apache Kafka or the embedded one: a topic of one partition, synced at each append or
//! whenever the broker likes.

use super::{Subject, Syncs};
use crate::commands::Failure;
use crate::commands::run;
use crate::ports;
use crate::run::Processes;
use crate::scenario::{ClusterShape, Scenario};
use crate::settings::{Origin, Owner};
use crate::systems::{self, NodePlan, SystemChoice};
use results::Exit;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use workloads::clock::{self, Deadline};
use workloads::wire::{Append, Cluster, Isolation, NewTopic, OffsetAt};

const TOPIC: &str = "known";
const ATTEMPT_MS_MAX: u64 = 1_000;
const ANSWER_MS_MAX: u64 = 20_000;

/// See the module.
pub struct Broker {
    scenario: Scenario,
}

fn cluster(address: SocketAddr) -> Cluster {
    Cluster::new(&[address.to_string()], "stormglass-known-answers")
}

impl Broker {
    /// One broker of a system, and whatever it needs beside it.
    pub fn of(choice: SystemChoice) -> Broker {
        let controllers = u16::from(choice == SystemChoice::Embedded);
        let plain = run::plain(choice);
        let alone = ClusterShape { brokers: 1, controllers, replication: 1, partitions: 1, ..plain.cluster };
        let mut scenario = Scenario { cluster: alone, ..plain };
        scenario.settings.set(Owner::Broker, "min.insync.replicas", "1", Origin::Preset);
        Broker { scenario }
    }
}

impl Subject for Broker {
    fn name(&self) -> String {
        self.scenario.system.to_string()
    }

    fn prepare(&self, processes: &mut Processes) -> Result<(), Failure> {
        systems::of(&self.scenario.system).prepare(&self.scenario, processes)
    }

    fn lay_out(&self, folder: &Path, _: Syncs) -> Result<Vec<NodePlan>, Failure> {
        let system = systems::of(&self.scenario.system);
        let seats = ports::seats(system.ports(&self.scenario), None, false);
        let seats = seats.ok_or_else(|| Failure::internal("there are no ports to use"))?;
        let no_start = |e: io::Error| Failure { exit: Exit::NoBroker, text: e.to_string() };
        system.lay_out(&self.scenario, folder, &seats).map_err(no_start)
    }

    fn ready(&self, address: SocketAddr, new: Option<Syncs>) -> io::Result<bool> {
        let (mut cluster, deadline) = (cluster(address), Deadline::in_ms(ATTEMPT_MS_MAX));
        let view = cluster.metadata(Some(&[TOPIC]), deadline).map_err(io::Error::other)?;
        let is_there = view.topics.iter().any(|topic| topic.name == TOPIC && topic.error == 0);
        if let (Some(syncs), false) = (new, is_there) {
            let flush = (syncs == Syncs::EachWrite).then(|| ("flush.messages".to_owned(), "1".to_owned()));
            let configs: BTreeMap<String, String> = flush.into_iter().collect();
            let topic = NewTopic { name: TOPIC.into(), partitions: 1, replication: 1, configs };
            cluster.create_topic(&topic, deadline).map_err(io::Error::other)?;
        }
        cluster.wait_ready(TOPIC, 1, 1, deadline).map(|_| true).map_err(io::Error::other)
    }

    fn write(&self, address: SocketAddr, from: u64, to: u64) -> io::Result<()> {
        let mut cluster = cluster(address);
        for number in from..to {
            let value = format!("record {number}");
            let values: [&[u8]; 1] = [value.as_bytes()];
            let timestamp_ms = i64::try_from(clock::wall() / 1_000_000).unwrap_or(0);
            let append =
                Append { values: &values, timestamp_ms, acks: -1, replicas_ms_max: 5_000, ..Append::default() };
            let deadline = Deadline::in_ms(ANSWER_MS_MAX);
            cluster.produce_once(TOPIC, 0, append, deadline).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn count(&self, address: SocketAddr) -> io::Result<u64> {
        let end = cluster(address).list_offset(
            TOPIC,
            0,
            OffsetAt::Latest(Isolation::ReadUncommitted),
            Deadline::in_ms(ANSWER_MS_MAX),
        );
        end.map(|end| end.0.unsigned_abs()).map_err(io::Error::other)
    }
}
