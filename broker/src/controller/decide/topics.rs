//! Topics come, grow and go.
//!
//! A new partition's ISR is its living replicas, and the first of them leads; at least one must live. Brokers that are fenced take replicas
//! only when there are too few others (as Kafka's `StripedReplicaPlacer`).

use super::{Decision, FORGOTTEN, View, configs, placement};
use crate::bugs::Bug;
use crate::metadata::{
    error::ControllerError,
    ids::{BrokerId, TopicId},
    image::{PartitionImage, TopicImage},
    record::MetadataRecord,
    rpc::{MorePartitions, NewTopic, Placement, TopicRef},
};

const NAME_BYTES_MAX: usize = 249;

/// A new topic under the given id.
///
/// # Errors
/// [`ControllerError::TopicExists`], [`ControllerError::InvalidTopic`], [`ControllerError::InvalidPartitions`],
/// [`ControllerError::InvalidReplicationFactor`], [`ControllerError::InvalidReplicaAssignment`], [`ControllerError::InvalidConfig`].
pub fn create(view: View<'_>, new: &NewTopic, id: TopicId) -> Decision {
    check_name(view, &new.name)?;
    new.configs.iter().try_for_each(|(key, value)| configs::check(key, value))?;
    let assignments = match &new.placement {
        Placement::Manual(assignments) => {
            check_count(0, assignments.len())?;
            assignments.clone()
        }
        Placement::Automatic { partitions, replication_factor } => {
            let count = or_default(view, *partitions, "num.partitions");
            let factor = or_default(view, i32::from(*replication_factor), "default.replication.factor");
            let count = usize::try_from(count).map_err(|_| ControllerError::InvalidPartitions(count.to_string()))?;
            let factor = usize::try_from(factor);
            let factor = factor.map_err(|error| ControllerError::InvalidReplicationFactor(error.to_string()))?;
            check_count(0, count)?;
            placement::place(&ring(view, factor), view.image.partitions().count(), 0, count, factor)?
        }
    };
    let partitions = partitions(view, assignments)?;
    let (name, mut configs) = (new.name.clone(), new.configs.clone());
    if view.bugs().has(Bug::MinIsrLost) {
        configs.retain(|key, _| !FORGOTTEN.contains(&key.as_str()));
    }
    Ok(vec![MetadataRecord::CreateTopic { name, id, partitions, configs }])
}

/// Deletes a topic.
///
/// # Errors
/// [`ControllerError::UnknownTopic`], [`ControllerError::UnknownTopicId`].
pub fn delete(view: View<'_>, topic: &TopicRef) -> Decision {
    let (name, id) = match topic {
        TopicRef::Name(name) => (name.as_str(), existing(view, name)?.id),
        TopicRef::Id(id) => {
            let found = view.image.topic_by_id(*id).ok_or(ControllerError::UnknownTopicId(*id))?;
            (found.0, *id)
        }
    };
    Ok(vec![MetadataRecord::DeleteTopic { name: name.to_owned(), id }])
}

/// Adds partitions at the end, with as many replicas as the first one has.
///
/// # Errors
/// [`ControllerError::UnknownTopic`], [`ControllerError::InvalidPartitions`], [`ControllerError::InvalidReplicaAssignment`],
/// [`ControllerError::InvalidReplicationFactor`].
pub fn grow(view: View<'_>, ask: &MorePartitions) -> Decision {
    let topic = existing(view, &ask.topic)?;
    let have = topic.partitions.len();
    let wanted = usize::try_from(ask.count).unwrap_or(0);
    check_count(have, wanted)?;
    let assignments = match &ask.assignments {
        Some(assignments) if assignments.len() == wanted - have => assignments.clone(),
        Some(_) => return Err(ControllerError::InvalidReplicaAssignment("not one for each new partition".into())),
        None => {
            let first = topic.partitions.first();
            let factor = first.map_or(1, |first| first.replicas.len());
            let ring = ring(view, factor);
            let start = first.and_then(|first| ring.iter().position(|broker| Some(*broker) == first.preferred()));
            placement::place(&ring, start.unwrap_or(0), have, wanted - have, factor)?
        }
    };
    Ok(vec![MetadataRecord::AddPartitions { name: ask.topic.clone(), partitions: partitions(view, assignments)? }])
}

