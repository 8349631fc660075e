//! Topics made and given partitions, and old records deleted, while others append: what was acknowledged is not forgotten.
//!
//! How many partitions a topic has is a register that an operator writes ([`crate::client::operator`]) and that is read after the
//! load. It is journalled as a position of a group of its own, for which the judge already knows what may not happen: that an
//! acknowledged write is gone, or a value is read that nobody wrote.

use crate::finals::Final;
use crate::queue::Queue;
use crate::spec::{Also, OperatorSpec, ProducerApp, RoleSpec, Spread};
use crate::workload::{Crew, Need, Plan, Shape, Site};
use checker::claim::Claim;
use checker::contract::Contract;
use history::Role;
use serde::{Deserialize, Serialize};

/// As it is called.
pub const NAME: &str = "admin";
/// In one line.
pub const WHAT: &str =
    "topics are made and given partitions, old records are deleted under load; no acknowledged change is forgotten";

/// Topics an operator makes.
pub const TOPICS_MAX: u32 = 8;
/// Partitions it gives each.
pub const PARTITIONS_MAX: i32 = 12;
/// The first of the registers' numbers; each topic has one.
const REGISTERS: u32 = 100;
const INTERVAL_MS: u64 = 400;
/// Records of a log that are not deleted: more than a consumer is ever behind.
const KEEPS_RECORDS: u32 = 2_000;

/// Its shape.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Producer processes on the topic under load.
    pub producers: u32,
}

impl Default for Admin {
    fn default() -> Admin {
        Admin { producers: 1 }
    }
}

/// The name of an operator's topic.
pub fn topic_name(prefix: &str, topic: u32) -> String {
    format!("{prefix}-admin-{topic}")
}

impl Shape for Admin {
    fn plan(&self, site: &Site) -> Plan {
        let mut crew = Crew::new(site);
        crew.producers(self.producers, Spread::RoundRobin, &ProducerApp::default());
        crew.readers(1);
        crew.sampler("sampler", Also::Offsets);
        let prefix = site.logs.first().map(|log| log.topic.clone()).unwrap_or_default();
        // Elsewhere a start that was told may be forgotten in a crash: Kafka keeps it once a minute.
        let (operator, trims) = (prefix.clone(), site.exact);
        crew.client("operator", Role::Sampler, |process, _| {
            RoleSpec::Operator(OperatorSpec {
                process,
                group: REGISTERS,
                prefix: operator,
                replication: site.replication,
                interval_ms: INTERVAL_MS,
                keeps_records: trims.then_some(KEEPS_RECORDS),
            })
        });
        crew.last("topics", |reader| Final::Topics { reader, group: REGISTERS, prefix });
        crew.plan(Queue::CLAIMS.iter().copied().chain([Claim::CommittedOffsetMonotonic]).collect())
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Administration]
    }

    fn bind(&self, contract: Contract) -> Contract {
        contract
            .forbid(Claim::CommittedOffsetMonotonic)
            .allow(Claim::NoUnreadTrim, "an operator deletes the oldest records, read or not")
    }
}
