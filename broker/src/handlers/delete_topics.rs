//! DeleteTopics (20): by name, or from version 6 by name or id; handed to the controller.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use tokio::time::timeout;

use super::wire;
use crate::broker::Broker;
use crate::metadata::rpc::{DeleteTopics, DeletedTopic, TopicRef};
use crate::metadata::{ControllerError, TopicId};
use crate::server::call::{Call, Reply};
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{INT, Shape, UUID, always, since, until};

const BY_ID_SINCE: i16 = 6;

/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 4,
    fields: &[since(6, Structs(&[always(Text), always(UUID)])), until(5, List(&Text)), always(INT)],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<DeleteTopicsRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let (broker, version) = (broker.clone(), call.version);
    call.later::<DeleteTopicsRequest, _>(async move {
        let topics = understand(&request, version);
        if !broker.config.values().flag("delete.topic.enable") {
            let error = Err(ResponseError::TopicDeletionDisabled.code());
            return response(topics.into_iter().map(|topic| (topic, error.clone())));
        }
        let answers = delete(&broker, topics.clone()).await;
        departure(&broker, &request, &answers).await;
        response(topics.into_iter().zip(answers).map(|(topic, answer)| (topic, answer.map_err(|e| e.kafka_code()))))
    })
}

fn understand(request: &DeleteTopicsRequest, version: i16) -> Vec<TopicRef> {
    if version < BY_ID_SINCE {
        return request.topic_names.iter().map(|name| TopicRef::Name(name.to_string())).collect();
    }
    let topics = request.topics.iter().map(|topic| match &topic.name {
        Some(name) => TopicRef::Name(name.to_string()),
        None => TopicRef::Id(TopicId(topic.topic_id)),
    });
    topics.collect()
}

async fn delete(broker: &Broker, topics: Vec<TopicRef>) -> Vec<Result<DeletedTopic, ControllerError>> {
    let count = topics.len();
    match broker.controller.delete_topics(DeleteTopics { topics }).await {
        Ok(answers) => answers,
        Err(error) => vec![Err(error); count],
    }
}

async fn departure(broker: &Broker, request: &DeleteTopicsRequest, answers: &[Result<DeletedTopic, ControllerError>]) {
    let deleted: Vec<TopicId> = answers.iter().flatten().map(|deleted| deleted.id).collect();
    let mut images = broker.images();
    let gone = images.wait_for(|image| deleted.iter().all(|id| image.topic_by_id(*id).is_none()));
    let _late = timeout(wire::millis(request.timeout_ms), gone).await;
}

fn response(answers: impl Iterator<Item = (TopicRef, Result<DeletedTopic, i16>)>) -> DeleteTopicsResponse {
    let results = answers.map(|(topic, answer)| {
        let result = DeletableTopicResult::default();
        let result = match (topic, &answer) {
            (_, Ok(deleted)) => result.with_name(Some(wire::name(&deleted.name))).with_topic_id(deleted.id.0),
            (TopicRef::Name(name), Err(_)) => result.with_name(Some(wire::name(name))),
            (TopicRef::Id(id), Err(_)) => result.with_topic_id(id.0),
        };
        result.with_error_code(answer.err().unwrap_or(0))
    });
    DeleteTopicsResponse::default().with_responses(results.collect())
}