fn existing<'a>(view: View<'a>, name: &str) -> Result<&'a TopicImage, ControllerError> {
    view.image.topics.get(name).ok_or_else(|| ControllerError::UnknownTopic(name.to_owned()))
}

fn check_name(view: View<'_>, name: &str) -> Result<(), ControllerError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let legal = !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES_MAX && name.bytes().all(legal);
    if !legal {
        return Err(ControllerError::InvalidTopic(name.chars().take(NAME_BYTES_MAX).collect()));
    }
    if view.image.topics.contains_key(name) {
        return Err(ControllerError::TopicExists(name.to_owned()));
    }
    let metric = |name: &str| name.replace('.', "_");
    match view.image.topics.keys().find(|other| metric(other) == metric(name)) {
        Some(other) => Err(ControllerError::InvalidTopic(format!("{name} collides with {other}"))),
        None => Ok(()),
    }
}

fn check_count(have: usize, wanted: usize) -> Result<(), ControllerError> {
    if wanted <= have {
        return Err(ControllerError::InvalidPartitions(format!("{wanted} wanted, {have} there")));
    }
    if wanted > placement::PARTITIONS_MAX {
        return Err(ControllerError::InvalidPartitions(format!(
            "{wanted} wanted, {} at most",
            placement::PARTITIONS_MAX
        )));
    }
    Ok(())
}

fn or_default(view: View<'_>, asked: i32, key: &str) -> i32 {
    let default = || view.defaults.get(key).and_then(|value| value.parse().ok()).unwrap_or(1);
    if asked == -1 { default() } else { asked }
}

fn ring(view: View<'_>, factor: usize) -> Vec<BrokerId> {
    let mut ring = placement::ring(view.image.alive());
    if ring.len() < factor {
        ring.extend(placement::ring(view.image.brokers.values().filter(|broker| broker.fenced)));
    }
    ring
}

