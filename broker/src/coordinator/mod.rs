//! Coordinators: state machines over the partitions of an internal topic, replicated by the ordinary produce path.
//!
//! ```text
//! key ──hash──> partition ──leader──> shard: replay the log, then decide / append / apply, answer when committed
//! ```
//!
//! One [`Coordinator`] serves all partitions of one topic that this broker leads; what it decides is a [`Machine`]'s
//! business. To add one: a machine in a folder below this one with the records it keeps, and a row in [`topic`].
//!
//! **Invariants.** A key has one coordinator: the leader of its partition, and only while it leads. Nothing is answered
//! that a change of the leader could take back. Keys are Kafka's, so the topics can be compacted and read by its tools.
//!
//! Not here: what a group or a transaction is, timers, sockets.

pub mod batch;
pub mod codec;
pub mod machine;
pub mod shard;
pub mod topic;
pub mod transaction;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use batch::{InTransaction, Stored};
pub use codec::{Fields, Malformed, PutFields};
pub use machine::{Decided, Decision, Entry, Machine, When};
pub use shard::Shard;

use crate::evidence::Event;
use crate::halt::Halt;
use crate::ids::LeaderEpoch;
use crate::metadata::ClusterImage;
use crate::partition::{Context, Partition};
use crate::replicas::Replicas;

/// Where a coordinator lives.
pub struct Home {
    /// The topic its state is kept in.
    pub topic: &'static str,
    /// The replicas kept here.
    pub replicas: Arc<Replicas>,
    /// What they share.
    pub context: Arc<Context>,
    /// Told of a failure that ends the node.
    pub halt: Halt,
    /// Longest wait of an answer for its records.
    pub commit_timeout: Duration,
}

/// See the module.
pub struct Coordinator<M: Machine> {
    home: Home,
    settings: M::Settings,
    shards: RwLock<BTreeMap<i32, Arc<Shard<M>>>>,
}

impl<M: Machine> Coordinator<M> {
    /// A coordinator whose machines are told `settings`.
    pub fn new(home: Home, settings: M::Settings) -> Coordinator<M> {
        Coordinator { home, settings, shards: RwLock::default() }
    }

    /// Serves what this broker leads as the images tell, until dropped.
    pub async fn follow(self: Arc<Self>, mut images: watch::Receiver<Arc<ClusterImage>>) {
        let mut loads = JoinSet::new();
        loop {
            images.borrow_and_update();
            for shard in self.renew() {
                loads.spawn(shard.load(self.settings.clone(), self.home.context.events.clone()));
            }
            while loads.try_join_next().is_some() {}
            if images.changed().await.is_err() {
                return;
            }
        }
    }

    /// Drops the shards whose reign is over and begins those of new reigns; the latter are returned, to be loaded.
    fn renew(&self) -> Vec<Arc<Shard<M>>> {
        let reigns: BTreeMap<i32, (Arc<Partition>, LeaderEpoch)> = self.reigns();
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        let over = shards.extract_if(.., |index, shard| {
            reigns
                .get(index)
                .is_none_or(|(partition, reign)| *reign != shard.reign() || !Arc::ptr_eq(partition, shard.partition()))
        });
        for (_, shard) in over {
            let (partition, epoch) = (shard.partition().id().clone(), shard.reign());
            self.home.context.events.emit(Event::CoordinatorLost { partition, epoch });
        }
        let mut fresh = Vec::new();
        for (index, (partition, reign)) in reigns {
            shards.entry(index).or_insert_with(|| {
                let shard = Arc::new(Shard::new(partition, reign, self.home.halt.clone()));
                fresh.push(shard.clone());
                shard
            });
        }
        fresh
    }

    fn reigns(&self) -> BTreeMap<i32, (Arc<Partition>, LeaderEpoch)> {
        let partitions =
            self.home.replicas.all().into_iter().filter(|partition| partition.id().topic == self.home.topic);
        partitions.filter_map(|one| Some((one.id().index, (one.clone(), one.reign()?)))).collect()
    }

    /// The partition that a key's state is kept in.
    ///
    /// # Errors
    /// COORDINATOR_NOT_AVAILABLE while the topic does not exist.
    pub fn index_of(&self, key: &str) -> Result<i32, ResponseError> {
        topic::index_of(&self.home.context.image.borrow(), self.home.topic, key)
            .ok_or(ResponseError::CoordinatorNotAvailable)
    }

    /// The shard of a partition.
    ///
    /// # Errors
    /// NOT_COORDINATOR if this broker does not lead the partition, COORDINATOR_LOAD_IN_PROGRESS if it has just begun to.
    pub fn shard(&self, index: i32) -> Result<Arc<Shard<M>>, ResponseError> {
        let reign = self.home.replicas.find(self.home.topic, index).and_then(|partition| partition.reign());
        let reign = reign.ok_or(ResponseError::NotCoordinator)?;
        let shard = self.read().get(&index).cloned();
        shard.filter(|shard| shard.reign() == reign).ok_or(ResponseError::CoordinatorLoadInProgress)
    }

    /// Every shard there is, for timers and listings.
    pub fn shards(&self) -> Vec<Arc<Shard<M>>> {
        self.read().values().cloned().collect()
    }

    /// Decides something about a key, and gives the answer when it may be told. What is decided is decided before the
    /// first await.
    ///
    /// # Errors
    /// Those of `decide`; those of [`Coordinator::shard`]; COORDINATOR_NOT_AVAILABLE if the records cannot be committed
    /// in time, and then they may still be.
    pub async fn decide<T>(
        &self,
        key: &str,
        decide: impl FnOnce(&mut M) -> Decided<M::Record, T>,
    ) -> Result<T, ResponseError> {
        let shard = self.shard(self.index_of(key)?)?;
        self.decide_in(&shard, decide).await
    }

    /// As [`Coordinator::decide`], in a shard that is known.
    ///
    /// # Errors
    /// As [`Coordinator::decide`].
    pub async fn decide_in<T>(
        &self,
        shard: &Shard<M>,
        decide: impl FnOnce(&mut M) -> Decided<M::Record, T>,
    ) -> Result<T, ResponseError> {
        let (answer, end) = shard.decide(decide)?;
        if let Some(end) = end {
            shard.committed(end, self.home.commit_timeout).await?;
        }
        Ok(answer)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<i32, Arc<Shard<M>>>> {
        self.shards.read().unwrap_or_else(PoisonError::into_inner)
    }
}
