//! Records onto the image: the only way an image changes.
//!
//! Total: a record that does not fit (a change of a topic that is gone) changes nothing, so that every replica of the log ends in the
//! same image whatever the log holds.

use super::{
    image::{BrokerImage, ClusterImage, Configs, PartitionImage, TopicImage},
    record::{CommittedBatch, MetadataRecord, Registration},
};

/// Applies a committed batch and moves the image to its version.
pub fn apply_batch(image: &mut ClusterImage, batch: &CommittedBatch) {
    image.version = batch.version;
    for record in &batch.records {
        apply(image, record);
    }
}

/// Applies one record; the version stays.
pub fn apply(image: &mut ClusterImage, record: &MetadataRecord) {
    match record {
        MetadataRecord::ControllerActive { .. } => {}
        MetadataRecord::RegisterBroker(registration) => register(image, registration),
        MetadataRecord::FenceBroker { broker, epoch, .. } => {
            if let Some(broker) = image.brokers.get_mut(broker).filter(|broker| broker.epoch == *epoch) {
                broker.fenced = true;
                broker.must_apply = image.version;
            }
        }
        MetadataRecord::UnfenceBroker { broker, epoch } => {
            if let Some(broker) = image.brokers.get_mut(broker).filter(|broker| broker.epoch == *epoch) {
                broker.fenced = false;
            }
        }
        MetadataRecord::CreateTopic { name, id, partitions, configs } => {
            let topic = TopicImage { id: *id, partitions: partitions.clone(), configs: configs.clone() };
            image.topics.insert(name.clone(), topic);
        }
        MetadataRecord::DeleteTopic { name, id } => {
            if image.topics.get(name).is_some_and(|topic| topic.id == *id) {
                image.topics.remove(name);
            }
        }
        MetadataRecord::AddPartitions { name, partitions } => {
            if let Some(topic) = image.topics.get_mut(name) {
                topic.partitions.extend(partitions.iter().cloned());
            }
        }
        MetadataRecord::PartitionChange { topic, partition, state, .. } => change(image, topic, *partition, state),
        MetadataRecord::TopicConfig { topic, key, value } => {
            if let Some(topic) = image.topics.get_mut(topic) {
                set(&mut topic.configs, key, value.as_deref());
            }
        }
        MetadataRecord::BrokerConfig { broker: None, key, value } => {
            set(&mut image.default_configs, key, value.as_deref());
        }
        MetadataRecord::BrokerConfig { broker: Some(broker), key, value } => {
            set(image.broker_configs.entry(*broker).or_default(), key, value.as_deref());
        }
        MetadataRecord::ProducerIds { next } => image.next_producer_id = *next,
        MetadataRecord::FeatureLevel { name, level } => {
            image.features.insert(name.clone(), *level);
        }
    }
}

fn register(image: &mut ClusterImage, new: &Registration) {
    image.last_broker_epoch = image.last_broker_epoch.max(new.epoch);
    let broker = BrokerImage {
        id: new.broker,
        epoch: new.epoch,
        incarnation: new.incarnation,
        host: new.host.clone(),
        port: new.port,
        rack: new.rack.clone(),
        fenced: true,
        must_apply: image.version,
    };
    image.brokers.insert(new.broker, broker);
}

fn change(image: &mut ClusterImage, topic: &str, partition: i32, state: &PartitionImage) {
    let partitions = image.topics.get_mut(topic).map(|topic| &mut topic.partitions);
    let slot = partitions.and_then(|partitions| partitions.get_mut(usize::try_from(partition).ok()?));
    let Some(slot) = slot else { return };
    let deposed = slot.leader.filter(|_| slot.leader_epoch != state.leader_epoch);
    slot.clone_from(state);
    if let Some(deposed) = deposed.and_then(|deposed| image.brokers.get_mut(&deposed)) {
        deposed.must_apply = image.version;
    }
}

