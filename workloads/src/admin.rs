//! Topics made, given partitions and configured, and old records deleted, while others append: what was acknowledged is not forgotten.
//!
//! How many partitions a topic has is a register that an operator writes ([`crate::client::operator`]) and that is read after the
//! load, and so is a config of it, whose every value is another. Each is journalled as a position of a group of its own, for which the judge already knows what may not happen: that an
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
pub const WHAT: &str = "topics are made, given partitions, configured and old records deleted under load; no acknowledged change is \
                        forgotten";

/// Topics an operator makes.
pub const TOPICS_MAX: u32 = 8;
/// Partitions it gives each.
pub const PARTITIONS_MAX: u32 = 12;
/// Registers: first how many partitions each topic has, then how each is configured.
pub const REGISTERS: u32 = 2 * TOPICS_MAX;
/// The config that is changed.
pub const CONFIG: &str = "retention.ms";
/// Its first version is one more.
const CONFIG_BASE: u64 = 604_800_000;
/// The number of the first register.
const FIRST_REGISTER: u32 = 100;
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

/// The config's value in a version.
pub fn config_value(version: u32) -> String {
    (CONFIG_BASE + u64::from(version)).to_string()
}

/// The version whose value this is; none if it is no version's.
pub fn config_version(value: &str) -> Option<i64> {
    let above = value.parse::<u64>().ok()?.checked_sub(CONFIG_BASE)?;
    i64::try_from(above).ok().filter(|version| *version > 0)
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
                group: FIRST_REGISTER,
                prefix: operator,
                replication: site.replication,
                interval_ms: INTERVAL_MS,
                keeps_records: trims.then_some(KEEPS_RECORDS),
            })
        });
        for topic in 0..TOPICS_MAX {
            let name = topic_name(&prefix, topic);
            crew.register(FIRST_REGISTER + topic, format!("the number of partitions of {name}"));
            crew.register(FIRST_REGISTER + TOPICS_MAX + topic, format!("the version of {name}'s {CONFIG}"));
        }
        crew.last("topics", |reader| Final::Topics { reader, group: FIRST_REGISTER, prefix });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_tells_its_version_and_a_default_none() {
        assert!((1..100).all(|version| config_version(&config_value(version)) == Some(i64::from(version))));
        assert_eq!(["604800000", "-1", "", "1"].map(config_version), [None; 4]);
    }
}
