//! A toy machine on a real partition: a register a key, which a transaction may change when it is committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BufMut;
use kafka_protocol::ResponseError;
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

use super::*;
use crate::bugs::Bugs;
use crate::config::Config;
use crate::evidence::Events;
use crate::ids::{NodeId, Offset, PartitionEpoch, TopicPartition};
use crate::lease::Lease;
use crate::log::marker::{Marker, Outcome};
use crate::log::{Log, LogConfig, Opening, ProducerId, Stop};
use crate::metadata::{PartitionImage, TopicId};
use crate::partition::watchers::Change;

const ME: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const PATIENCE: Duration = Duration::from_secs(30);
const OF: InTransaction = InTransaction { producer: ProducerId(7), epoch: 0 };

#[derive(Default)]
struct Registers {
    values: BTreeMap<String, i32>,
    pending: BTreeMap<ProducerId, Vec<(String, i32)>>,
}

impl Machine for Registers {
    type Record = (String, i32);

    type Settings = ();

    fn new((): &(), _: &TopicPartition, _: LeaderEpoch) -> Self {
        Registers::default()
    }

    fn encode((key, value): &Self::Record) -> Stored {
        Stored { key: key.clone().into_bytes(), value: Some(value.to_be_bytes().to_vec()) }
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self::Record, Malformed> {
        let key = String::from_utf8(key.to_vec()).map_err(|_| Malformed::Text)?;
        Ok((key, Fields::of(value.unwrap_or_default()).int()?))
    }

    fn apply(&mut self, entry: Entry<Self::Record>, _: Offset) {
        match entry {
            Entry::Record { record: (key, value), within: None } => drop(self.values.insert(key, value)),
            Entry::Record { record, within: Some(of) } => self.pending.entry(of.producer).or_default().push(record),
            Entry::Marker { producer, outcome, .. } => {
                let pending = self.pending.remove(&producer).unwrap_or_default();
                self.values.extend(pending.into_iter().filter(|_| outcome == Outcome::Commit));
            }
        }
    }
}

struct World {
    _folder: TempDir,
    partition: Arc<Partition>,
    state: PartitionImage,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let nought = Offset(0);
        let opening =
            Opening { stop: Stop::Clean, recovery_point: nought, log_start: nought, high_watermark: nought, now_ms: 0 };
        let (log, _) = Log::open(&folder.path().join("log"), LogConfig::default(), opening).unwrap();
        let context = Context {
            me: ME,
            events: Events::discard(ME),
            bugs: Bugs::NONE,
            lag_ns_max: u64::MAX,
            lease: Lease::endless(),
            image: watch::Sender::default().subscribe(),
        };
        let id = TopicPartition { topic: topic::TRANSACTIONS.to_owned(), index: 0 };
        let partition = Partition::new(id, TopicId(Uuid::nil()), log, nought, Arc::new(context));
        let config = Config::parse(b"node.id=1\nlog.dirs=/x/y\n").unwrap().plain_topic();
        partition.configure(&config);
        let state = PartitionImage::new(vec![ME, OTHER], vec![ME]);
        World { _folder: folder, partition: Arc::new(partition), state }
    }

    fn reign(&mut self, leader: NodeId, isr: &[NodeId]) {
        self.state.leader = Some(leader);
        self.state.isr = isr.to_vec();
        self.state.leader_epoch = LeaderEpoch(self.state.leader_epoch.0 + 1);
        self.state.partition_epoch = PartitionEpoch(self.state.partition_epoch.0 + 1);
        self.partition.apply(&self.state).unwrap();
    }

    async fn shard(&self) -> Arc<Shard<Registers>> {
        let reign = self.partition.reign().unwrap();
        let shard = Arc::new(Shard::new(self.partition.clone(), reign, Halt::default()));
        assert_eq!(get(&shard, "a"), Err(ResponseError::CoordinatorLoadInProgress));
        shard.clone().load((), Events::discard(ME)).await;
        shard
    }
}

