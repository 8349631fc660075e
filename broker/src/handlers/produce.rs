//! Produce (0): appends now, answers when the wanted guarantee holds.
//!
//! acks=0 is never answered; if something was wrong the connection is closed so that the client looks up the leader
//! again. acks=1 is answered after the leader's append (and its sync, if the topic asks for one each). acks=all is
//! answered when the high watermark has passed the records, the in-sync replicas became too few, the leadership ended, or
//! the time was up; the last three leave the records in the log and the outcome open.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::produce_verified::Unverified;
use super::{produce_old, produce_verified, wire};
use crate::broker::Broker;
use crate::bugs::Bug;
use crate::coordinator::topic::INTERNAL;
use crate::log::Origin;
use crate::partition::watchers::Interest;
use crate::partition::{Accepted, Commit, Partition, PartitionError};
use crate::server::call::{Call, CallError, Reply};
use crate::server::shape::Layout::{Blob, Structs, Text};
use crate::server::shape::{Field, INT, SHORT, Shape, always};

/// Older versions are offered and refused.
pub const OLDEST_DECODED: i16 = 3;

/// What a producer asks to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Nothing.
    None,
    /// That the leader has it.
    Leader,
    /// That every in-sync replica has it.
    All,
}

/// One partition of a request.
pub struct Part {
    topic: usize,
    index: i32,
    /// What became of it so far.
    pub outcome: Outcome,
}

/// What became of one partition's batches.
pub enum Outcome {
    /// Nothing was appended, or nobody can say.
    Refused(ResponseError, String),
    /// Not appended before their transaction's coordinator was asked.
    Unverified(Box<Unverified>),
    /// Appended, and not yet as safe as asked for.
    Waiting(Arc<Partition>, Accepted),
    /// As safe as asked for.
    Done(Accepted),
}

const TOPIC: &[Field] = &[always(Text), always(Structs(&[always(INT), always(Blob)]))];
/// The body of a request.
pub const SHAPE: Shape =
    Shape { flexible_since: 9, fields: &[always(Text), always(SHORT), always(INT), always(Structs(TOPIC))] };

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    if call.version < OLDEST_DECODED {
        return produce_old::handle(&call);
    }
    let request = match call.decode::<ProduceRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    let acks = match request.acks {
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        -1 => Ok(Acks::All),
        _ => Err(ResponseError::InvalidRequiredAcks),
    };
    let deadline = Instant::now() + wire::millis(request.timeout_ms);
    let names: Vec<String> = request.topic_data.iter().map(|topic| topic.name.to_string()).collect();
    let parts = append_all(broker, request.topic_data, acks);
    match acks {
        Ok(Acks::None) => silence(&parts),
        Ok(acks) if parts.iter().any(Part::is_open) => {
            let (broker, id) = (broker.clone(), request.transactional_id);
            call.later::<ProduceRequest, _>(async move {
                let mut parts = parts;
                produce_verified::settle(&broker, &mut parts, id.as_ref().map(|id| id.as_str()), acks).await;
                let parts = wait(&broker, parts, acks, deadline).await;
                response(&broker, names, parts)
            })
        }
        Ok(_) | Err(_) => call.ready::<ProduceRequest>(&response(broker, names, parts)),
    }
}

fn silence(parts: &[Part]) -> Reply {
    let refused = parts.iter().find_map(|part| match &part.outcome {
        Outcome::Refused(_, why) => Some(why.clone()),
        Outcome::Unverified(_) => Some("a batch of a transaction with acks=0".to_owned()),
        Outcome::Waiting(..) | Outcome::Done(_) => None,
    });
    refused.map_or(Reply::Silence, |why| Reply::Close(CallError::Malformed(why)))
}

fn append_all(broker: &Arc<Broker>, topics: Vec<TopicProduceData>, acks: Result<Acks, ResponseError>) -> Vec<Part> {
    let mut parts = Vec::with_capacity(topics.iter().map(|topic| topic.partition_data.len()).sum());
    for (number, topic) in topics.into_iter().enumerate() {
        for data in topic.partition_data {
            let index = data.index;
            let outcome = match acks {
                Ok(acks) => append(broker, &topic.name, data, acks),
                Err(error) => Outcome::Refused(error, error.to_string()),
            };
            parts.push(Part { topic: number, index, outcome });
        }
    }
    parts
}

fn append(broker: &Arc<Broker>, topic: &str, data: PartitionProduceData, acks: Acks) -> Outcome {
    if INTERNAL.contains(&topic) {
        return Outcome::Refused(ResponseError::InvalidTopicException, format!("only coordinators write to {topic}"));
    }
    let partition = match broker.partition(topic, data.index) {
        Ok(partition) => partition,
        Err(error) => return Outcome::Refused(error, error.to_string()),
    };
    let mut batches = match data.records.unwrap_or_default().try_into_mut() {
        Ok(unshared) => unshared,
        Err(shared) => shared[..].into(),
    };
    if let Some(producer) = produce_verified::in_question(broker, &batches) {
        return produce_verified::append(broker, partition, producer, batches, acks);
    }
    let appended = partition.append(&mut batches, acks == Acks::All, Origin::Client);
    taken(broker, &partition, appended, acks)
}

