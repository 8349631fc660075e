//! CreateTopics (19): handed to the controller; answered once this broker knows of what was created.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use tokio::time::timeout;

use super::wire;
use crate::broker::Broker;
use crate::config::{Layers, properties};
use crate::ids::NodeId;
use crate::metadata::rpc::{CreateTopics, CreatedTopic, NewTopic, Placement};
use crate::metadata::{Configs, ControllerError};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{BYTE, Field, INT, SHORT, Shape, always};

type Answer = Result<CreatedTopic, ControllerError>;

const TOPIC: &[Field] = &[
    always(Text),
    always(INT),
    always(SHORT),
    always(Structs(&[always(INT), always(List(&INT))])),
    always(Structs(&[always(Text), always(Text)])),
];
/// The body of a request.
pub const SHAPE: Shape = Shape { flexible_since: 5, fields: &[always(Structs(TOPIC)), always(INT), always(BYTE)] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<CreateTopicsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let broker = broker.clone();
    call.later::<CreateTopicsRequest, _>(async move {
        let wanted: Vec<_> = request.topics.iter().map(|topic| once(topic, &request)).collect();
        let answers = create(&broker, &wanted, request.validate_only).await;
        if !request.validate_only {
            arrival(&broker, &request, &answers).await;
        }
        let results = request.topics.into_iter().zip(wanted).zip(answers);
        let results = results.map(|((asked, wanted), answer)| result(&broker, asked, wanted, answer));
        CreateTopicsResponse::default().with_topics(results.collect())
    })
}

fn once(asked: &CreatableTopic, request: &CreateTopicsRequest) -> Result<NewTopic, ControllerError> {
    match request.topics.iter().filter(|topic| topic.name == asked.name).count() {
        1 => understand(asked),
        _ => Err(ControllerError::InvalidRequest("a topic may be named once".into())),
    }
}

fn understand(asked: &CreatableTopic) -> Result<NewTopic, ControllerError> {
    let value = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let configs: Configs =
        asked.configs.iter().map(|config| (config.name.to_string(), value(config.value.as_deref()))).collect();
    check(&configs)?;
    Ok(NewTopic { name: asked.name.to_string(), placement: placement(asked)?, configs })
}

fn placement(asked: &CreatableTopic) -> Result<Placement, ControllerError> {
    if asked.assignments.is_empty() {
        let (partitions, replication_factor) = (asked.num_partitions, asked.replication_factor);
        return Ok(Placement::Automatic { partitions, replication_factor });
    }
    if (asked.num_partitions, asked.replication_factor) != (-1, -1) {
        let problem = "either an assignment or numbers of partitions and replicas";
        return Err(ControllerError::InvalidRequest(problem.into()));
    }
    let replicas = asked.assignments.iter().map(|assignment| {
        (assignment.partition_index, assignment.broker_ids.iter().map(|broker| NodeId(broker.0)).collect())
    });
    let replicas: BTreeMap<i32, Vec<NodeId>> = replicas.collect();
    let dense = replicas.len() == asked.assignments.len() && replicas.keys().copied().eq(0..replicas.len() as i32);
    let problem = || ControllerError::InvalidReplicaAssignment("partitions must be numbered from 0, once each".into());
    dense.then(|| Placement::Manual(replicas.into_values().collect())).ok_or_else(problem)
}

fn check(configs: &Configs) -> Result<(), ControllerError> {
    for (name, value) in configs {
        let property = properties::find_topic(name);
        let property =
            property.ok_or_else(|| ControllerError::InvalidConfig(format!("unknown topic config {name}")))?;
        property.check(value).map_err(|why| ControllerError::InvalidConfig(format!("{name}={value}: {why}")))?;
    }
    Ok(())
}

async fn create(broker: &Broker, wanted: &[Result<NewTopic, ControllerError>], validate_only: bool) -> Vec<Answer> {
    let topics: Vec<NewTopic> = wanted.iter().flatten().cloned().collect();
    let asked = if topics.is_empty() {
        Ok(Vec::new())
    } else {
        broker.controller.create_topics(CreateTopics { topics, validate_only }).await
    };
    let failure = asked.as_ref().err().cloned().unwrap_or(ControllerError::Timeout);
    let mut answers = asked.unwrap_or_default().into_iter();
    let answer = |wanted: &Result<NewTopic, ControllerError>| match wanted {
        Ok(_) => answers.next().unwrap_or_else(|| Err(failure.clone())),
        Err(error) => Err(error.clone()),
    };
    wanted.iter().map(answer).collect()
}

/// Waits until this broker has heard of the new topics, so that the client's next question finds them.
async fn arrival(broker: &Broker, request: &CreateTopicsRequest, answers: &[Answer]) {
    let created = request.topics.iter().zip(answers).filter(|(_, answer)| answer.is_ok());
    let names: BTreeSet<String> = created.map(|(asked, _)| asked.name.to_string()).collect();
    let mut images = broker.images();
    let known = images.wait_for(|image| names.iter().all(|name| image.topics.contains_key(name)));
    let _late = timeout(wire::millis(request.timeout_ms), known).await;
}

fn result(
    broker: &Broker,
    asked: CreatableTopic,
    wanted: Result<NewTopic, ControllerError>,
    answer: Answer,
) -> CreatableTopicResult {
    let (code, message) = wire::controller_error(&answer);
    let result =
        CreatableTopicResult::default().with_name(asked.name).with_error_code(code).with_error_message(message);
    match (answer, wanted) {
        (Ok(created), Ok(wanted)) => result
            .with_topic_id(created.id.0)
            .with_num_partitions(created.partitions)
            .with_replication_factor(created.replication_factor)
            .with_configs(Some(configs(broker, &wanted.configs))),
        _ => result.with_num_partitions(-1).with_replication_factor(-1).with_configs(None),
    }
}

fn configs(broker: &Broker, overrides: &Configs) -> Vec<CreatableTopicConfigs> {
    let image = broker.image();
    let layers = Layers::of(&broker.config, &image).with_topic(overrides);
    let all = properties::topic_properties().filter_map(|property| property.topic);
    let all = all.map(|name| {
        let (value, source) = layers.effective(name);
        let config = CreatableTopicConfigs::default().with_name(wire::text(name)).with_value(Some(wire::text(value)));
        config.with_config_source(source as i8)
    });
    all.collect()
}
