//! Three replicas and a controller in one thread, driven through every order of events a seed can think of.
//!
//! What must hold after each step: whatever a leader has ever committed is, byte for byte, in the log of every member of
//! the controller's in-sync set. What must hold once all is quiet: the logs are the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Context, Duty, Partition, PartitionError, Proposal, ReadAt, Reader};
use crate::bugs::{Bug, Bugs};
use crate::clock;
use crate::config::{Config, TopicConfig};
use crate::evidence::Events;
use crate::ids::{BrokerEpoch, LeaderEpoch, NodeId, Offset, PartitionEpoch, TopicPartition};
use crate::lease::Lease;
use crate::log::batch::{set_base_offset, set_crc};
use crate::log::{Log, LogConfig, Opening, Origin, Stop};
use crate::metadata::{BrokerImage, ClusterImage, Incarnation, PartitionImage, TopicId, Version};

const REPLICAS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
/// Followers never lag, or always unless they have everything.
const LAGS_NS_MAX: [u64; 2] = [u64::MAX, 0];

/// One record batch with this number in it.
fn batch(number: u32) -> Vec<u8> {
    let mut bytes = vec![0; 61];
    bytes.extend_from_slice(&[20, 0, 0, 0, 1, 8]);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.push(0);
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = 2;
    bytes[43..51].copy_from_slice(&(-1i64).to_be_bytes());
    bytes[51..53].copy_from_slice(&(-1i16).to_be_bytes());
    bytes[53..57].copy_from_slice(&(-1i32).to_be_bytes());
    bytes[57..61].copy_from_slice(&1i32.to_be_bytes());
    set_base_offset(&mut bytes, Offset(0));
    set_crc(&mut bytes);
    bytes
}

struct World {
    _folder: TempDir,
    replicas: BTreeMap<NodeId, Partition>,
    state: PartitionImage,
    applied: BTreeMap<NodeId, PartitionImage>,
    proposals: Vec<Proposal>,
    committed: Vec<u8>,
    appended: u32,
}

#[derive(Clone, Debug)]
enum Step {
    Append,
    Fetch(usize),
    Elect(usize),
    Learn(usize),
    Answer,
    Shrink(usize),
    Tick(usize),
}

/// Under which rules a schedule is run.
#[derive(Clone, Copy, Debug)]
struct Rules {
    min_isr: usize,
    lag_ns_max: u64,
    bugs: Bugs,
}

const SOUND: Rules = Rules { min_isr: 1, lag_ns_max: LAGS_NS_MAX[0], bugs: Bugs::NONE };

fn broken(bug: Bug) -> Rules {
    Rules { bugs: Bugs::NONE.with(bug), ..SOUND }
}

fn image() -> ClusterImage {
    let broker = |id: NodeId| BrokerImage {
        id,
        epoch: BrokerEpoch(1),
        incarnation: Incarnation(Uuid::nil()),
        host: String::new(),
        port: 0,
        rack: None,
        fenced: false,
        must_apply: Version(0),
    };
    ClusterImage { brokers: REPLICAS.iter().map(|id| (*id, broker(*id))).collect(), ..ClusterImage::default() }
}

fn replica(folder: &TempDir, me: NodeId, rules: Rules, images: &watch::Receiver<Arc<ClusterImage>>) -> Partition {
    leased(folder, me, rules, images, Lease::endless())
}

fn leased(
    folder: &TempDir,
    me: NodeId,
    rules: Rules,
    images: &watch::Receiver<Arc<ClusterImage>>,
    lease: Lease,
) -> Partition {
    let nought = Offset(0);
    let opening =
        Opening { stop: Stop::Clean, recovery_point: nought, log_start: nought, high_watermark: nought, now_ms: 0 };
    let (log, _) = Log::open(&folder.path().join(me.to_string()), LogConfig::default(), opening).unwrap();
    let context = Context {
        me,
        events: Events::discard(me),
        bugs: rules.bugs,
        lag_ns_max: rules.lag_ns_max,
        lease,
        image: images.clone(),
    };
    let id = TopicPartition { topic: "t".to_owned(), index: 0 };
    Partition::new(id, TopicId(Uuid::nil()), log, Offset(0), Arc::new(context))
}

