//! Dynamic configs, and what follows from those that elections go by.
//!
//! Turning unclean election on elects where nobody leads. Changing `min.insync.replicas` empties the ELR, for its members are only sure to
//! hold everything committed under the old value (KIP-966). Other keys are stored as they come: what they may be is for the brokers to say.

use std::collections::BTreeSet;

use super::{Decision, FORGOTTEN, MIN_ISR, UNCLEAN, View, draft::Draft};
use crate::bugs::Bug;
use crate::metadata::{
    apply::apply,
    error::ControllerError,
    image::Configs,
    record::MetadataRecord,
    rpc::{ConfigChange, ConfigEdit, ConfigOp, ConfigResource},
};

const CONFIG_BYTES_MAX: usize = 32 << 10;

/// A resource's new configs, and elections they allow.
///
/// # Errors
/// [`ControllerError::UnknownTopic`], [`ControllerError::InvalidConfig`].
pub fn alter(view: View<'_>, change: &ConfigChange) -> Decision {
    let empty = Configs::new();
    let old = match &change.resource {
        ConfigResource::Topic(name) => {
            let topic = view.image.topics.get(name);
            &topic.ok_or_else(|| ControllerError::UnknownTopic(name.clone()))?.configs
        }
        ConfigResource::Broker(None) => &view.image.default_configs,
        ConfigResource::Broker(Some(broker)) => view.image.broker_configs.get(broker).unwrap_or(&empty),
    };
    let new = edited(old, &change.change)?;
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).filter(|key| old.get(*key) != new.get(*key)).collect();
    keys.iter().filter_map(|key| Some((*key, new.get(*key)?))).try_for_each(|(key, value)| check(key, value))?;
    let lost = |key: &str| FORGOTTEN.contains(&key) && view.bugs().has(Bug::MinIsrLost);
    let kept = keys.iter().filter(|key| !lost(key));
    let mut records: Vec<_> = kept.map(|key| record(&change.resource, key, new.get(*key))).collect();
    records.extend(consequences(view, &change.resource, &keys, &records));
    Ok(records)
}

/// Refuses values of keys that elections go by if they make no sense, and anything overlong.
///
/// # Errors
/// [`ControllerError::InvalidConfig`].
pub fn check(key: &str, value: &str) -> Result<(), ControllerError> {
    let sound = match key {
        MIN_ISR => value.parse::<u32>().is_ok_and(|value| value > 0),
        UNCLEAN => ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)),
        _ => key.len() + value.len() <= CONFIG_BYTES_MAX,
    };
    if sound { Ok(()) } else { Err(ControllerError::InvalidConfig(key.chars().take(100).collect())) }
}

fn edited(old: &Configs, edit: &ConfigEdit) -> Result<Configs, ControllerError> {
    let mut new = old.clone();
    match edit {
        ConfigEdit::Replace(configs) => new.clone_from(configs),
        ConfigEdit::Incremental(steps) => steps.iter().for_each(|(key, op)| step(&mut new, key, op)),
    }
    Ok(new)
}

fn step(configs: &mut Configs, key: &str, op: &ConfigOp) {
    let present = configs.get(key).map(String::as_str).unwrap_or_default();
    let elements = || present.split(',').map(str::trim).filter(|element| !element.is_empty());
    let value = match op {
        ConfigOp::Set(value) => value.clone(),
        ConfigOp::Append(more) if elements().any(|element| element == more) => present.to_owned(),
        ConfigOp::Append(more) => elements().chain([more.as_str()]).collect::<Vec<_>>().join(","),
        ConfigOp::Subtract(less) => elements().filter(|element| element != less).collect::<Vec<_>>().join(","),
        ConfigOp::Delete => {
            configs.remove(key);
            return;
        }
    };
    configs.insert(key.to_owned(), value);
}

fn record(resource: &ConfigResource, key: &str, value: Option<&String>) -> MetadataRecord {
    let (key, value) = (key.to_owned(), value.cloned());
    match resource {
        ConfigResource::Topic(topic) => MetadataRecord::TopicConfig { topic: topic.clone(), key, value },
        ConfigResource::Broker(broker) => MetadataRecord::BrokerConfig { broker: *broker, key, value },
    }
}

