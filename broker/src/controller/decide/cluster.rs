//! Clusters and partitions as one line of text, for tests.
//!
//! Brokers: ids, a `-` after those that are fenced. Topic: name, replicas, then `isr=`, `elr=`, `leader=` (default: first of the ISR unless
//! `last=` is given), `last=`, `adding=`, `removing=`, `recovery`.

use std::fmt::Write;

use uuid::Uuid;

use super::View;
use crate::metadata::{
    apply::apply,
    ids::{BrokerEpoch, BrokerId, Incarnation, TopicId, TopicPartition, Version},
    image::{BrokerImage, ClusterImage, Configs, ELR_FEATURE, PartitionImage, TopicImage},
    record::MetadataRecord,
};

static NO_CONFIGS: Configs = Configs::new();

/// A cluster with ELR on and, unless the text is empty, topics of one partition each, separated by `;`.
pub fn of(brokers: &str, topics: &str) -> ClusterImage {
    let brokers: Vec<_> = brokers.split_whitespace().map(broker).collect();
    let topics = topics.split(';').map(str::trim).filter(|topic| !topic.is_empty());
    let topics = (1_u128..).zip(topics).map(|(id, line)| topic(id, line));
    ClusterImage {
        version: Version(10),
        last_broker_epoch: brokers.iter().map(|broker| broker.epoch).max().unwrap_or_default(),
        brokers: brokers.into_iter().map(|broker| (broker.id, broker)).collect(),
        topics: topics.collect(),
        features: [(ELR_FEATURE.to_owned(), 1)].into(),
        ..ClusterImage::default()
    }
}

/// A view without properties.
pub fn view(image: &ClusterImage) -> View<'_> {
    View { image, defaults: &NO_CONFIGS }
}

/// Partition 0 of topic t.
pub fn t0() -> TopicPartition {
    TopicPartition { topic: "t".into(), index: 0 }
}

/// The image with the records applied.
pub fn after(image: &ClusterImage, records: &[MetadataRecord]) -> ClusterImage {
    let mut image = image.clone();
    records.iter().for_each(|record| apply(&mut image, record));
    image
}

/// A partition as text, epochs at the end.
pub fn text(partition: &PartitionImage) -> String {
    let mut text = format!("{} isr={}", list(&partition.replicas), list(&partition.isr));
    let lists = [("elr", &partition.elr), ("adding", &partition.adding), ("removing", &partition.removing)];
    let ones = [("leader", partition.leader), ("last", partition.last_known_leader)];
    let lists = lists.iter().filter(|(_, list)| !list.is_empty()).map(|(name, members)| (*name, list(members)));
    let ones = ones.iter().filter_map(|(name, one)| Some((*name, one.as_ref()?.to_string())));
    for (name, value) in lists.chain(ones) {
        write!(text, " {name}={value}").unwrap();
    }
    let recovery = if partition.recovery { " recovery" } else { "" };
    write!(text, "{recovery} e={} p={}", partition.leader_epoch, partition.partition_epoch).unwrap();
    text
}

fn broker(word: &str) -> BrokerImage {
    let id = BrokerId(word.trim_end_matches('-').parse().unwrap());
    BrokerImage {
        id,
        epoch: BrokerEpoch(i64::from(id.0) * 10),
        incarnation: Incarnation(Uuid::from_u128(u128::try_from(id.0).unwrap())),
        host: "127.0.0.1".into(),
        port: 9092,
        rack: None,
        fenced: word.ends_with('-'),
        must_apply: Version(5),
    }
}

fn topic(id: u128, line: &str) -> (String, TopicImage) {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap().to_owned();
    let mut partition = PartitionImage { replicas: ids(words.next().unwrap()), ..PartitionImage::default() };
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "isr" => partition.isr = ids(value),
            "elr" => partition.elr = ids(value),
            "leader" => partition.leader = ids(value).first().copied(),
            "last" => partition.last_known_leader = ids(value).first().copied(),
            "adding" => partition.adding = ids(value),
            "removing" => partition.removing = ids(value),
            "recovery" => partition.recovery = true,
            other => panic!("unknown word {other}"),
        }
    }
    if partition.leader.is_none() && partition.last_known_leader.is_none() {
        partition.leader = partition.isr.first().copied();
    }
    let id = TopicId(Uuid::from_u128(id));
    (name, TopicImage { id, partitions: vec![partition], configs: Configs::new() })
}

fn ids(list: &str) -> Vec<BrokerId> {
    list.split(',').filter(|id| !id.is_empty()).map(|id| BrokerId(id.parse().unwrap())).collect()
}

fn list(ids: &[BrokerId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
