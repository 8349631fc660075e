//! One replica of one partition: what it may do by its role, under one lock.
//!
//! ```text
//! role       Idle -> Leader(epoch) | Follower(epoch), by the cluster image alone (apply)
//! produce    leader: append, and whether what was appended is committed
//! fetch      leader: what a consumer and what a follower may read, and what a follower's fetch proves
//! offsets    leader: end, start and epoch questions
//! reign      leader: one coordinator's state, replayed and appended to
//! start      either: the log's start moves up
//! compaction either: only the last record of a key stays
//! verified   leader: batches of a transaction, which must be open or known to its coordinator
//! follow     follower: append what the leader sent, truncate what the leader does not have
//! sync       either: fsync as flush.messages and flush.ms ask, many appends at a time
//! ```
//!
//! **Invariants.** The high watermark only grows while a replica keeps its log, and goes back only by a truncation
//! below it, which is an event. A change of role happens under the lock, so an append never lands in another epoch than
//! the one it was checked against. The lock is held for one append or one read and never across an await.
//!
//! Not here: sockets, waiting, the choice of a leader.

mod compaction;
pub mod error;
mod fetch;
mod follow;
pub mod leadership;
mod offsets;
mod produce;
mod reign;
mod start;
mod sync;
pub mod verified;
pub mod watchers;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub use error::PartitionError;
pub use fetch::{Fetched, ReadAt, Reader};
pub use follow::Position;
pub use leadership::Proposal;
pub use offsets::{FoundOffset, Target};
pub use produce::{Accepted, Commit};

use crate::bugs::{Bug, Bugs};
use crate::clock;
use crate::config::TopicConfig;
use crate::evidence::{Event, Events};
use crate::ids::{BrokerEpoch, LeaderEpoch, NodeId, Offset, PartitionEpoch, TopicPartition};
use crate::lease::Lease;
use crate::log::{Log, LogError};
use crate::metadata::{ClusterImage, PartitionImage, TopicId};
use crate::storage::Checkpoints;
use leadership::{Leadership, Moment};
use watchers::{Change, Watchers};

/// The state of a replica that is no more: no controller's word is newer.
const RETIRED: PartitionEpoch = PartitionEpoch(i32::MAX);

/// What every partition of a node shares.
#[derive(Clone, Debug)]
pub struct Context {
    /// This broker.
    pub me: NodeId,
    /// Where events go.
    pub events: Events,
    /// Planted bugs.
    pub bugs: Bugs,
    /// `replica.lag.time.max.ms`
    pub lag_ns_max: u64,
    /// The right to answer as a leader.
    pub lease: Lease,
    /// The newest image, to know which followers may join the ISR.
    pub image: watch::Receiver<Arc<ClusterImage>>,
}

/// What a replica has to do after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Serve.
    Lead,
    /// Fetch from this broker.
    Follow(NodeId, LeaderEpoch),
    /// Nothing: there is no leader.
    Wait,
}

/// See the module.
#[derive(Debug)]
pub struct Partition {
    id: TopicPartition,
    topic_id: TopicId,
    context: Arc<Context>,
    watchers: Arc<Watchers>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: Log,
    high_watermark: Offset,
    min_isr: usize,
    epoch: Option<LeaderEpoch>,
    partition_epoch: Option<PartitionEpoch>,
    role: Role,
    syncing: bool,
    /// End of the last marker that was appended by this leader.
    marked: Offset,
}

#[derive(Debug)]
enum Role {
    Idle,
    Leader(Leadership),
    Follower(NodeId),
}

impl Partition {
    /// A replica without a role yet.
    pub fn new(id: TopicPartition, topic_id: TopicId, log: Log, high_watermark: Offset, context: Arc<Context>) -> Self {
        let high_watermark = high_watermark.min(log.end_offset()).max(log.start_offset());
        let (epoch, partition_epoch, role) = (None, None, Role::Idle);
        let marked = Offset(0);
        let inner = Inner { log, high_watermark, min_isr: 1, epoch, partition_epoch, role, syncing: false, marked };
        Partition { id, topic_id, context, watchers: Arc::default(), inner: Mutex::new(inner) }
    }

    /// Topic and index.
    pub fn id(&self) -> &TopicPartition {
        &self.id
    }

    /// The topic's id.
    pub fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    /// Those who wait for it to change.
    pub fn watchers(&self) -> &Arc<Watchers> {
        &self.watchers
    }

    /// Takes new topic settings.
    pub fn configure(&self, config: &TopicConfig) {
        let mut inner = self.lock();
        inner.min_isr = config.min_insync_replicas;
        if *inner.log.config() != config.log {
            inner.log.set_config(config.log.clone());
        }
        drop(inner);
        self.watchers.tell(Change::Role);
    }

