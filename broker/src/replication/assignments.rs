//! Which replicas one fetcher is responsible for, and which of them rest after an error.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::ids::{LeaderEpoch, TopicPartition};
use crate::partition::{Partition, Position};

const REST_MIN: Duration = Duration::from_millis(10);

/// One replica to keep up with its leader.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The replica.
    pub partition: Arc<Partition>,
    /// The leader's epoch.
    pub epoch: LeaderEpoch,
    failures: u32,
    rests_until: Option<Instant>,
}

/// One replica and where it stands.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The replica.
    pub partition: Arc<Partition>,
    /// The leader's epoch.
    pub epoch: LeaderEpoch,
    /// Where it stood when asked.
    pub position: Position,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Assignments {
    list: Mutex<HashMap<TopicPartition, Assignment>>,
    changed: Notify,
}

impl Assignment {
    /// A fresh one.
    pub fn new(partition: Arc<Partition>, epoch: LeaderEpoch) -> Assignment {
        Assignment { partition, epoch, failures: 0, rests_until: None }
    }

    fn same(&self, other: &Assignment) -> bool {
        self.epoch == other.epoch && Arc::ptr_eq(&self.partition, &other.partition)
    }
}

impl Assignments {
    /// Replaces all; those that stay the same keep their rest.
    pub fn replace(&self, wanted: HashMap<TopicPartition, Assignment>) {
        let mut list = self.list();
        let unchanged =
            list.len() == wanted.len() && wanted.iter().all(|(id, new)| list.get(id).is_some_and(|old| old.same(new)));
        if unchanged {
            return;
        }
        let mut before = std::mem::replace(&mut *list, wanted);
        for (id, new) in list.iter_mut() {
            if let Some(old) = before.remove(id).filter(|old| old.same(new)) {
                *new = old;
            }
        }
        self.changed.notify_one();
    }

    /// Waits until [`Assignments::replace`] changed something since the last wait.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The replicas to fetch for now, and when the next one has rested enough.
    pub fn wanted(&self) -> (Vec<Wanted>, Option<Instant>) {
        let now = Instant::now();
        let list = self.list();
        let (rested, resting): (Vec<_>, Vec<_>) =
            list.values().partition(|one| one.rests_until.is_none_or(|until| until <= now));
        let wanted = rested.into_iter().filter_map(|one| {
            let position = one.partition.position(one.epoch)?;
            Some(Wanted { partition: one.partition.clone(), epoch: one.epoch, position })
        });
        (wanted.collect(), resting.iter().filter_map(|one| one.rests_until).min())
    }

    /// Notes that the leader answered well.
    pub fn succeeded(&self, of: &Wanted) {
        self.with(of, |one| (one.failures, one.rests_until) = (0, None));
    }

    /// Lets the replica rest, longer with every failure in a row, at most `rest_max`.
    pub fn failed(&self, of: &Wanted, rest_max: Duration) {
        self.with(of, |one| {
            let rest = REST_MIN.saturating_mul(1 << one.failures.min(16)).min(rest_max);
            one.failures += 1;
            one.rests_until = Some(Instant::now() + rest);
        });
    }

    fn with(&self, of: &Wanted, change: impl FnOnce(&mut Assignment)) {
        if let Some(one) = self.list().get_mut(of.partition.id()).filter(|one| one.epoch == of.epoch) {
            change(one);
        }
    }

    fn list(&self) -> MutexGuard<'_, HashMap<TopicPartition, Assignment>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