type Told = Result<(Option<i32>, Option<Offset>), ResponseError>;

fn get(shard: &Shard<Registers>, key: &str) -> Told {
    shard.decide(|machine| Ok(Decision::read(machine.values.get(key).copied())))
}

fn set(shard: &Shard<Registers>, key: &str, value: i32) -> Told {
    shard.decide(|machine| Ok(Decision::write(vec![(key.to_owned(), value)], machine.values.get(key).copied())))
}

fn set_within(shard: &Shard<Registers>, key: &str, value: i32) -> Told {
    shard.decide(|_| Ok(Decision::write(vec![(key.to_owned(), value)], None).within(OF)))
}

fn marker(outcome: Outcome) -> Marker {
    Marker { outcome, coordinator_epoch: 0 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_decided_is_there_after_the_next_reign_begins() {
    let mut world = World::new();
    world.reign(ME, &[ME]);
    let shard = world.shard().await;
    assert_eq!(set(&shard, "a", 1), Ok((None, Some(Offset(1)))));
    assert_eq!(set(&shard, "a", 2), Ok((Some(1), Some(Offset(2)))));
    shard.committed(Offset(2), PATIENCE).await.unwrap();
    world.reign(OTHER, &[ME, OTHER]);
    assert_eq!(set(&shard, "a", 3), Err(ResponseError::NotCoordinator));
    assert_eq!(shard.committed(Offset(2), PATIENCE).await, Err(ResponseError::NotCoordinator));
    world.reign(ME, &[ME]);
    assert_eq!(set(&shard, "a", 4), Err(ResponseError::NotCoordinator), "of an earlier reign");
    assert_eq!(get(&*world.shard().await, "a"), Ok((Some(2), Some(Offset(2)))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_waits_until_what_it_was_read_from_is_committed() {
    let mut world = World::new();
    world.reign(ME, &[ME, OTHER]);
    let shard = world.shard().await;
    let (_, end) = set(&shard, "a", 1).unwrap();
    assert_eq!(get(&shard, "a"), Ok((Some(1), end)));
    let waits = tokio::spawn({
        let shard = shard.clone();
        async move { shard.committed(Offset(1), PATIENCE).await }
    });
    assert_eq!(shard.committed(Offset(1), Duration::ZERO).await, Err(ResponseError::CoordinatorNotAvailable));
    assert!(!waits.is_finished());
    world.reign(ME, &[ME]);
    world.partition.watchers().tell(Change::Role);
    waits.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_record_in_a_transaction_counts_from_its_commit_marker_on_and_never_after_an_abort() {
    for (outcome, seen) in [(Outcome::Commit, Some(5)), (Outcome::Abort, None)] {
        let mut world = World::new();
        world.reign(ME, &[ME]);
        let shard = world.shard().await;
        set_within(&shard, "a", 5).unwrap();
        assert_eq!(get(&shard, "a").unwrap().0, None);
        shard.mark(OF, &marker(outcome)).unwrap();
        assert_eq!(get(&shard, "a").unwrap().0, seen);
        world.reign(ME, &[ME]);
        assert_eq!(get(&shard, "a").unwrap().0, seen, "a raised epoch does not end a reign");
        world.reign(OTHER, &[ME, OTHER]);
        world.reign(ME, &[ME]);
        assert_eq!(get(&*world.shard().await, "a").unwrap().0, seen);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_record_that_makes_no_sense_is_skipped_and_harms_no_other() {
    let mut world = World::new();
    world.reign(ME, &[ME]);
    let reign = world.partition.reign().unwrap();
    let mut short = Vec::new();
    short.put_u8(1);
    let stored = [Stored { key: b"a".to_vec(), value: Some(short) }, Registers::encode(&("b".to_owned(), 3))];
    world.partition.append_in(reign, &mut batch::encode(&stored, None, 0)).unwrap();
    let shard = world.shard().await;
    assert_eq!((get(&shard, "a").unwrap().0, get(&shard, "b").unwrap().0), (None, Some(3)));
}
