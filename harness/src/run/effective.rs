//! What the cluster says it runs with: topic and broker settings read back by DescribeConfigs into `configs/`.
//!
//! What was asked for is in `scenario.json`; the difference between the two is a finding in itself.

use super::bring_up::Cluster;
use crate::commands::Failure;
use crate::scenario::TOPIC;
use history::NodeId;
use results::manifest::{REDACTED, is_secret};
use results::{RunFolder, json};
use std::collections::BTreeMap;
use workloads::clock::Deadline;
use workloads::wire::{ConfigOf, ConfigValue, Connection, WireError};

const READ_MS_MAX: u64 = 2_000;

/// Reads everything back. A system that does not answer DescribeConfigs leaves the file out.
pub fn read_back(cluster: &Cluster, folder: &RunFolder) -> Result<(), Failure> {
    let brokers = cluster.nodes.brokers();
    let topic = brokers.first().map(|node| ("topic".to_owned(), *node, ConfigOf::Topic(TOPIC.into())));
    let each = brokers.iter().map(|node| (format!("broker-{}", node.0), *node, ConfigOf::Broker(*node)));
    for (name, node, of) in topic.into_iter().chain(each) {
        if let Ok(values) = ask(cluster, node, &of) {
            let shown: BTreeMap<String, Option<String>> = values.into_iter().map(show).collect();
            json::write(&folder.configs().join(format!("{name}.json")), &shown).map_err(Failure::internal)?;
        }
    }
    Ok(())
}

fn ask(cluster: &Cluster, node: NodeId, of: &ConfigOf) -> Result<BTreeMap<String, ConfigValue>, WireError> {
    let address = cluster.nodes.plan(node).map(|plan| plan.address.to_string()).unwrap_or_default();
    let deadline = Deadline::in_ms(READ_MS_MAX);
    Connection::open(&address, "stormglass-controller", deadline)?.describe_configs(of, deadline)
}

fn show((name, told): (String, ConfigValue)) -> (String, Option<String>) {
    let value = if is_secret(&name) { told.value.map(|_| REDACTED.to_owned()) } else { told.value };
    (name, value)
}