fn consequences(
    view: View<'_>,
    resource: &ConfigResource,
    keys: &BTreeSet<&String>,
    records: &[MetadataRecord],
) -> Vec<MetadataRecord> {
    let changed = |key: &str| keys.iter().any(|changed| *changed == key);
    let concerned = |topic: &str| match resource {
        ConfigResource::Topic(name) => name == topic,
        ConfigResource::Broker(broker) => broker.is_none(),
    };
    if !changed(MIN_ISR) && !changed(UNCLEAN) {
        return Vec::new();
    }
    let mut image = view.image.clone();
    records.iter().for_each(|record| apply(&mut image, record));
    let after = View { image: &image, ..view };
    after.change_partitions(
        |topic, partition| concerned(topic) && (partition.leader.is_none() || !partition.elr.is_empty()),
        |draft| if changed(MIN_ISR) { Draft::forgetting_elr(draft) } else { draft },
        |broker| view.image.is_alive(broker),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{controller::decide::cluster, metadata::image::ClusterImage};

    fn topic(steps: &[(&str, ConfigOp)]) -> ConfigChange {
        let steps = steps.iter().map(|(key, op)| ((*key).to_owned(), op.clone())).collect();
        ConfigChange { resource: ConfigResource::Topic("t".into()), change: ConfigEdit::Incremental(steps) }
    }

    fn altered(image: &ClusterImage, change: &ConfigChange) -> Result<ClusterImage, ControllerError> {
        alter(cluster::view(image), change).map(|records| cluster::after(image, &records))
    }

    fn set(value: &str) -> ConfigOp {
        ConfigOp::Set(value.into())
    }

    #[test]
    fn steps_set_delete_append_and_subtract() {
        let image = cluster::of("1", "t 1 isr=1");
        let steps = [
            ("cleanup.policy", set("delete")),
            ("cleanup.policy", ConfigOp::Append("compact".into())),
            ("cleanup.policy", ConfigOp::Append("compact".into())),
            ("cleanup.policy", ConfigOp::Subtract("delete".into())),
            ("retention.ms", set("5")),
            ("retention.ms", ConfigOp::Delete),
        ];
        let configs = &altered(&image, &topic(&steps)).unwrap().topics["t"].configs;
        assert_eq!(configs.iter().collect::<Vec<_>>(), [(&"cleanup.policy".to_owned(), &"compact".to_owned())]);
    }

    #[test]
    fn a_replacement_deletes_what_it_does_not_name() {
        let image = altered(&cluster::of("1", "t 1 isr=1"), &topic(&[("retention.ms", set("5"))])).unwrap();
        let new = Configs::from([("segment.ms".to_owned(), "9".to_owned())]);
        let change = ConfigChange { change: ConfigEdit::Replace(new.clone()), ..topic(&[]) };
        assert_eq!(altered(&image, &change).unwrap().topics["t"].configs, new);
    }

    #[test]
    fn what_is_the_same_already_is_no_record() {
        let image = altered(&cluster::of("1", "t 1 isr=1"), &topic(&[("retention.ms", set("5"))])).unwrap();
        assert_eq!(alter(cluster::view(&image), &topic(&[("retention.ms", set("5"))])), Ok(Vec::new()));
    }

    #[test]
    fn turning_unclean_election_on_elects_where_nobody_leads_and_turning_it_off_does_not() {
        let image = cluster::of("1- 2", "t 1,2 isr=1 last=1");
        let after = |value| {
            let image = altered(&image, &topic(&[(UNCLEAN, set(value))])).unwrap();
            cluster::text(image.partition("t", 0).unwrap())
        };
        assert_eq!(after("true"), "1,2 isr=2 leader=2 recovery e=1 p=1");
        assert_eq!(after("false"), "1,2 isr=1 last=1 e=0 p=0");
    }

    #[test]
    fn another_minimum_empties_the_elr_and_another_key_leaves_it() {
        let mut image = cluster::of("1- 2- 3-", "t 1,2,3 isr=1 elr=2 last=1");
        image.topics.get_mut("t").unwrap().configs.insert(MIN_ISR.into(), "2".into());
        let after = |key, value| {
            let image = altered(&image, &topic(&[(key, set(value))])).unwrap();
            cluster::text(image.partition("t", 0).unwrap())
        };
        assert_eq!(after(MIN_ISR, "3"), "1,2,3 isr=1 last=1 e=0 p=1");
        assert_eq!(after("retention.ms", "3"), "1,2,3 isr=1 elr=2 last=1 e=0 p=0");
    }

    #[test]
    fn a_clusters_default_concerns_all_topics_and_a_single_brokers_none() {
        let image = cluster::of("1- 2", "t 1,2 isr=1 last=1");
        let after = |broker| {
            let resource = ConfigResource::Broker(broker);
            let image = altered(&image, &ConfigChange { resource, ..topic(&[(UNCLEAN, set("true"))]) }).unwrap();
            image.partition("t", 0).unwrap().leader.is_some()
        };
        assert!(after(None));
        assert!(!after(Some(crate::metadata::ids::BrokerId(2))));
    }

    #[test]
    fn values_that_make_no_sense_and_topics_that_are_not_there_are_refused() {
        let image = cluster::of("1", "t 1 isr=1");
        for (key, value) in [(MIN_ISR, "0"), (MIN_ISR, "two"), (UNCLEAN, "perhaps")] {
            assert!(altered(&image, &topic(&[(key, set(value))])).is_err(), "{key} {value}");
        }
        let elsewhere = ConfigChange { resource: ConfigResource::Topic("u".into()), ..topic(&[]) };
        assert!(matches!(altered(&image, &elsewhere), Err(ControllerError::UnknownTopic(_))));
    }
}
