//! Fetch (1): what consumers and followers read, held until there is enough of it.
//!
//! Sessions are declined (session id 0). The first batch comes whole even above the limits (KIP-74). A held fetch is
//! answered when enough bytes are there, a partition has something to say (an error, a divergence), the time is up, or a
//! later request waits behind it. Followers may use versions up to 17, with topic ids and their broker epoch.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::wire;
use crate::broker::Broker;
use crate::bugs::Bug;
use crate::config::properties;
use crate::evidence::Event;
use crate::ids::{BrokerEpoch, NodeId, Offset, TopicPartition};
use crate::log::FileSlice;
use crate::log::batch::Batches;
use crate::metadata::TopicId;
use crate::partition::watchers::{Interest, Watch};
use crate::partition::{Fetched, Partition, PartitionError, ReadAt, Reader};
use crate::server::call::{Call, Reply};
use crate::server::pieces;
use crate::server::shape::Layout::{List, Structs, Text};
use crate::server::shape::{BYTE, Field, INT, LONG, Shape, UUID, always, since, until};

const TOPIC_IDS_SINCE: i16 = 13;
const REPLICA_STATE_SINCE: i16 = 15;
const ANY_REPLICA_SINCE: i16 = 11;

struct Request {
    reader: Reader,
    follower: Option<(NodeId, Option<BrokerEpoch>)>,
    /// Where the consumer is, if it may be sent to another replica.
    rack: Option<String>,
    bytes_min: usize,
    bytes_max: usize,
    deadline: Instant,
    topics: Vec<Topic>,
}

struct Topic {
    name: String,
    id: TopicId,
    parts: Vec<Part>,
}

struct Part {
    index: i32,
    at: ReadAt,
    partition: Result<Arc<Partition>, ResponseError>,
}

/// What one look at every partition gave, in the order of the request.
#[derive(Default)]
struct Look {
    parts: Vec<Result<Fetched, ResponseError>>,
    bytes: usize,
    urgent: bool,
    /// By place in the request: the replica that the consumer is better sent to.
    nearer: Vec<Option<NodeId>>,
}

const TOPIC: &[Field] = &[until(12, Text), since(13, UUID), always(Structs(PARTITION))];
const PARTITION: &[Field] = &[always(INT), since(9, INT), always(LONG), since(12, INT), since(5, LONG), always(INT)];
/// The body of a request.
pub const SHAPE: Shape = Shape {
    flexible_since: 12,
    fields: &[
        until(14, INT),
        always(INT),
        always(INT),
        always(INT),
        always(BYTE),
        since(7, INT),
        since(7, INT),
        always(Structs(TOPIC)),
        since(7, Structs(&[until(12, Text), since(13, UUID), always(List(&INT))])),
        since(11, Text),
    ],
};

/// Answers a call.
pub fn handle(broker: &Arc<Broker>, mut call: Call) -> Reply {
    let request = match call.decode::<FetchRequest>() {
        Ok(request) => request,
        Err(error) => return Reply::Close(error),
    };
    if request.session_id != 0 && request.session_epoch > 0 {
        let error = ResponseError::FetchSessionIdNotFound.code();
        return call.ready::<FetchRequest>(&FetchResponse::default().with_error_code(error));
    }
    let request = understand(broker, request, call.version);
    let (broker, hurry, number) = (broker.clone(), call.hurry.clone(), call.number);
    call.later_in_pieces::<FetchRequest, _>(async move {
        let refused = count(&broker, &request);
        let look = tokio::select! {
            biased;
            look = hold(&broker, &request, &refused) => look,
            () = hurry.behind(number) => Look::at(&broker, &request, &refused),
        };
        response(&broker, request, look)
    })
}

fn understand(broker: &Broker, request: FetchRequest, version: i16) -> Request {
    let state = &request.replica_state;
    let (replica, epoch) = if version >= REPLICA_STATE_SINCE {
        (state.replica_id.0, Some(state.replica_epoch).filter(|epoch| *epoch >= 0).map(BrokerEpoch))
    } else {
        (request.replica_id.0, None)
    };
    let follower = (replica >= 0).then_some((NodeId(replica), epoch));
    let anywhere = version >= ANY_REPLICA_SINCE && follower.is_none() && sends_away(broker);
    let consumer = Reader::Consumer { committed: request.isolation_level == 1, anywhere };
    let rack = Some(request.rack_id.to_string()).filter(|rack| anywhere && !rack.is_empty());
    let bytes = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let topics = request.topics.into_iter().map(|topic| {
        let id = TopicId(topic.topic_id);
        let by_id = version >= TOPIC_IDS_SINCE;
        let name = if by_id { broker.topic_name(id) } else { Some(topic.topic.to_string()) };
        let parts = topic.partitions.iter().map(|part| understand_part(broker, name.as_deref(), part));
        let parts = parts.collect();
        Topic { name: name.unwrap_or_default(), id, parts }
    });
    Request {
        reader: if follower.is_some() { Reader::Follower } else { consumer },
        follower,
        rack,
        bytes_min: bytes(request.min_bytes),
        bytes_max: bytes(request.max_bytes).min(broker.config.limits.fetch_bytes_max),
        deadline: Instant::now() + wire::millis(request.max_wait_ms),
        topics: topics.collect(),
    }
}

