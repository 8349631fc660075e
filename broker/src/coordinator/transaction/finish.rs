//! Ending what is decided: markers to every partition until all have them, then the record that says so. And the clock's
//! part: transactions that took too long, ids that nobody uses any more.
//!
//! One task looks for decided transactions, when it is told of one and every [`LOOK`], so that it finds what a
//! predecessor left too. Each is finished by a task of its own, which ends when it is done or the reign is over.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::machine::Machine;
use super::markers::{self, Ending};
use super::state::Transaction;
use crate::broker::Broker;
use crate::bugs::Bug;
use crate::clock;
use crate::coordinator::{Decision, Shard};
use crate::ids::{LeaderEpoch, TopicPartition};
use crate::log::marker::Outcome;

/// Time between two looks for decided transactions.
const LOOK: Duration = Duration::from_millis(100);
/// Pause before markers are sent again that were not written.
const RETRY: Duration = Duration::from_millis(50);
/// How late the planted bug writes markers, so that a move finds some unwritten.
const LATE: Duration = Duration::from_millis(300);
/// Longest wait for one record's replication before the reign is looked at again.
const PATIENCE: Duration = Duration::from_secs(5);

type Name = (i32, LeaderEpoch, String);

/// Finishes what is decided here, until dropped.
pub async fn finish_all(broker: Arc<Broker>) {
    let mut tasks: JoinSet<Name> = JoinSet::new();
    let mut running: HashSet<Name> = HashSet::new();
    let values = broker.config.values();
    let mut overdue = Timer::new(values.millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"));
    let mut idle = Timer::new(values.millis("transaction.remove.expired.transaction.cleanup.interval.ms"));
    let idle_ms_max = values.number("transactional.id.expiration.ms");
    loop {
        let _told = timeout(LOOK, broker.transactions.decided.notified()).await;
        while let Some(done) = tasks.try_join_next() {
            running.retain(|name| done.as_ref().ok() != Some(name));
        }
        let (overdue, idle) = (overdue.rings(), idle.rings());
        for shard in broker.transactions.coordinator.shards() {
            if overdue {
                let _not_now = shard.decide(|machine| machine.abort_overdue(clock::wall_ms()));
            }
            if idle {
                let _not_now = shard.decide(|machine| machine.forget_idle(clock::wall_ms(), idle_ms_max));
            }
            for id in ending(&shard) {
                let name = (shard.partition().id().index, shard.reign(), id);
                if running.insert(name.clone()) {
                    tasks.spawn(finish(broker.clone(), shard.clone(), name));
                }
            }
        }
    }
}

fn ending(shard: &Shard<Machine>) -> Vec<String> {
    let look = |machine: &mut Machine| Ok(Decision::now(machine.ending()));
    shard.decide(look).map(|(ids, _)| ids).unwrap_or_default()
}

async fn finish(broker: Arc<Broker>, shard: Arc<Shard<Machine>>, name: Name) -> Name {
    let id = &name.2;
    let Some(transaction) = decided(&broker, &shard, id).await else { return name };
    let Some(outcome) = transaction.state.decided() else { return name };
    let coordinator_epoch = shard.reign().0;
    let ending = Ending { producer: transaction.producer, epoch: transaction.epoch, outcome, coordinator_epoch };
    let loses = broker.config.bugs.has(Bug::MarkerLostOnMove);
    if loses {
        let _elapsed = timeout(LATE, std::future::pending::<()>()).await;
    }
    let lost = loses && inherited(&shard, id);
    if broker.config.bugs.has(Bug::CommitAbortsLast) {
        abort_last(&broker, &shard, &ending, &transaction.partitions).await;
    }
    if !lost && !mark(&broker, &shard, &ending, &transaction.partitions).await {
        return name;
    }
    while let Err(error) = complete(&broker, &shard, id, &transaction).await {
        if error == ResponseError::NotCoordinator {
            return name;
        }
        pause(&broker).await;
    }
    if broker.config.bugs.has(Bug::MarkerAppliedToNext) {
        again(&broker, &shard, id, &ending).await;
    }
    name
}

fn inherited(shard: &Shard<Machine>, id: &str) -> bool {
    shard.decide(|machine| Ok(Decision::now(machine.has_inherited(id)))).is_ok_and(|(inherited, _)| inherited)
}

/// The transaction, once the decision to end it is committed; none if there is nothing to do here any more.
async fn decided(broker: &Broker, shard: &Shard<Machine>, id: &str) -> Option<Transaction> {
    loop {
        let (transaction, end) = shard.decide(|machine| Ok(Decision::read(machine.get(id).cloned()))).ok()?;
        match shard.committed(end?, PATIENCE).await {
            Ok(()) => return transaction,
            Err(ResponseError::NotCoordinator) => return None,
            // Too few replicas in sync is said at once: asking again without a pause would leave them no time to come back.
            Err(_) => pause(broker).await,
        }
    }
}

/// Writes the markers until every partition has one; false if this coordinator was deposed.
async fn mark(
    broker: &Arc<Broker>,
    shard: &Shard<Machine>,
    ending: &Ending,
    partitions: &BTreeSet<TopicPartition>,
) -> bool {
    let mut left = partitions.clone();
    loop {
        let written = markers::write(broker, ending, &left).await;
        if written.deposed || shard.partition().reign() != Some(shard.reign()) {
            return false;
        }
        left.retain(|partition| !written.done.contains(partition));
        if left.is_empty() {
            return true;
        }
        pause(broker).await;
    }
}

async fn complete(broker: &Broker, shard: &Shard<Machine>, id: &str, ended: &Transaction) -> Result<(), ResponseError> {
    let decide = |machine: &mut Machine| machine.complete(id, ended, clock::wall_ms());
    broker.transactions.coordinator.decide_in(shard, decide).await
}

/// Only for the planted bug: the last partition is told the opposite, before it is told the truth too late.
async fn abort_last(
    broker: &Arc<Broker>,
    shard: &Shard<Machine>,
    ending: &Ending,
    partitions: &BTreeSet<TopicPartition>,
) {
    if let (Some(last), Outcome::Commit, 2..) = (partitions.last(), ending.outcome, partitions.len()) {
        let opposite = Ending { outcome: Outcome::Abort, ..*ending };
        mark(broker, shard, &opposite, &BTreeSet::from([last.clone()])).await;
    }
}

/// Only for the planted bug: the marker arrives again while the next transaction is open.
async fn again(broker: &Arc<Broker>, shard: &Shard<Machine>, id: &str, ending: &Ending) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let look = |machine: &mut Machine| Ok(Decision::now(machine.get(id).cloned()));
        let Ok((Some(next), _)) = shard.decide(look) else { return };
        if (next.producer, next.epoch) != (ending.producer, ending.epoch) {
            return;
        }
        if next.state.decided().is_some() {
            return;
        }
        if !next.partitions.is_empty() {
            markers::write(broker, ending, &next.partitions).await;
        }
        let _elapsed = timeout(RETRY / 10, broker.images().changed()).await;
    }
}

/// Waits a little, or until something changed in the cluster.
async fn pause(broker: &Broker) {
    let mut images = broker.images();
    images.borrow_and_update();
    let _elapsed = timeout(RETRY, images.changed()).await;
}

struct Timer {
    every: Duration,
    next: Instant,
}

impl Timer {
    fn new(every: Duration) -> Timer {
        Timer { every, next: Instant::now() + every }
    }

    fn rings(&mut self) -> bool {
        let now = Instant::now();
        let rings = now >= self.next;
        if rings {
            self.next = now + self.every;
        }
        rings
    }
}
