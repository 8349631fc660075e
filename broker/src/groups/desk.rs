//! The shell around the groups: those who wait for an answer, the clock, and the coordinator's log.
//!
//! ```text
//! request ─► decide (pure, under the shard's lock) ─► append ─► told at once, or when replicated
//! tick    ─► decide …
//! ```
//!
//! **Invariants.** Whoever waits is told exactly once: by the group, by a failed append, or by the end of the reign.
//! A client that went away costs nothing but its place. No lock is held while anything waits.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::sync::{oneshot, watch};

use super::effects::{Answer, Effects, Waiter};
use super::record::Record;
use super::settings::{Now, Settings};
use super::shard::Groups;
use crate::bugs::{Bug, Bugs};
use crate::clock;
use crate::config::Config;
use crate::coordinator::{Coordinator, Decision, Entry, InTransaction, Machine, Malformed, Shard, Stored, When};
use crate::ids::{LeaderEpoch, Offset, TopicPartition};
use crate::log::marker::Outcome;
use crate::metadata::ClusterImage;

impl Machine for Groups {
    type Record = Record;
    type Settings = Settings;

    fn new(settings: &Settings, _: &TopicPartition, _: LeaderEpoch) -> Groups {
        Groups::new(settings.clone())
    }

    fn encode(record: &Record) -> Stored {
        record.encode()
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Record, Malformed> {
        Record::decode(key, value)
    }

    fn apply(&mut self, entry: Entry<Record>, offset: Offset) {
        match entry {
            Entry::Record { record, within } => self.apply(record, within.map(|of| of.producer.0), offset),
            Entry::Marker { producer, outcome, .. } => self.mark(producer.0, outcome == Outcome::Commit),
        }
    }

    fn loaded(&mut self) {
        self.replayed();
    }
}

type Waiting = Arc<Mutex<HashMap<Waiter, oneshot::Sender<Answer>>>>;

/// What was decided, and up to where the log must be replicated before it may be told.
pub struct Done<T> {
    answer: T,
    shard: Arc<Shard<Groups>>,
    end: Option<Offset>,
}

impl<T> Done<T> {
    /// What was decided, which says nothing that a move of the coordinator could take back.
    pub fn at_once(self) -> T {
        self.answer
    }
}

/// See the module.
pub struct Desk {
    coordinator: Arc<Coordinator<Groups>>,
    images: watch::Receiver<Arc<ClusterImage>>,
    bugs: Bugs,
    patience: Duration,
    waiting: Waiting,
    waiters: AtomicU64,
}

impl Desk {
    /// A desk in front of this coordinator. `images` are those that the replicas here follow.
    pub fn new(coordinator: Coordinator<Groups>, images: watch::Receiver<Arc<ClusterImage>>, config: &Config) -> Desk {
        let patience = config.values().millis("offsets.commit.timeout.ms");
        let (waiting, waiters) = (Waiting::default(), AtomicU64::default());
        Desk { coordinator: Arc::new(coordinator), images, bugs: config.bugs, patience, waiting, waiters }
    }

    /// The coordinator behind.
    pub fn coordinator(&self) -> &Arc<Coordinator<Groups>> {
        &self.coordinator
    }

    /// Asks something that is answered when others have come, or something was replicated. Decided before it returns.
    ///
    /// # Errors
    /// Those of a coordinator that does not serve this group, or lost it while the asker waited.
    pub fn ask(
        &self,
        group: &str,
        act: impl FnOnce(&mut Groups, Waiter, Now, &mut Effects),
    ) -> Pin<Box<dyn Future<Output = Result<Answer, ResponseError>> + Send>> {
        let waiter = Waiter(self.waiters.fetch_add(1, Ordering::Relaxed));
        let (tell, told) = oneshot::channel();
        lock(&self.waiting).insert(waiter, tell);
        let place = Place { waiting: self.waiting.clone(), waiter };
        let done = self.act(group, |groups, now, out| {
            act(groups, waiter, now, out);
            Ok(())
        });
        let images = self.images.clone();
        Box::pin(async move {
            let _place = place;
            let shard = done?.shard;
            tokio::select! {
                biased;
                answer = told => answer.map_err(|_| ResponseError::NotCoordinator),
                () = reign_over(&shard, images) => Err(ResponseError::NotCoordinator),
            }
        })
    }

    /// Decides something about a group, now.
    ///
    /// # Errors
    /// Those of `act`, and those of a coordinator that does not serve this group.
    pub fn act<T>(
        &self,
        group: &str,
        act: impl FnOnce(&mut Groups, Now, &mut Effects) -> Result<T, ResponseError>,
    ) -> Result<Done<T>, ResponseError> {
        let shard = self.coordinator.shard(self.coordinator.index_of(group)?)?;
        self.act_in(&shard, None, act)
    }