fn partitions(view: View<'_>, assignments: Vec<Vec<BrokerId>>) -> Result<Vec<PartitionImage>, ControllerError> {
    let partition = |replicas: Vec<BrokerId>| {
        placement::check(&replicas, |broker| view.image.brokers.contains_key(&broker))?;
        let isr: Vec<_> = replicas.iter().copied().filter(|broker| view.image.is_alive(*broker)).collect();
        if isr.is_empty() {
            return Err(ControllerError::InvalidReplicaAssignment("all its brokers are fenced".into()));
        }
        Ok(PartitionImage::new(replicas, isr))
    };
    assignments.into_iter().map(partition).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{controller::decide::cluster, metadata::image::ClusterImage};

    fn automatic(name: &str, partitions: i32, replication_factor: i16) -> NewTopic {
        let placement = Placement::Automatic { partitions, replication_factor };
        NewTopic { name: name.into(), placement, ..NewTopic::default() }
    }

    fn created(image: &ClusterImage, new: &NewTopic) -> Result<Vec<String>, ControllerError> {
        let records = create(cluster::view(image), new, TopicId(Uuid::from_u128(9)))?;
        let image = cluster::after(image, &records);
        Ok(image.topics[&new.name].partitions.iter().map(cluster::text).collect())
    }

    #[test]
    fn each_partition_prefers_another_broker_and_that_one_leads_it() {
        let image = cluster::of("1 2 3", "");
        let partitions = created(&image, &automatic("n", 3, 3)).unwrap();
        assert_eq!(
            partitions,
            [
                "1,2,3 isr=1,2,3 leader=1 e=0 p=0",
                "2,3,1 isr=2,3,1 leader=2 e=0 p=0",
                "3,1,2 isr=3,1,2 leader=3 e=0 p=0"
            ]
        );
    }

    #[test]
    fn a_fenced_broker_gets_replicas_only_when_there_are_too_few_others_and_is_not_in_sync() {
        let image = cluster::of("1- 2 3", "");
        assert_eq!(created(&image, &automatic("n", 1, 2)).unwrap(), ["2,3 isr=2,3 leader=2 e=0 p=0"]);
        assert_eq!(created(&image, &automatic("n", 1, 3)).unwrap(), ["2,3,1 isr=2,3 leader=2 e=0 p=0"]);
        assert!(created(&cluster::of("1- 2-", ""), &automatic("n", 1, 2)).is_err());
    }

    #[test]
    fn names_that_cannot_be_or_are_there_are_refused() {
        let image = cluster::of("1", "t 1 isr=1; a.b 1 isr=1");
        let refused = |name: &str| created(&image, &automatic(name, 1, 1)).unwrap_err();
        for name in ["", ".", "..", "a/b", "ü", &"x".repeat(250)] {
            assert!(matches!(refused(name), ControllerError::InvalidTopic(_)), "{name}");
        }
        assert!(matches!(refused("a_b"), ControllerError::InvalidTopic(_)));
        assert!(matches!(refused("t"), ControllerError::TopicExists(_)));
        assert!(created(&image, &automatic(&"x".repeat(249), 1, 1)).is_ok());
    }

    #[test]
    fn counts_that_cannot_be_are_refused_before_anything_is_allocated() {
        let image = cluster::of("1 2", "");
        for (partitions, factor) in [(0, 1), (-2, 1), (i32::MAX, 1), (10_001, 1), (1, 0), (1, -2), (1, 3)] {
            assert!(created(&image, &automatic("n", partitions, factor)).is_err(), "{partitions} {factor}");
        }
        assert_eq!(created(&image, &automatic("n", -1, -1)).unwrap().len(), 1);
    }

    #[test]
    fn an_assignment_by_hand_is_taken_as_it_is() {
        let image = cluster::of("1 2 3-", "");
        let by_hand = |replicas: &[&[i32]]| {
            let replicas = replicas.iter().map(|ids| ids.iter().copied().map(BrokerId).collect()).collect();
            let new = NewTopic { name: "n".into(), placement: Placement::Manual(replicas), ..NewTopic::default() };
            created(&image, &new)
        };
        assert_eq!(by_hand(&[&[3, 2], &[1]]).unwrap(), ["3,2 isr=2 leader=2 e=0 p=0", "1 isr=1 leader=1 e=0 p=0"]);
        assert!(by_hand(&[]).is_err() && by_hand(&[&[1, 1]]).is_err() && by_hand(&[&[3]]).is_err());
    }

    #[test]
    fn a_config_that_elections_go_by_must_make_sense() {
        let image = cluster::of("1", "");
        let with = |value: &str| {
            let configs = [("min.insync.replicas".to_owned(), value.to_owned())].into();
            created(&image, &NewTopic { configs, ..automatic("n", 1, 1) })
        };
        assert!(with("0").is_err() && with("x").is_err() && with("2").is_ok());
    }

    #[test]
    fn a_topic_is_deleted_by_name_or_id_and_only_if_it_is_there() {
        let image = cluster::of("1", "t 1 isr=1");
        let deleted = |topic| delete(cluster::view(&image), &topic).map(|r| cluster::after(&image, &r).topics.len());
        assert_eq!(deleted(TopicRef::Name("t".into())), Ok(0));
        assert_eq!(deleted(TopicRef::Id(TopicId(Uuid::from_u128(1)))), Ok(0));
        assert!(deleted(TopicRef::Name("u".into())).is_err());
        assert!(deleted(TopicRef::Id(TopicId(Uuid::from_u128(2)))).is_err());
    }

    #[test]
    fn a_topic_grows_where_it_left_off_and_never_shrinks() {
        let image = cluster::of("1 2 3", "t 2,3 isr=2,3");
        let grown = |count| {
            let ask = MorePartitions { topic: "t".into(), count, assignments: None };
            let records = grow(cluster::view(&image), &ask)?;
            Ok::<_, ControllerError>(
                cluster::after(&image, &records).topics["t"].partitions.iter().map(cluster::text).collect(),
            )
        };
        let grown_to_3: Vec<String> = grown(3).unwrap();
        assert_eq!(grown_to_3[1..], ["3,1 isr=3,1 leader=3 e=0 p=0", "1,2 isr=1,2 leader=1 e=0 p=0"]);
        for count in [-1, 0, 1, 10_001] {
            assert!(grown(count).is_err(), "{count}");
        }
    }
}