fn set(configs: &mut Configs, key: &str, value: Option<&str>) {
    match value {
        Some(value) => configs.insert(key.to_owned(), value.to_owned()),
        None => configs.remove(key),
    };
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::metadata::{
        ids::{BrokerEpoch, BrokerId, Incarnation, LeaderEpoch, TopicId, Version},
        record::FenceReason,
    };

    fn registered(epoch: i64) -> MetadataRecord {
        MetadataRecord::RegisterBroker(Registration {
            broker: BrokerId(1),
            epoch: BrokerEpoch(epoch),
            incarnation: Incarnation(Uuid::from_u128(epoch.unsigned_abs().into())),
            host: "127.0.0.1".into(),
            port: 9092,
            rack: None,
        })
    }

    fn image_after(records: &[MetadataRecord]) -> ClusterImage {
        let mut image = ClusterImage::default();
        records.iter().for_each(|record| apply(&mut image, record));
        image
    }

    #[test]
    fn a_broker_is_fenced_until_it_is_unfenced() {
        let unfence = MetadataRecord::UnfenceBroker { broker: BrokerId(1), epoch: BrokerEpoch(5) };
        assert!(!image_after(&[registered(5)]).is_alive(BrokerId(1)));
        assert!(image_after(&[registered(5), unfence]).is_alive(BrokerId(1)));
    }

    #[test]
    fn a_fence_meant_for_an_earlier_life_leaves_the_present_one_alone() {
        let unfence = MetadataRecord::UnfenceBroker { broker: BrokerId(1), epoch: BrokerEpoch(6) };
        let fence = |epoch| MetadataRecord::FenceBroker {
            broker: BrokerId(1),
            epoch: BrokerEpoch(epoch),
            reason: FenceReason::SessionExpired,
        };
        assert!(image_after(&[registered(6), unfence.clone(), fence(5)]).is_alive(BrokerId(1)));
        assert!(!image_after(&[registered(6), unfence, fence(6)]).is_alive(BrokerId(1)));
    }

    #[test]
    fn a_deletion_meant_for_an_earlier_topic_of_the_name_leaves_the_present_one_alone() {
        let create = |id| MetadataRecord::CreateTopic {
            name: "t".into(),
            id: TopicId(Uuid::from_u128(id)),
            partitions: vec![PartitionImage::default()],
            configs: Configs::new(),
        };
        let delete = |id| MetadataRecord::DeleteTopic { name: "t".into(), id: TopicId(Uuid::from_u128(id)) };
        assert!(image_after(&[create(2), delete(1)]).topics.contains_key("t"));
        assert!(!image_after(&[create(2), delete(2)]).topics.contains_key("t"));
    }

    #[test]
    fn a_deposed_leader_must_apply_its_deposition_and_a_confirmed_one_need_not() {
        let state = |leader_epoch| PartitionImage {
            leader: Some(BrokerId(1)),
            leader_epoch: LeaderEpoch(leader_epoch),
            ..PartitionImage::default()
        };
        let create = MetadataRecord::CreateTopic {
            name: "t".into(),
            id: TopicId::default(),
            partitions: vec![state(0)],
            configs: Configs::new(),
        };
        let change = |leader_epoch| MetadataRecord::PartitionChange {
            topic: "t".into(),
            partition: 0,
            election: None,
            state: state(leader_epoch),
        };
        let must_apply_after = |record: MetadataRecord| {
            let mut image = image_after(&[registered(5), create.clone()]);
            image.version = Version(9);
            apply(&mut image, &record);
            image.brokers[&BrokerId(1)].must_apply
        };
        assert_eq!(must_apply_after(change(0)), Version(0));
        assert_eq!(must_apply_after(change(1)), Version(9));
        let (broker, epoch) = (BrokerId(1), BrokerEpoch(5));
        let fence = MetadataRecord::FenceBroker { broker, epoch, reason: FenceReason::SessionExpired };
        assert_eq!(must_apply_after(fence), Version(9));
    }

    #[test]
    fn a_change_of_a_partition_that_does_not_exist_changes_nothing() {
        let change = |partition| MetadataRecord::PartitionChange {
            topic: "t".into(),
            partition,
            election: None,
            state: PartitionImage::default(),
        };
        for partition in [-1, 0, i32::MAX] {
            assert_eq!(image_after(&[change(partition)]), ClusterImage::default());
        }
    }
}
