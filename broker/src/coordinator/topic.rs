//! The internal topics: what they are called, how they are made, and which partition a key belongs to.
//!
//! A topic is created when a client first looks for a coordinator. Its replicas are as many as the property says; the
//! default of three is no more than the brokers that ever registered, so that a small cluster has coordinators too.

use std::time::Duration;

use tokio::time::timeout;

use crate::broker::Broker;
use crate::config::Values;
use crate::metadata::rpc::{CreateTopics, NewTopic, Placement};
use crate::metadata::{ClusterImage, Configs, ControllerError};

/// Offsets and members of consumer groups.
pub const OFFSETS: &str = "__consumer_offsets";
/// Transactions.
pub const TRANSACTIONS: &str = "__transaction_state";
/// Topics that clients read and never write.
pub const INTERNAL: [&str; 2] = [OFFSETS, TRANSACTIONS];

/// Longest wait for a new topic's leaders; whoever asks comes again.
const ARRIVAL_MAX: Duration = Duration::from_secs(2);

/// Java's `String.hashCode`, made positive as Kafka does it, over the partitions.
pub fn index_of(image: &ClusterImage, topic: &str, key: &str) -> Option<i32> {
    let count = i32::try_from(image.topics.get(topic)?.partitions.len()).ok().filter(|count| *count > 0)?;
    let hash = key.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    Some(if hash == i32::MIN { 0 } else { hash.abs() } % count)
}

/// Makes sure that an internal topic exists and this broker knows its leaders, as far as that can be had soon.
pub async fn ensure(broker: &Broker, topic: &'static str) {
    if broker.image().topics.contains_key(topic) {
        return;
    }
    let wanted = plan(broker.config.values(), topic, broker.image().brokers.len());
    let asked = broker.controller.create_topics(CreateTopics { topics: vec![wanted], validate_only: false }).await;
    match asked.map(|mut answers| answers.pop()) {
        Ok(Some(Ok(_) | Err(ControllerError::TopicExists(_)))) | Err(ControllerError::Timeout) => {}
        Ok(Some(Err(error))) | Err(error) => broker.events.note(format!("{topic} cannot be created: {error}")),
        Ok(None) => return,
    }
    let mut images = broker.images();
    let led = images.wait_for(|image| {
        let partitions = image.topics.get(topic).map(|topic| &topic.partitions);
        partitions.is_some_and(|partitions| partitions.iter().all(|partition| partition.leader.is_some()))
    });
    let _late = timeout(ARRIVAL_MAX, led).await;
}

fn plan(values: &Values, topic: &str, brokers: usize) -> NewTopic {
    let prefix = if topic == OFFSETS { "offsets.topic" } else { "transaction.state.log" };
    let factor = format!("{prefix}.replication.factor");
    let asked = i16::try_from(values.number(&factor)).unwrap_or(1);
    let replicas = i16::try_from(brokers).unwrap_or(i16::MAX).max(1);
    let replication_factor = if values.given(&factor).is_some() { asked } else { asked.min(replicas) };
    let partitions = i32::try_from(values.number(&format!("{prefix}.num.partitions"))).unwrap_or(1);
    let mut configs = Configs::from([
        ("cleanup.policy".to_owned(), "compact".to_owned()),
        ("compression.type".to_owned(), "producer".to_owned()),
        ("segment.bytes".to_owned(), values.text(&format!("{prefix}.segment.bytes")).to_owned()),
    ]);
    if topic == TRANSACTIONS {
        configs.insert("min.insync.replicas".to_owned(), values.text("transaction.state.log.min.isr").to_owned());
        configs.insert("unclean.leader.election.enable".to_owned(), "false".to_owned());
    }
    NewTopic { name: topic.to_owned(), placement: Placement::Automatic { partitions, replication_factor }, configs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::metadata::{PartitionImage, TopicImage};

    fn image(partitions: usize) -> ClusterImage {
        let partitions = vec![PartitionImage::default(); partitions];
        let topic = TopicImage { id: crate::metadata::TopicId::default(), partitions, configs: Configs::new() };
        ClusterImage { topics: [(OFFSETS.to_owned(), topic)].into(), ..ClusterImage::default() }
    }

    /// Values of `Utils.abs("…".hashCode) % n` in Java; "polygenelubricants" hashes to the smallest number there is.
    #[test]
    fn a_key_belongs_to_the_partition_that_java_says() {
        let of = |key: &str, count| index_of(&image(count), OFFSETS, key);
        assert_eq!((of("", 50), of("a", 50), of("ab", 50)), (Some(0), Some(47), Some(5)));
        assert_eq!(of("polygenelubricants", 50), Some(0));
        assert_eq!(of("console-consumer-1", 1), Some(0));
        assert_eq!((of("a", 0), index_of(&image(3), TRANSACTIONS, "a")), (None, None));
    }

    #[test]
    fn the_default_number_of_replicas_is_capped_to_the_brokers_and_a_given_one_is_not() {
        let factor = |more: &str, brokers| {
            let config = Config::parse(format!("node.id=1\nlog.dirs=/x/y\n{more}").as_bytes()).unwrap();
            let plan = plan(config.values(), OFFSETS, brokers);
            let Placement::Automatic { replication_factor, .. } = plan.placement else { panic!("manual") };
            replication_factor
        };
        assert_eq!((factor("", 1), factor("", 5)), (1, 3));
        assert_eq!(factor("offsets.topic.replication.factor=3\n", 1), 3);
    }
}
