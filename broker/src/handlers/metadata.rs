//! Metadata (3): brokers, topics, leaders, as far as this broker has followed the controller.
//!
//! Only living brokers are listed. Topic ids from version 10, leader epochs from 7. An unknown topic is created if both
//! the client and `auto.create.topics.enable` allow it; the client is told to come again.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};

use super::wire;
use crate::broker::Broker;
use crate::coordinator::topic::INTERNAL;
use crate::metadata::rpc::{CreateTopics, NewTopic};
use crate::metadata::{ClusterImage, PartitionImage, TopicId, TopicImage};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{Structs, Text};
use crate::server::shape::{BYTE, Shape, UUID, always, between, since};

enum Wanted {
    All,
    Some(Vec<Named>),
}

enum Named {
    Name(String),
    Id(TopicId),
}

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 9,
    fields: &[always(Structs(&[since(10, UUID), always(Text)])), since(4, BYTE), between(8, 10, BYTE), since(8, BYTE)],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<MetadataRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (image, wanted) = (broker.image(), wanted(&request, call.version));
    let missing = missing(&image, &wanted);
    let response = response(broker, &image, &wanted);
    if missing.is_empty() || !request.allow_auto_topic_creation || !broker.config.auto_create_topics {
        return call.ready::<MetadataRequest>(&response);
    }
    let broker = broker.clone();
    call.later::<MetadataRequest, _>(async move {
        create(&broker, missing).await;
        self::response(&broker, &broker.image(), &wanted)
    })
}

fn wanted(request: &MetadataRequest, version: i16) -> Wanted {
    match &request.topics {
        None => Wanted::All,
        Some(topics) if topics.is_empty() && version == 0 => Wanted::All,
        Some(topics) => Wanted::Some(
            topics
                .iter()
                .map(|topic| match &topic.name {
                    Some(name) => Named::Name(name.to_string()),
                    None => Named::Id(TopicId(topic.topic_id)),
                })
                .collect(),
        ),
    }
}

fn missing(image: &ClusterImage, wanted: &Wanted) -> Vec<String> {
    let Wanted::Some(wanted) = wanted else { return Vec::new() };
    let names = wanted.iter().filter_map(|named| match named {
        Named::Name(name) => Some(name),
        Named::Id(_) => None,
    });
    names.filter(|name| !image.topics.contains_key(*name)).cloned().collect()
}

async fn create(broker: &Broker, names: Vec<String>) {
    let topics = names.into_iter().map(|name| NewTopic { name, ..NewTopic::default() }).collect();
    let asked = broker.controller.create_topics(CreateTopics { topics, validate_only: false }).await;
    if let Err(error) = asked {
        broker.events.note(format!("automatic creation of topics failed: {error}"));
    }
}

fn response(broker: &Broker, image: &ClusterImage, wanted: &Wanted) -> MetadataResponse {
    let brokers = image.alive().map(|broker| {
        MetadataResponseBroker::default()
            .with_node_id(wire::broker(Some(broker.id)))
            .with_host(wire::text(&broker.host))
            .with_port(i32::from(broker.port))
            .with_rack(broker.rack.as_deref().map(wire::text))
    });
    let topics = match wanted {
        Wanted::All => image.topics.iter().map(|(name, topic)| known(image, name, topic)).collect(),
        Wanted::Some(wanted) => wanted.iter().map(|named| named_topic(image, named)).collect(),
    };
    let me = broker.config.node;
    let controller = Some(me).filter(|me| image.is_alive(*me)).or_else(|| image.alive().next().map(|broker| broker.id));
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(wire::text(&broker.cluster_id)))
        .with_controller_id(wire::broker(controller))
        .with_topics(topics)
}

fn named_topic(image: &ClusterImage, named: &Named) -> MetadataResponseTopic {
    let unknown = |error: ResponseError| MetadataResponseTopic::default().with_error_code(error.code());
    match named {
        Named::Name(name) => match image.topics.get(name) {
            Some(topic) => known(image, name, topic),
            None => unknown(refusal(name)).with_name(Some(wire::name(name))),
        },
        Named::Id(id) => match image.topic_by_id(*id) {
            Some((name, topic)) => known(image, name, topic),
            None => unknown(ResponseError::UnknownTopicId).with_topic_id(id.0),
        },
    }
}

fn refusal(name: &str) -> ResponseError {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let valid = !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.chars().all(letters);
    if valid { ResponseError::UnknownTopicOrPartition } else { ResponseError::InvalidTopicException }
}

fn known(image: &ClusterImage, name: &str, topic: &TopicImage) -> MetadataResponseTopic {
    let partitions = (0..).zip(&topic.partitions).map(|(index, state)| partition(image, index, state));
    MetadataResponseTopic::default()
        .with_name(Some(wire::name(name)))
        .with_topic_id(topic.id.0)
        .with_is_internal(INTERNAL.contains(&name))
        .with_partitions(partitions.collect())
}

fn partition(image: &ClusterImage, index: i32, state: &PartitionImage) -> MetadataResponsePartition {
    let leader = state.leader.filter(|leader| image.is_alive(*leader));
    let error = if leader.is_some() { 0 } else { ResponseError::LeaderNotAvailable.code() };
    let offline: Vec<_> = state.replicas.iter().copied().filter(|replica| !image.is_alive(*replica)).collect();
    MetadataResponsePartition::default()
        .with_error_code(error)
        .with_partition_index(index)
        .with_leader_id(wire::broker(leader))
        .with_leader_epoch(state.leader_epoch.0)
        .with_replica_nodes(wire::brokers(&state.replicas))
        .with_isr_nodes(wire::brokers(&state.isr))
        .with_offline_replicas(wire::brokers(&offline))
}
