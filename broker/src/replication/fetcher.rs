//! Keeps replicas up with one leader: fetch, append, truncate, fetch again.
//!
//! One connection, usually one fetch under way. When the assignments change, a second fetch is sent at once; the leader
//! then answers the held one early. An answer is taken only if the replica still stands where it stood when asked.
//!
//! Errors of one partition let that partition rest; errors of the connection let the fetcher rest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::time::{Instant, timeout, timeout_at};

use super::Setting;
use super::assignments::{Assignments, Wanted};
use super::peer::{Peer, PeerError};
use crate::evidence::Event;
use crate::ids::{LeaderEpoch, NodeId, Offset};
use crate::metadata::TopicId;
use crate::partition::PartitionError;

const FETCH_VERSION: i16 = 17;
const LIST_OFFSETS_VERSION: i16 = 7;
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
const REST_MIN: Duration = Duration::from_millis(10);
const UNDER_WAY_MAX: usize = 2;

/// See the module.
pub struct Fetcher {
    setting: Setting,
    leader: NodeId,
    assignments: Arc<Assignments>,
}

type UnderWay = VecDeque<Vec<Wanted>>;

impl Fetcher {
    /// Fetches from `leader` what the assignments say.
    pub fn new(setting: Setting, leader: NodeId, assignments: Arc<Assignments>) -> Fetcher {
        Fetcher { setting, leader, assignments }
    }

    /// Until aborted.
    pub async fn run(self) {
        let mut rest = REST_MIN;
        loop {
            let began = Instant::now();
            let Err(_broken) = self.session().await;
            if began.elapsed() > self.setting.replica.backoff_max {
                rest = REST_MIN;
            }
            let _early = timeout_at(Instant::now() + rest, self.assignments.changed()).await;
            rest = (rest * 2).min(self.setting.replica.backoff_max);
        }
    }

    async fn session(&self) -> Result<std::convert::Infallible, PeerError> {
        let mut peer = self.connect().await?;
        let mut under_way = UnderWay::new();
        loop {
            let pause = if under_way.is_empty() { self.send(&mut peer, &mut under_way).await? } else { None };
            if under_way.is_empty() {
                self.idle(pause).await;
                continue;
            }
            let answer = tokio::select! {
                biased;
                answer = timeout(self.setting.answer_patience(), peer.receive::<FetchRequest>(FETCH_VERSION)) => Some(answer??),
                () = self.assignments.changed(), if under_way.len() < UNDER_WAY_MAX => None,
            };
            match answer {
                Some(answer) => {
                    let wanted = under_way.pop_front().unwrap_or_default();
                    self.take(&mut peer, &under_way, wanted, answer).await?;
                }
                None => drop(self.send(&mut peer, &mut under_way).await?),
            }
        }
    }

    async fn connect(&self) -> Result<Peer, PeerError> {
        let address =
            self.setting.image.borrow().brokers.get(&self.leader).map(|known| (known.host.clone(), known.port));
        let (host, port) = address.ok_or(PeerError::Closed)?;
        Peer::connect(&host, port, CONNECT_PATIENCE, self.setting.answer_bytes_max).await
    }

    async fn idle(&self, until: Option<Instant>) {
        match until {
            Some(until) => drop(timeout_at(until, self.assignments.changed()).await),
            None => self.assignments.changed().await,
        }
    }

    /// Sends a fetch for whatever is to be fetched now; otherwise says when to look again.
    async fn send(&self, peer: &mut Peer, under_way: &mut UnderWay) -> Result<Option<Instant>, PeerError> {
        let (wanted, until) = self.assignments.wanted();
        if wanted.is_empty() {
            return Ok(until);
        }
        let wait = until.map_or(self.setting.replica.fetch_wait_max, |until| {
            until.saturating_duration_since(Instant::now()).min(self.setting.replica.fetch_wait_max)
        });
        peer.send(&self.request(&wanted, wait), FETCH_VERSION).await?;
        under_way.push_back(wanted);
        Ok(None)
    }

    fn request(&self, wanted: &[Wanted], wait: Duration) -> FetchRequest {
        let replica = &self.setting.replica;
        let epoch = self.setting.standing.borrow().epoch().map_or(-1, |epoch| epoch.0);
        let me = ReplicaState::default().with_replica_id(BrokerId(self.setting.me.0)).with_replica_epoch(epoch);
        let mut topics: BTreeMap<TopicId, Vec<FetchPartition>> = BTreeMap::new();
        for one in wanted {
            topics.entry(one.partition.topic_id()).or_default().push(self.ask(one));
        }
        let topics =
            topics.into_iter().map(|(id, parts)| FetchTopic::default().with_topic_id(id.0).with_partitions(parts));
        FetchRequest::default()
            .with_replica_state(me)
            .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
            .with_min_bytes(replica.fetch_bytes_min)
            .with_max_bytes(replica.response_bytes_max)
            .with_topics(topics.collect())
    }

    fn ask(&self, one: &Wanted) -> FetchPartition {
        FetchPartition::default()
            .with_partition(one.partition.id().index)
            .with_current_leader_epoch(one.epoch.0)
            .with_fetch_offset(one.position.offset.0)
            .with_last_fetched_epoch(one.position.last_epoch.map_or(-1, |epoch| epoch.0))
            .with_log_start_offset(one.position.log_start.0)
            .with_partition_max_bytes(self.setting.replica.fetch_bytes_max)
    }