    /// Takes on the role that the controller's state gives this replica. A state that is not newer changes nothing.
    ///
    /// # Errors
    /// [`LogError`] if the start of an epoch cannot be noted on disk.
    pub fn apply(&self, state: &PartitionImage) -> Result<Duty, LogError> {
        let mut inner = self.lock();
        if inner.partition_epoch < Some(state.partition_epoch) && inner.epoch <= Some(state.leader_epoch) {
            match state.leader {
                Some(leader) if leader == self.context.me => self.lead(&mut inner, state)?,
                leader => self.follow(&mut inner, leader, state)?,
            }
            inner.partition_epoch = Some(state.partition_epoch);
            inner.epoch = Some(state.leader_epoch);
        }
        let duty = inner.duty();
        let change = self.advance(&mut inner);
        drop(inner);
        change.into_iter().chain([Change::Role]).for_each(|change| self.watchers.tell(change));
        Ok(duty)
    }

    fn lead(&self, inner: &mut Inner, state: &PartitionImage) -> Result<(), LogError> {
        let now_ns = clock::monotonic_ns();
        let before = std::mem::replace(&mut inner.role, Role::Idle);
        let (mut leadership, from) = match before {
            Role::Leader(leadership) if leadership.epoch() == state.leader_epoch => {
                let from = leadership.isr().settled().to_vec();
                (leadership, Some(from))
            }
            before => (self.begin(inner, &before, state)?, None),
        };
        leadership.take(&state.replicas, state.isr.clone(), state.partition_epoch, now_ns);
        if let Some(from) = from.filter(|from| *from != state.isr) {
            self.tell_isr(inner, &leadership, from);
        }
        inner.role = Role::Leader(leadership);
        Ok(())
    }

    fn begin(&self, inner: &mut Inner, before: &Role, state: &PartitionImage) -> Result<Leadership, LogError> {
        inner.log.begin_epoch(state.leader_epoch)?;
        if self.context.bugs.has(Bug::HighWatermarkForgotten) {
            inner.high_watermark = inner.log.start_offset();
        }
        let since = match before {
            Role::Leader(earlier) => earlier.since(),
            Role::Idle | Role::Follower(_) => state.leader_epoch,
        };
        self.context.events.emit(Event::Leader {
            partition: self.id.clone(),
            epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            offset: inner.log.end_offset(),
            high_watermark: inner.high_watermark,
            isr: state.isr.clone(),
            previous_leader: inner.leader(self.context.me),
        });
        Ok(Leadership::new(self.context.me, state.leader_epoch, since, inner.log.end_offset()))
    }

    fn follow(&self, inner: &mut Inner, leader: Option<NodeId>, state: &PartitionImage) -> Result<(), LogError> {
        let fresh = inner.epoch != Some(state.leader_epoch) || matches!(inner.role, Role::Leader(_));
        inner.role = leader.map_or(Role::Idle, Role::Follower);
        if !fresh {
            return Ok(());
        }
        self.context.events.emit(Event::Follower {
            partition: self.id.clone(),
            epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            offset: inner.log.end_offset(),
            high_watermark: inner.high_watermark,
            leader,
        });
        if self.context.bugs.has(Bug::TruncateToHighWatermark) && leader.is_some() {
            inner.epoch = Some(state.leader_epoch);
            self.truncate(inner, inner.high_watermark, "planted bug: to the own high watermark")?;
        }
        Ok(())
    }

    fn tell_isr(&self, inner: &Inner, leadership: &Leadership, from: Vec<NodeId>) {
        let to = leadership.isr().settled().to_vec();
        self.context.events.emit(Event::Isr {
            partition: self.id.clone(),
            epoch: leadership.epoch(),
            partition_epoch: leadership.partition_epoch(),
            under_min_isr: inner.is_short(leadership),
            from,
            to,
        });
    }

    /// The leader's look at the clock: moves the high watermark if lagging followers held it, and proposes to drop them
    /// from the ISR.
    pub fn tick(&self) -> Option<Proposal> {
        let mut inner = self.lock();
        let moment = self.moment(&inner);
        let Role::Leader(leadership) = &mut inner.role else { return None };
        let keeps_zombies = self.context.bugs.has(Bug::ZombieInIsr);
        let proposal = leadership.shrinkage(&moment).filter(|_| !keeps_zombies);
        if let Some(proposal) = &proposal {
            self.propose(leadership, proposal);
        }
        let change = self.advance(&mut inner);
        drop(inner);
        change.into_iter().for_each(|change| self.watchers.tell(change));
        proposal
    }

    fn propose(&self, leadership: &mut Leadership, proposal: &Proposal) {
        self.context.events.emit(Event::IsrProposed {
            partition: self.id.clone(),
            epoch: leadership.epoch(),
            from: leadership.isr().settled().to_vec(),
            to: proposal.isr.iter().map(|(member, _)| *member).collect(),
            why: proposal.why.clone(),
        });
        leadership.asked(proposal);
        if self.context.bugs.has(Bug::ShrinkUnasked) {
            leadership.presume();
        }
    }