/// What an append came to.
pub fn taken(
    broker: &Arc<Broker>,
    partition: &Arc<Partition>,
    appended: Result<Accepted, PartitionError>,
    acks: Acks,
) -> Outcome {
    match appended {
        Err(error) => Outcome::Refused(broker.refusal(&error), error.to_string()),
        Ok(accepted) => {
            if accepted.sync_due {
                broker.sync(partition);
            }
            let now = acks == Acks::All && broker.config.bugs.has(Bug::AckBeforeReplicate);
            if now || matches!(held(partition, &accepted, acks), Commit::Done) {
                Outcome::Done(accepted)
            } else {
                Outcome::Waiting(partition.clone(), accepted)
            }
        }
    }
}

fn held(partition: &Partition, accepted: &Accepted, acks: Acks) -> Commit {
    match acks {
        Acks::All => partition.commit(accepted.epoch, accepted.next_offset),
        Acks::None | Acks::Leader => partition.kept(accepted.epoch, accepted.next_offset),
    }
}

async fn wait(broker: &Broker, mut parts: Vec<Part>, acks: Acks, deadline: Instant) -> Vec<Part> {
    let changed = Arc::new(Notify::new());
    let watches: Vec<_> = parts.iter().filter_map(|part| watch(part, acks, &changed)).collect();
    loop {
        for part in &mut parts {
            part.look(broker, acks);
        }
        let waiting = parts.iter().any(|part| matches!(part.outcome, Outcome::Waiting(..)));
        if !waiting || timeout_at(deadline, changed.notified()).await.is_err() {
            drop(watches);
            return parts;
        }
    }
}

fn watch(part: &Part, acks: Acks, changed: &Arc<Notify>) -> Option<crate::partition::watchers::Watch> {
    let Outcome::Waiting(partition, accepted) = &part.outcome else { return None };
    let interest = match acks {
        Acks::All => Interest::Committed(accepted.next_offset),
        Acks::None | Acks::Leader => Interest::EndBeyond(accepted.next_offset.plus(-1)),
    };
    Some(partition.watchers().watch(interest, changed))
}

impl Part {
    /// Whether it is not known yet what becomes of it.
    fn is_open(&self) -> bool {
        matches!(self.outcome, Outcome::Unverified(_) | Outcome::Waiting(..))
    }

    fn look(&mut self, broker: &Broker, acks: Acks) {
        let Outcome::Waiting(partition, accepted) = &self.outcome else { return };
        match held(partition, accepted, acks) {
            Commit::Pending => {}
            Commit::Done => self.outcome = Outcome::Done(*accepted),
            Commit::Failed(error) => self.outcome = Outcome::Refused(broker.refusal(&error), error.to_string()),
        }
    }
}

fn response(broker: &Broker, names: Vec<String>, parts: Vec<Part>) -> ProduceResponse {
    let mut endpoints = Vec::new();
    let mut topics: Vec<TopicProduceResponse> =
        names.iter().map(|name| TopicProduceResponse::default().with_name(wire::name(name))).collect();
    for part in parts {
        let answer = answer(broker, &names[part.topic], &part, &mut endpoints);
        topics[part.topic].partition_responses.push(answer);
    }
    ProduceResponse::default().with_responses(topics).with_node_endpoints(endpoints)
}

fn answer(broker: &Broker, topic: &str, part: &Part, endpoints: &mut Vec<NodeEndpoint>) -> PartitionProduceResponse {
    let answer = PartitionProduceResponse::default().with_index(part.index);
    let (error, why) = match &part.outcome {
        Outcome::Done(accepted) => {
            let wrong = i64::from(broker.config.bugs.has(Bug::WrongOffsetAcked));
            return answer
                .with_base_offset(accepted.base_offset.plus(wrong).0)
                .with_log_append_time_ms(accepted.append_time_ms.unwrap_or(-1))
                .with_log_start_offset(accepted.log_start.0);
        }
        Outcome::Unverified(_) | Outcome::Waiting(..) => (ResponseError::RequestTimedOut, "not replicated in time"),
        Outcome::Refused(error, why) => (*error, why.as_str()),
    };
    let answer = answer.with_error_code(error.code()).with_base_offset(-1).with_log_append_time_ms(-1);
    let answer = answer.with_error_message(Some(wire::text(why)));
    if error != ResponseError::NotLeaderOrFollower {
        return answer;
    }
    answer.with_current_leader(redirect(broker, topic, part.index, endpoints))
}

/// Where the leader is now, so that the client need not ask (KIP-951).
fn redirect(broker: &Broker, topic: &str, index: i32, endpoints: &mut Vec<NodeEndpoint>) -> LeaderIdAndEpoch {
    let Some((leader, epoch)) = broker.leader_of(topic, index) else { return LeaderIdAndEpoch::default() };
    let id = wire::broker(Some(leader));
    let image = broker.image();
    if let Some(known) = image.brokers.get(&leader)
        && endpoints.iter().all(|endpoint| endpoint.node_id != id)
    {
        let endpoint = NodeEndpoint::default().with_node_id(id).with_host(wire::text(&known.host));
        endpoints.push(endpoint.with_port(i32::from(known.port)).with_rack(known.rack.as_deref().map(wire::text)));
    }
    LeaderIdAndEpoch::default().with_leader_id(id).with_leader_epoch(epoch.0)
}