impl World {
    fn new(rules: Rules) -> World {
        let folder = tempfile::tempdir().unwrap();
        let images = watch::Sender::new(Arc::new(image())).subscribe();
        let config = Config::parse(b"node.id=1\nlog.dirs=/x/y\n").unwrap().plain_topic();
        let config = TopicConfig { min_insync_replicas: rules.min_isr, ..config };
        let replicas: BTreeMap<_, _> = REPLICAS.iter().map(|id| (*id, replica(&folder, *id, rules, &images))).collect();
        replicas.values().for_each(|replica| replica.configure(&config));
        let state = PartitionImage::new(REPLICAS.to_vec(), REPLICAS.to_vec());
        let (applied, proposals, committed) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut world = World { _folder: folder, replicas, state, applied, proposals, committed, appended: 0 };
        REPLICAS.iter().for_each(|id| world.learn(*id));
        world
    }

    fn learn(&mut self, id: NodeId) {
        self.replicas[&id].apply(&self.state).unwrap();
        self.applied.insert(id, self.state.clone());
    }

    fn leads(&self, id: NodeId) -> bool {
        self.replicas[&id].duty() == Duty::Lead
    }

    /// Every replica that believes it leads takes a record: deposed ones too.
    fn append(&mut self) {
        for id in REPLICAS {
            if self.leads(id) {
                self.appended += 1;
                self.replicas[&id].append(&mut batch(self.appended), false, Origin::Client).unwrap();
            }
        }
    }

    /// A follower fetches once from whom it believes to lead, if that one believes it too.
    fn fetch(&mut self, id: NodeId) -> bool {
        let Duty::Follow(leader, epoch) = self.replicas[&id].duty() else { return false };
        let (follower, leader) = (&self.replicas[&id], &self.replicas[&leader]);
        let Some(position) = follower.position(epoch) else { return false };
        let at = ReadAt {
            offset: position.offset,
            current_epoch: Some(epoch),
            last_epoch: position.last_epoch,
            log_start: Some(position.log_start),
            bytes_max: 200,
            at_least_one: true,
            in_place: false,
        };
        match leader.fetched(id, Some(BrokerEpoch(1)), &at) {
            Ok(proposal) => self.proposals.extend(proposal),
            Err(PartitionError::OffsetOutOfRange) => {
                let _ = follower.out_of_range(epoch, Offset(0), leader.end_offset());
                return true;
            }
            Err(_) => return false,
        }
        let Ok(fetched) = leader.read(Reader::Follower, &at) else { return false };
        match fetched.diverging {
            Some(theirs) => follower.diverged(epoch, theirs).unwrap(),
            None => {
                let (high_watermark, start) = (fetched.high_watermark, fetched.log_start);
                follower.replicate(epoch, &fetched.records, high_watermark, start).unwrap();
            }
        }
        follower.position(epoch) != Some(position)
    }

    fn change(&mut self, leader: NodeId, isr: Vec<NodeId>) {
        if self.state.leader != Some(leader) {
            self.state.leader_epoch = LeaderEpoch(self.state.leader_epoch.0 + 1);
        }
        (self.state.leader, self.state.isr) = (Some(leader), isr);
        self.state.partition_epoch = PartitionEpoch(self.state.partition_epoch.0 + 1);
    }

    /// The controller elects a member of the ISR, dropping the old leader from it as it does with one that is fenced.
    fn elect(&mut self, place: usize) {
        let old = self.state.leader.unwrap();
        let isr: Vec<NodeId> = self.state.isr.iter().copied().filter(|id| *id != old).collect();
        if let Some(new) = isr.get(place % isr.len().max(1)) {
            self.change(*new, isr.clone());
        }
    }