fn sends_away(broker: &Broker) -> bool {
    broker.config.values().text("replica.selector.class") == properties::RACK_AWARE_SELECTOR
}

fn understand_part(broker: &Broker, topic: Option<&str>, part: &FetchPartition) -> Part {
    let found = topic.map_or(Err(ResponseError::UnknownTopicId), |topic| broker.partition(topic, part.partition));
    let at = ReadAt {
        offset: Offset(part.fetch_offset),
        current_epoch: wire::epoch(part.current_leader_epoch),
        last_epoch: wire::epoch(part.last_fetched_epoch),
        log_start: (part.log_start_offset >= 0).then_some(Offset(part.log_start_offset)),
        bytes_max: usize::try_from(part.partition_max_bytes).unwrap_or(0),
        at_least_one: true,
        in_place: true,
    };
    Part { index: part.partition, at, partition: found }
}

/// Counts a follower's progress, once a request; what is refused is so for the whole request.
fn count(broker: &Broker, request: &Request) -> Vec<Option<ResponseError>> {
    let Some((follower, epoch)) = request.follower else { return Vec::new() };
    let parts = request.topics.iter().flat_map(|topic| &topic.parts);
    let counted = parts.map(|part| {
        let partition = part.partition.as_ref().ok()?;
        match partition.fetched(follower, epoch, &part.at) {
            Ok(proposal) => {
                broker.propose(partition, proposal);
                None
            }
            Err(error) => Some(refuse(broker, partition, follower, &error)),
        }
    });
    counted.collect()
}

fn refuse(broker: &Broker, partition: &Partition, follower: NodeId, error: &PartitionError) -> ResponseError {
    if matches!(error, PartitionError::FencedEpoch | PartitionError::StaleReplica(_)) {
        broker.events.emit(Event::Fenced {
            what: "fetch".to_owned(),
            peer: Some(follower),
            partition: Some(partition.id().clone()),
            why: error.to_string(),
        });
    }
    broker.refusal(error)
}

async fn hold(broker: &Broker, request: &Request, refused: &[Option<ResponseError>]) -> Look {
    let changed = Arc::new(Notify::new());
    let _watches: Vec<Watch> = request
        .topics
        .iter()
        .flat_map(|topic| &topic.parts)
        .filter_map(|part| watch(request, part, &changed))
        .collect();
    loop {
        let look = Look::at(broker, request, refused);
        if look.urgent || look.bytes >= request.bytes_min {
            return look;
        }
        if timeout_at(request.deadline, changed.notified()).await.is_err() {
            return Look::at(broker, request, refused);
        }
    }
}

fn watch(request: &Request, part: &Part, changed: &Arc<Notify>) -> Option<Watch> {
    let interest = match request.reader {
        Reader::Follower => Interest::EndBeyond(part.at.offset),
        Reader::Consumer { .. } => Interest::Committed(part.at.offset.plus(1)),
    };
    Some(part.partition.as_ref().ok()?.watchers().watch(interest, changed))
}

impl Look {
    fn at(broker: &Broker, request: &Request, refused: &[Option<ResponseError>]) -> Look {
        let parts = request.topics.iter().flat_map(|topic| &topic.parts);
        let mut look = Look { urgent: parts.clone().next().is_none(), ..Look::default() };
        for (number, part) in parts.enumerate() {
            let fetched = match refused.get(number).copied().flatten() {
                Some(error) => Err(error),
                None => look.read(broker, request, part),
            };
            let nearer = look.send_away(request, part, &fetched);
            look.nearer.push(nearer);
            look.parts.push(fetched);
        }
        look
    }

    /// Where the consumer is better sent to; then it is answered at once.
    fn send_away(
        &mut self,
        request: &Request,
        part: &Part,
        fetched: &Result<Fetched, ResponseError>,
    ) -> Option<NodeId> {
        let (rack, partition) = (request.rack.as_ref()?, part.partition.as_ref().ok()?);
        let nearer = partition.nearer_replica(rack, part.at.offset).filter(|_| fetched.is_ok());
        self.urgent |= nearer.is_some();
        nearer
    }

