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

const READ_MS_MAX: u64 = 10_000;

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
    let asked = settings.of(Owner::Broker).filter(|(_, s)| s.origin != Origin::Preset && !s.value.is_empty());
    // Kafka repeats every name it was given, and tells no value for one that it does not know, as for a secret.
    let is_known = |name: &str| told.get(name).is_some_and(|told| told.value.is_some() || is_secret(name));
    match asked.map(|(name, _)| name).find(|name| !is_known(name)) {
        Some(name) => {
            let known = told.iter().filter(|(_, told)| told.value.is_some()).map(|(name, _)| name.as_str());
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
        let told = |name: &str, value: Option<&str>| {
            (name.to_owned(), ConfigValue { value: value.map(str::to_owned), source: 4 })
        };
        let told = [told("num.io.threads", Some("1")), told("num.io.threds", None), told("ssl.key.password", None)];
        let told = BTreeMap::from(told);
        let check = |name: &str, origin| {
            let mut settings = Settings::default();
            settings.set(Owner::Broker, name, "1", origin);
            refuse_unknown(&settings, &told)
        };
        assert!(check("num.io.threads", Origin::Flag).is_ok() && check("num.oi.threads", Origin::Preset).is_ok());
        assert!(check("ssl.key.password", Origin::Flag).is_ok(), "no value is told of a secret either");
        assert!(check("num.io.threds", Origin::Flag).unwrap_err().text.contains("`num.io.threads`"));
        assert!(check("num.oi.threads", Origin::Flag).unwrap_err().text.contains("`num.io.threads`"));
    }
}