    /// The controller answers a leader's proposal; a late one is refused by its epochs.
    fn answer(&mut self) {
        let Some(proposal) = self.proposals.pop() else { return };
        let leader = self.state.leader.unwrap();
        let current = (self.state.leader_epoch, self.state.partition_epoch);
        if current == (proposal.leader_epoch, proposal.partition_epoch) {
            self.change(leader, proposal.isr.iter().map(|(id, _)| *id).collect());
            self.learn(leader);
        }
    }

    /// The controller drops a follower from the ISR, as if the leader had asked.
    fn shrink(&mut self, place: usize) {
        let leader = self.state.leader.unwrap();
        let out = REPLICAS[place % 3];
        if out != leader && self.state.isr.contains(&out) && self.state.isr.len() > 1 {
            let isr = self.state.isr.iter().copied().filter(|id| *id != out).collect();
            self.change(leader, isr);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append => self.append(),
            Step::Fetch(place) => drop(self.fetch(REPLICAS[place % 3])),
            Step::Elect(place) => self.elect(*place),
            Step::Learn(place) => self.learn(REPLICAS[place % 3]),
            Step::Answer => self.answer(),
            Step::Shrink(place) => self.shrink(*place),
            Step::Tick(place) => self.proposals.extend(self.replicas[&REPLICAS[place % 3]].tick()),
        }
    }

    fn log(&self, id: NodeId, up_to: Offset) -> Bytes {
        self.replicas[&id].lock().log.read(Offset(0), usize::MAX, up_to, true).unwrap()
    }

    /// Whether what leaders have committed so far is on every in-sync replica.
    fn safe(&mut self) -> bool {
        let leaders: Vec<NodeId> = REPLICAS.into_iter().filter(|id| self.leads(*id)).collect();
        for id in leaders {
            let committed = self.log(id, self.replicas[&id].checkpoint().high_watermark);
            let both = committed.len().min(self.committed.len());
            if committed[..both] != self.committed[..both] {
                return false;
            }
            if committed.len() > both {
                self.committed = committed.to_vec();
            }
        }
        self.state.isr.iter().all(|id| self.log(*id, Offset(i64::MAX)).starts_with(&self.committed))
    }

    /// Everybody learns the truth and fetches until nothing moves any more.
    fn quiet(&mut self) -> bool {
        REPLICAS.iter().for_each(|id| self.learn(*id));
        let settled = (0..10_000).find(|_| !REPLICAS.map(|id| self.fetch(id)).contains(&true));
        let first = self.log(REPLICAS[0], Offset(i64::MAX));
        settled.is_some() && REPLICAS.iter().all(|id| self.log(*id, Offset(i64::MAX)) == first)
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Append),
        8 => (0..3usize).prop_map(Step::Fetch),
        1 => (0..3usize).prop_map(Step::Elect),
        3 => (0..3usize).prop_map(Step::Learn),
        2 => Just(Step::Answer),
        1 => (0..3usize).prop_map(Step::Shrink),
        1 => (0..3usize).prop_map(Step::Tick),
    ]
}

