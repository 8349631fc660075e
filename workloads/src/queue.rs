//! The default workload: producers append to every log in turn, consumers read every log from its beginning, a sampler asks
//! for ends and windows.
//!
//! Every record is unique and says who wrote it, so the whole of it is judged from offsets alone: loss, duplication, order,
//! and linearizability of each log.

use crate::spec::{Also, OnError, ProducerApp, Spread};
use crate::workload::{Crew, Plan, Shape, Site};
use checker::claim::Claim;
use serde::{Deserialize, Serialize};

/// As it is called.
pub const NAME: &str = "queue";
/// In one line.
pub const WHAT: &str =
    "producers append to every log in turn, consumers read every log; loss, duplicates, order, staleness";

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// Producer processes, one writer each.
    pub producers: u32,
    /// Consumer processes; each reads every log.
    pub consumers: u32,
    /// Which log each record goes to.
    pub spread: Spread,
    /// The application around each producer; an outbox is a file name, and each has its own.
    pub app: ProducerApp,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue { producers: 2, consumers: 2, spread: Spread::RoundRobin, app: ProducerApp::default() }
    }
}

impl Queue {
    /// What it makes judgeable.
    pub const CLAIMS: &'static [Claim] = &[
        Claim::NoAckedLoss,
        Claim::AllReadAfterHeal,
        Claim::NoDuplicate,
        Claim::OneValuePerOffset,
        Claim::StablePrefix,
        Claim::TrueAck,
        Claim::ProducerOrder,
        Claim::ConsumerOrder,
        Claim::NoSkip,
        Claim::NoAbortedRead,
        Claim::LinearizableLog,
        Claim::NoPhantom,
        Claim::NoCorruption,
        Claim::NoMisroute,
        Claim::MonotoneObservables,
    ];
}

impl Shape for Queue {
    fn plan(&self, site: &Site) -> Plan {
        let mut crew = Crew::new(site);
        crew.producers(self.producers, self.spread, &self.app);
        crew.readers(self.consumers);
        crew.sampler("sampler", Also::Nothing);
        crew.plan(Self::CLAIMS.to_vec())
    }

    fn resends(&self) -> bool {
        self.app.on_error == OnError::Resend || self.app.outbox.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ClientSpec, Load, LogPlace, RoleSpec, WRITERS_PER_LIFE};
    use crate::workload::Pace;
    use history::{LogId, ProcessId, WriterId};

    fn site() -> Site {
        Site {
            run: 1,
            seed: 2,
            bootstrap: vec!["127.0.0.1:1".into()],
            logs: (0..4).map(|n| LogPlace { id: LogId(n), topic: "t".into(), partition: n as i32 }).collect(),
            pace: Pace { load: Load::OpenLoop { per_second: 2000.0 }, record_bytes: 256, sample_ms: 25 },
            replication: 1,
            exact: true,
            looks: None,
            library: Default::default(),
            journals: "/nowhere".into(),
            flush_ms_max: 1000,
            producer: Default::default(),
            consumer: Default::default(),
            first_process: ProcessId(1),
            first_writer: WriterId(0),
        }
    }

    #[test]
    fn everybody_has_a_process_and_every_producer_a_writer_of_its_own() {
        let plan = Queue::default().plan(&site());
        let names: Vec<&str> = plan.processes.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["producer-1", "producer-2", "consumer-1", "consumer-2", "sampler", "drain"]);
        let writers: Vec<_> = plan.processes.iter().filter_map(|p| p.writer).collect();
        assert_eq!(writers, [WriterId(0), WriterId(WRITERS_PER_LIFE)]);
        assert_eq!(plan.drain, ProcessId(6));
        assert_eq!(plan.clients.len(), 5);
    }

    #[test]
    fn a_rate_is_shared_and_a_plan_survives_its_file() {
        let plan = Queue::default().plan(&site());
        let dir = tempfile::tempdir().unwrap();
        for client in &plan.clients {
            let path = dir.path().join(&client.name);
            client.save(&path).unwrap();
            assert_eq!(&ClientSpec::load(&path).unwrap(), client);
        }
        let RoleSpec::Producer(producer) = &plan.clients[0].roles[0] else { panic!("a producer comes first") };
        assert_eq!(producer.load, Load::OpenLoop { per_second: 1000.0 });
    }
}