    /// As [`Desk::act`], in a shard that is known, with records that may belong to a transaction.
    ///
    /// # Errors
    /// As [`Desk::act`].
    pub fn act_in<T>(
        &self,
        shard: &Arc<Shard<Groups>>,
        within: Option<InTransaction>,
        act: impl FnOnce(&mut Groups, Now, &mut Effects) -> Result<T, ResponseError>,
    ) -> Result<Done<T>, ResponseError> {
        let (mut out, now) = (Effects::default(), now());
        let decided = shard.decide(|groups| {
            groups.wake(now);
            let answer = act(groups, now, &mut out)?;
            let records = std::mem::take(&mut out.records);
            Ok(Decision { records, within, answer, when: When::Committed })
        });
        match decided {
            Ok((answer, end)) => {
                self.tell(out.at_once);
                self.tell_when_safe(shard, end, out.when_safe);
                Ok(Done { answer, shard: shard.clone(), end })
            }
            Err(error) => {
                let _gone = shard.decide(|groups| {
                    groups.undo(&mut out, error, now);
                    Ok(Decision::now(()))
                });
                self.tell(out.at_once);
                Err(error)
            }
        }
    }

    /// What was decided, when no move of the coordinator can take it back.
    ///
    /// # Errors
    /// COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR: it may still come to be safe.
    pub async fn safe<T>(&self, done: Done<T>) -> Result<T, ResponseError> {
        if let Some(end) = done.end.filter(|_| !self.bugs.has(Bug::CommitAckedEarly)) {
            done.shard.committed(end, self.patience).await?;
        }
        Ok(done.answer)
    }

    /// Lets time pass in every shard where something is due.
    pub fn tick(&self) {
        for shard in self.coordinator.shards() {
            let now = now();
            let due = shard.decide(|groups| {
                groups.wake(now);
                Ok(Decision::now(groups.is_due(now)))
            });
            if let Ok((true, _)) = due {
                self.sweep(&shard, Groups::tick);
            }
        }
    }

    /// Forgets positions that are too old.
    pub fn expire(&self) {
        for shard in self.coordinator.shards() {
            self.sweep(&shard, Groups::expire);
        }
    }

    /// Forgets positions in topics that are no more, whenever topics end, until dropped.
    pub async fn follow_topics(self: Arc<Self>) {
        let mut images = self.images.clone();
        let mut before = images.borrow_and_update().clone();
        while images.changed().await.is_ok() {
            let image = images.borrow_and_update().clone();
            let is_same = |name: &str| {
                let id = |image: &ClusterImage| image.topics.get(name).map(|topic| topic.id);
                id(&before).is_none() || id(&before) == id(&image)
            };
            if before.topics.keys().any(|name| !is_same(name)) {
                for shard in self.coordinator.shards() {
                    self.sweep(&shard, |groups, _, out| groups.forget_topics(|name| !is_same(name), out));
                }
            }
            before = image;
        }
    }

    fn sweep(&self, shard: &Arc<Shard<Groups>>, act: impl FnOnce(&mut Groups, Now, &mut Effects)) {
        let swept = self.act_in(shard, None, |groups, now, out| {
            act(groups, now, out);
            Ok(())
        });
        drop(swept);
    }

    fn tell(&self, answers: Vec<(Waiter, Answer)>) {
        tell(&self.waiting, answers);
    }

    fn tell_when_safe(&self, shard: &Arc<Shard<Groups>>, end: Option<Offset>, answers: Vec<(Waiter, Answer)>) {
        let Some(end) = end.filter(|_| !answers.is_empty()) else { return self.tell(answers) };
        let (waiting, shard, patience) = (self.waiting.clone(), shard.clone(), self.patience);
        tokio::spawn(async move {
            let answers = match shard.committed(end, patience).await {
                Ok(()) => answers,
                Err(error) => {
                    answers.into_iter().map(|(waiter, answer)| (waiter, answer.unsafe_because(error))).collect()
                }
            };
            tell(&waiting, answers);
        });
    }
}

/// A place among those who wait, given up when dropped.
struct Place {
    waiting: Waiting,
    waiter: Waiter,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.waiter);
    }
}

fn tell(waiting: &Waiting, answers: Vec<(Waiter, Answer)>) {
    let mut waiting = lock(waiting);
    for (waiter, answer) in answers {
        if let Some(tell) = waiting.remove(&waiter) {
            let _gone = tell.send(answer);
        }
    }
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, HashMap<Waiter, oneshot::Sender<Answer>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn reign_over(shard: &Shard<Groups>, mut images: watch::Receiver<Arc<ClusterImage>>) {
    while shard.partition().reign() == Some(shard.reign()) {
        if images.changed().await.is_err() {
            return;
        }
    }
}

fn now() -> Now {
    Now { mono_ms: clock::monotonic_ns() / 1_000_000, wall_ms: clock::wall_ms() }
}