/// Runs a schedule; whether it stayed safe and ended in agreement.
fn holds(steps: &[Step], rules: Rules) -> (bool, bool) {
    let mut world = World::new(rules);
    for step in steps {
        world.step(step);
        if !world.safe() {
            return (false, true);
        }
    }
    let agreed = world.quiet();
    (world.safe(), agreed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_schedule_loses_what_was_committed_and_the_logs_agree_in_the_end(
        steps in prop::collection::vec(step(), 1..80),
        min_isr in 1..3usize,
        lag_ns_max in prop::sample::select(&LAGS_NS_MAX[..]),
    ) {
        prop_assert_eq!(holds(&steps, Rules { min_isr, lag_ns_max, ..SOUND }), (true, true));
    }
}

/// A record is committed; one follower has not heard of that when the other becomes its leader.
const HANDED_ON: &[Step] = &[
    Step::Append,
    Step::Fetch(1),
    Step::Fetch(2),
    Step::Fetch(1),
    Step::Fetch(2),
    Step::Elect(1),
    Step::Learn(2),
    Step::Learn(1),
];

#[test]
fn truncating_to_the_high_watermark_loses_what_was_committed_and_asking_for_epochs_does_not() {
    assert_eq!(holds(HANDED_ON, SOUND), (true, true));
    assert!(!holds(HANDED_ON, broken(Bug::TruncateToHighWatermark)).0);
}

/// A deposed leader goes on writing, and its successor writes too.
const DIVERGED: &[Step] = &[Step::Append, Step::Elect(0), Step::Learn(1), Step::Append, Step::Append];

#[test]
fn skipping_the_truncation_leaves_replicas_that_differ_and_truncating_does_not() {
    assert_eq!(holds(DIVERGED, SOUND), (true, true));
    assert!(!holds(DIVERGED, broken(Bug::TruncationSkipped)).1);
}

/// KIP-279: the middle one of three leaders writes what nobody copies, and the last one never hears of its epoch.
const FAST_FAILOVER: &[Step] = &[
    Step::Append,
    Step::Fetch(1),
    Step::Fetch(2),
    Step::Elect(0),
    Step::Learn(1),
    Step::Append,
    Step::Elect(0),
    Step::Learn(2),
    Step::Append,
    Step::Append,
];

#[test]
fn looking_up_epochs_exactly_leaves_replicas_that_differ_and_taking_the_largest_older_one_does_not() {
    assert_eq!(holds(FAST_FAILOVER, SOUND), (true, true));
    assert!(!holds(FAST_FAILOVER, broken(Bug::ExactEpochLookup)).1);
}

/// A leader wants a silent follower out of the ISR, and the controller elects that very follower.
const SHRUNK: &[Step] = &[Step::Append, Step::Tick(0), Step::Fetch(1), Step::Fetch(1), Step::Elect(1), Step::Learn(2)];

#[test]
fn acting_upon_an_isr_that_was_only_asked_for_loses_what_was_committed_and_waiting_does_not() {
    let impatient = Rules { lag_ns_max: LAGS_NS_MAX[1], ..SOUND };
    assert_eq!(holds(SHRUNK, impatient), (true, true));
    assert!(!holds(SHRUNK, Rules { bugs: Bugs::NONE.with(Bug::ShrinkUnasked), ..impatient }).0);
}

#[test]
fn an_epoch_without_records_does_not_keep_its_leader_from_following() {
    let steps =
        [Step::Append, Step::Elect(0), Step::Learn(1), Step::Elect(0), Step::Learn(2), Step::Append, Step::Learn(1)];
    assert_eq!(holds(&steps, SOUND), (true, true));
}

/// One that comes back from a power loss without its tail, and has not heard yet that it was deposed, would make others cut theirs.
#[test]
fn a_leader_says_where_its_log_ends_only_while_it_surely_leads() {
    let images = watch::Sender::new(Arc::new(image())).subscribe();
    let heard = |ns| Lease::new(Arc::new(AtomicU64::new(ns)), Duration::from_secs(3600));
    for (lease, told) in
        [(heard(clock::boot_ns()), PartitionError::OffsetOutOfRange), (heard(0), PartitionError::NotLeader)]
    {
        let folder = tempfile::tempdir().unwrap();
        let leader = leased(&folder, REPLICAS[0], SOUND, &images, lease);
        leader.apply(&PartitionImage::new(REPLICAS.to_vec(), REPLICAS.to_vec())).unwrap();
        let at = ReadAt {
            offset: Offset(7),
            current_epoch: None,
            last_epoch: None,
            log_start: None,
            bytes_max: 100,
            at_least_one: true,
            in_place: false,
        };
        let consumer = Reader::Consumer { committed: false, anywhere: false };
        for reader in [Reader::Follower, consumer] {
            let read = leader.read(reader, &at).map(drop);
            assert_eq!(format!("{:?}", read.unwrap_err()), format!("{told:?}"));
        }
    }
}