    async fn take(
        &self,
        peer: &mut Peer,
        under_way: &UnderWay,
        wanted: Vec<Wanted>,
        answer: FetchResponse,
    ) -> Result<(), PeerError> {
        let mut parts: BTreeMap<(TopicId, i32), PartitionData> = BTreeMap::new();
        for topic in answer.responses {
            let id = TopicId(topic.topic_id);
            parts.extend(topic.partitions.into_iter().map(|part| ((id, part.partition_index), part)));
        }
        let (mut lost, mut moved) = (Vec::new(), false);
        for one in &wanted {
            let part = parts.remove(&(one.partition.topic_id(), one.partition.id().index));
            let Some(part) = part.filter(|_| one.partition.position(one.epoch) == Some(one.position)) else { continue };
            if part.error_code == ResponseError::OffsetOutOfRange.code() {
                lost.push(one);
            } else {
                moved |= self.take_part(one, &part);
            }
        }
        self.sync(&wanted).await;
        if moved {
            self.keep_starts().await;
        }
        if under_way.is_empty() {
            for one in lost {
                self.find_bounds(peer, one).await?;
            }
        }
        Ok(())
    }

    /// Takes what came for one replica; whether the start of its log moved.
    fn take_part(&self, one: &Wanted, part: &PartitionData) -> bool {
        let diverging = &part.diverging_epoch;
        let taken = if part.error_code != 0 {
            self.assignments.failed(one, self.setting.replica.backoff_max);
            return false;
        } else if diverging.epoch >= 0 {
            one.partition
                .diverged(one.epoch, (LeaderEpoch(diverging.epoch), Offset(diverging.end_offset)))
                .map(|()| false)
        } else {
            let records = part.records.as_deref().unwrap_or_default();
            let (high_watermark, start) = (Offset(part.high_watermark), Offset(part.log_start_offset));
            one.partition.replicate(one.epoch, records, high_watermark, start)
        };
        let stuck = diverging.epoch >= 0 && one.partition.position(one.epoch) == Some(one.position);
        match &taken {
            Ok(_) if stuck => self.assignments.failed(one, self.setting.replica.backoff_max),
            Ok(_) => self.assignments.succeeded(one),
            Err(error) => self.refuse(one, error),
        }
        taken.unwrap_or(false)
    }

    fn refuse(&self, one: &Wanted, error: &PartitionError) {
        if let Some(storage) = error.storage() {
            self.setting.halt.because(storage);
        }
        self.setting
            .events
            .emit(Event::Note { text: format!("{}: fetched records refused: {error}", one.partition.id()) });
        self.assignments.failed(one, self.setting.replica.backoff_max);
    }

    /// Keeps moved log starts in the checkpoint before the next fetch tells the leader of them.
    async fn keep_starts(&self) {
        let replicas = self.setting.replicas.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || replicas.checkpoint()).await {
            self.setting.halt.because(&error);
        }
    }

    /// Syncs what the topics want on disk before the next fetch says that it is here.
    async fn sync(&self, wanted: &[Wanted]) {
        let due: Vec<_> =
            wanted.iter().filter(|one| one.partition.sync_is_due()).map(|one| one.partition.clone()).collect();
        if due.is_empty() {
            return;
        }
        let synced =
            tokio::task::spawn_blocking(move || due.iter().try_for_each(|partition| partition.sync_while_due()));
        if let Ok(Err(error)) = synced.await {
            self.setting.halt.because(&error);
        }
    }

    /// Asks where the leader's log starts and ends, for a replica that is outside of it.
    async fn find_bounds(&self, peer: &mut Peer, one: &Wanted) -> Result<(), PeerError> {
        let (start, end) = (self.bound(peer, one, -2).await?, self.bound(peer, one, -1).await?);
        let (Some(start), Some(end)) = (start, end) else {
            self.assignments.failed(one, self.setting.replica.backoff_max);
            return Ok(());
        };
        match one.partition.out_of_range(one.epoch, start, end) {
            Ok(()) => {}
            Err(error) => self.refuse(one, &error),
        }
        Ok(())
    }

    async fn bound(&self, peer: &mut Peer, one: &Wanted, timestamp: i64) -> Result<Option<Offset>, PeerError> {
        let id = one.partition.id();
        let part = ListOffsetsPartition::default().with_partition_index(id.index).with_timestamp(timestamp);
        let part = part.with_current_leader_epoch(one.epoch.0);
        let name = TopicName(StrBytes::from_string(id.topic.clone()));
        let topic = ListOffsetsTopic::default().with_name(name).with_partitions(vec![part]);
        let request =
            ListOffsetsRequest::default().with_replica_id(BrokerId(self.setting.me.0)).with_topics(vec![topic]);
        let answer = peer.ask(&request, LIST_OFFSETS_VERSION, self.setting.answer_patience()).await?;
        let found = answer.topics.into_iter().flat_map(|topic| topic.partitions).next();
        Ok(found.filter(|found| found.error_code == 0 && found.offset >= 0).map(|found| Offset(found.offset)))
    }
}
