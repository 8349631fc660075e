//! What the cluster says it runs with: topic and broker settings read back by DescribeConfigs into `configs/`.
//!
//! What was asked for is in `scenario.json`; the difference between the two is a finding in itself.

use super::bring_up::Cluster;
use crate::commands::Failure;
use crate::scenario::Scenario;
use crate::settings::{Origin, Owner, Settings};
use crate::{suggest, systems};
use history::NodeId;
use results::manifest::{REDACTED, is_secret};
use results::{RunFolder, json};
use std::collections::BTreeMap;
use workloads::clock::Deadline;
use workloads::wire::{ConfigOf, ConfigValue, Connection, WireError};

const READ_MS_MAX: u64 = 2_000;

/// Reads everything back. A system that does not answer DescribeConfigs leaves the file out; of one that knows all its
/// settings, a broker setting that it does not tell is refused as a typo.
pub fn read_back(scenario: &Scenario, cluster: &Cluster, folder: &RunFolder) -> Result<(), Failure> {
    let knows_all = systems::of(&scenario.system).reads_back();
    let brokers = cluster.nodes.brokers();
    let topic = brokers.first().map(|node| ("topic".to_owned(), *node, ConfigOf::Topic(cluster.topic.clone())));
    let each = brokers.iter().map(|node| (format!("broker-{}", node.0), *node, ConfigOf::Broker(*node)));
    for (name, node, of) in topic.into_iter().chain(each) {
        if let Ok(values) = ask(cluster, node, &of) {
            if knows_all && matches!(of, ConfigOf::Broker(_)) {
                refuse_unknown(&scenario.settings, &values)?;
            }
            let shown: BTreeMap<String, Option<String>> = values.into_iter().map(show).collect();
            json::write(&folder.configs().join(format!("{name}.json")), &shown).map_err(Failure::internal)?;
        }
    }
    Ok(())
}

fn refuse_unknown(settings: &Settings, told: &BTreeMap<String, ConfigValue>) -> Result<(), Failure> {
    let asked = settings.of(Owner::Broker).filter(|(_, setting)| setting.origin != Origin::Preset);
    match asked.map(|(name, _)| name).find(|name| !told.contains_key(*name)) {
        Some(name) => {
            let known = told.keys().map(String::as_str);
            Err(Failure::usage(suggest::unknown("broker property", name, known, None)))
        }
        None => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_the_broker_does_not_tell_is_a_typo_and_a_preset_is_not() {
        let told = BTreeMap::from([("num.io.threads".to_owned(), ConfigValue { value: None, source: 5 })]);
        let check = |name: &str, origin| {
            let mut settings = Settings::default();
            settings.set(Owner::Broker, name, "1", origin);
            refuse_unknown(&settings, &told)
        };
        assert!(check("num.io.threads", Origin::Flag).is_ok() && check("num.oi.threads", Origin::Preset).is_ok());
        assert!(check("num.oi.threads", Origin::Flag).unwrap_err().text.contains("`num.io.threads`"));
    }
}