    /// Notes that a proposal was refused for certain.
    pub fn refused(&self, proposal: &Proposal) {
        if let Role::Leader(leadership) = &mut self.lock().role {
            leadership.refused(proposal);
        }
    }

    /// What is to be kept in the checkpoints.
    pub fn checkpoint(&self) -> Checkpoints {
        let inner = self.lock();
        let forgets_start = self.context.bugs.has(Bug::LogStartGoesBack);
        Checkpoints {
            high_watermark: inner.high_watermark,
            recovery_point: inner.log.recovery_point(),
            log_start: if forgets_start { Offset(0) } else { inner.log.start_offset() },
            clean_until: inner.log.clean_until(),
        }
    }

    /// Bytes of the log, and how many records its end is ahead of the high watermark.
    pub fn size(&self) -> (u64, i64) {
        let inner = self.lock();
        (inner.log.size_bytes(), inner.log.end_offset().0 - inner.high_watermark.0)
    }

    /// End of the log.
    pub fn end_offset(&self) -> Offset {
        self.lock().log.end_offset()
    }

    /// Forgets producers that have been idle for `producer.id.expiration.ms`.
    pub fn expire_producers(&self) {
        self.lock().log.expire_producers(clock::wall_ms());
    }

    /// Ends the replica's life while others may still hold it: it serves nobody and takes nothing any more.
    pub fn retire(&self) {
        let mut inner = self.lock();
        inner.role = Role::Idle;
        inner.partition_epoch = Some(RETIRED);
        drop(inner);
        self.watchers.tell(Change::Role);
    }

    /// Whether the leader still waits for the controller's word on this proposal.
    pub fn awaits(&self, proposal: &Proposal) -> bool {
        match &self.lock().role {
            Role::Leader(leadership) => leadership.awaits(proposal),
            Role::Idle | Role::Follower(_) => false,
        }
    }

    /// What it has to do by its present role.
    pub fn duty(&self) -> Duty {
        self.lock().duty()
    }

    /// Ends the replica's life in this process: syncs and closes the log.
    ///
    /// # Errors
    /// [`LogError`]: then the stop was not clean.
    pub fn close(self) -> Result<(), LogError> {
        self.inner.into_inner().unwrap_or_else(PoisonError::into_inner).log.close()
    }

    fn advance(&self, inner: &mut Inner) -> Option<Change> {
        let moment = self.moment(inner);
        let Role::Leader(leadership) = &inner.role else { return None };
        if inner.is_short(leadership) && !self.context.bugs.has(Bug::AdvanceUnderMinIsr) {
            return None;
        }
        let joins = |broker, epoch| may_join(&self.context.image.borrow(), broker, epoch);
        let high_watermark = match self.context.bugs.has(Bug::ZombieInIsr) {
            true => leadership.careless_high_watermark(&moment),
            false => leadership.high_watermark(&moment, joins),
        };
        inner.raise(high_watermark).then_some(Change::HighWatermark(high_watermark))
    }

    fn moment(&self, inner: &Inner) -> Moment {
        Moment {
            now_ns: clock::monotonic_ns(),
            end: inner.visible_end(),
            high_watermark: inner.high_watermark,
            lag_ns_max: self.context.lag_ns_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn duty(&self) -> Duty {
        match (&self.role, self.epoch) {
            (Role::Leader(_), _) => Duty::Lead,
            (Role::Follower(leader), Some(epoch)) => Duty::Follow(*leader, epoch),
            _ => Duty::Wait,
        }
    }

    fn leader(&self, me: NodeId) -> Option<NodeId> {
        match &self.role {
            Role::Idle => None,
            Role::Leader(_) => Some(me),
            Role::Follower(leader) => Some(*leader),
        }
    }

    fn min_isr(&self, leadership: &Leadership) -> usize {
        self.min_isr.min(leadership.replica_count())
    }

    fn is_short(&self, leadership: &Leadership) -> bool {
        leadership.isr().settled().len() < self.min_isr(leadership)
    }

    /// The end as others may see it: with `flush.messages=1` only what is on disk.
    fn visible_end(&self) -> Offset {
        let end = self.log.end_offset();
        if self.syncs_each() { end.min(self.log.recovery_point()) } else { end }
    }

    fn syncs_each(&self) -> bool {
        self.log.config().flush_messages <= 1
    }

    fn is_retired(&self) -> bool {
        self.partition_epoch == Some(RETIRED)
    }

    fn raise(&mut self, high_watermark: Offset) -> bool {
        let raised = high_watermark > self.high_watermark;
        if raised {
            self.high_watermark = high_watermark;
            self.log.on_high_watermark(high_watermark);
        }
        raised
    }
}

/// Whether a follower outside the ISR could join it now: alive, and the incarnation that fetched (KIP-903).
fn may_join(image: &ClusterImage, broker: NodeId, epoch: Option<BrokerEpoch>) -> bool {
    let known = image.brokers.get(&broker);
    known.is_some_and(|broker| !broker.fenced && epoch.is_none_or(|epoch| epoch == broker.epoch))
}