    fn read(&mut self, broker: &Broker, request: &Request, part: &Part) -> Result<Fetched, ResponseError> {
        let left = request.bytes_max.saturating_sub(self.bytes);
        let whole = self.bytes == 0 && !broker.config.bugs.has(Bug::WholeBatchWithheld);
        let at = ReadAt { bytes_max: part.at.bytes_max.min(left), at_least_one: whole, ..part.at };
        let partition = part.partition.as_ref().map_err(|error| *error);
        let fetched = partition.and_then(|partition| {
            let fetched = partition.read(request.reader, &at);
            let fetched = match broker.config.bugs.has(Bug::NeighbourServed) {
                true => fetched.map(|own| neighbours(broker, request.reader, (partition.id(), &at), own)),
                false => fetched,
            };
            self.urgent |= !matches!(fetched, Ok(_) | Err(PartitionError::OffsetNotAvailable));
            fetched.map_err(|error| broker.refusal(&error))
        });
        match &fetched {
            Ok(fetched) => {
                self.bytes += fetched.bytes();
                self.urgent |= fetched.diverging.is_some();
            }
            Err(_) => self.urgent |= part.partition.is_err(),
        }
        fetched
    }
}

/// Only for the planted bug: now and then what stands at this offset in the next partition, as far as this one goes.
fn neighbours(broker: &Broker, reader: Reader, (id, at): (&TopicPartition, &ReadAt), own: Fetched) -> Fetched {
    let Reader::Consumer { committed, .. } = reader else { return own };
    let next = broker.partition(&id.topic, id.index + 1).or_else(|_| broker.partition(&id.topic, 0));
    let (Ok(next), true) = (next, own.bytes() > 0 && at.offset.0 % 7 == 3) else { return own };
    let at = ReadAt { current_epoch: None, last_epoch: None, in_place: false, ..*at };
    let read = next.read(Reader::Consumer { committed, anywhere: true }, &at).unwrap_or_default();
    let end = Batches::new(&read.records).flatten().last().map(|batch| batch.header.next_offset());
    match end {
        Some(end) if end <= own.high_watermark => Fetched { records: read.records, slice: None, ..own },
        _ => own,
    }
}

/// The answer, and the slices of files that its records stand in for.
fn response(broker: &Broker, request: Request, look: Look) -> (FetchResponse, Vec<FileSlice>) {
    let mut slices = Vec::new();
    let committed = matches!(request.reader, Reader::Consumer { committed: true, .. });
    let mut looked = look.parts.into_iter().zip(look.nearer);
    let topics = request.topics.into_iter().map(|topic| {
        let parts = topic.parts.iter().zip(&mut looked).map(|(part, (fetched, nearer))| match fetched {
            Ok(fetched) => data(part.index, sent_away(fetched, nearer), (committed, nearer), &mut slices),
            Err(error) => failure(broker, &topic.name, part.index, error),
        });
        let parts = parts.collect();
        let answer = FetchableTopicResponse::default().with_topic(wire::name(&topic.name));
        answer.with_topic_id(topic.id.0).with_partitions(parts)
    });
    let response = FetchResponse::default().with_responses(topics.collect());
    (response, slices)
}

fn data(
    index: i32,
    fetched: Fetched,
    (committed, nearer): (bool, Option<NodeId>),
    slices: &mut Vec<FileSlice>,
) -> PartitionData {
    let aborted = fetched.aborted.iter().map(|aborted| {
        let answer = AbortedTransaction::default().with_producer_id(aborted.producer.0.into());
        answer.with_first_offset(aborted.first.0)
    });
    let aborted = committed.then(|| aborted.collect());
    let diverging = fetched.diverging.map_or_else(EpochEndOffset::default, |(epoch, end)| {
        EpochEndOffset::default().with_epoch(epoch.0).with_end_offset(end.0)
    });
    let records = match fetched.slice {
        Some(slice) => {
            let stand_in = pieces::stand_in(&slice);
            slices.push(slice);
            stand_in
        }
        None => fetched.records,
    };
    let answer = PartitionData::default()
        .with_partition_index(index)
        .with_high_watermark(fetched.high_watermark.0)
        .with_last_stable_offset(fetched.last_stable.0)
        .with_log_start_offset(fetched.log_start.0)
        .with_diverging_epoch(diverging)
        .with_aborted_transactions(aborted)
        .with_records(Some(records));
    match nearer {
        Some(nearer) => answer.with_preferred_read_replica(wire::broker(Some(nearer))),
        None => answer,
    }
}

/// A consumer that is sent to another replica gets no records here.
fn sent_away(fetched: Fetched, nearer: Option<NodeId>) -> Fetched {
    match nearer {
        Some(_) => Fetched { records: Bytes::new(), slice: None, ..fetched },
        None => fetched,
    }
}

fn failure(broker: &Broker, topic: &str, index: i32, error: ResponseError) -> PartitionData {
    let leader = broker.leader_of(topic, index).map_or_else(LeaderIdAndEpoch::default, |(leader, epoch)| {
        LeaderIdAndEpoch::default().with_leader_id(wire::broker(Some(leader))).with_leader_epoch(epoch.0)
    });
    let answer = PartitionData::default().with_partition_index(index).with_error_code(error.code());
    let answer = answer.with_high_watermark(-1).with_aborted_transactions(None);
    match error {
        ResponseError::NotLeaderOrFollower | ResponseError::FencedLeaderEpoch => answer.with_current_leader(leader),
        _ => answer,
    }
}
