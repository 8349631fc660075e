//! What a broker does without being asked: follow the image, watch the ISR, write checkpoints, delete old segments, compact.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::broker::Broker;
use crate::coordinator::transaction;
use crate::evidence::Event;
use crate::replication::Fetchers;

const GROUPS_LOOK: Duration = Duration::from_millis(20);
const LEASE_LOOK: Duration = Duration::from_millis(200);

/// Starts all of them.
pub fn spawn(tasks: &mut JoinSet<()>, broker: &Arc<Broker>, fetchers: &Arc<Fetchers>) {
    tasks.spawn(follow_image(broker.clone(), fetchers.clone()));
    let lag = broker.config.replica.lag_time_max;
    tasks.spawn(every(lag / 2, broker.clone(), watch_isr));
    tasks.spawn(every(broker.config.replica.checkpoint_interval, broker.clone(), checkpoint));
    let retention = broker.config.values().millis("log.retention.check.interval.ms");
    tasks.spawn(every(retention, broker.clone(), delete_old));
    if broker.config.values().flag("log.cleaner.enable") {
        let backoff = broker.config.values().millis("log.cleaner.backoff.ms");
        tasks.spawn(every(backoff, broker.clone(), compact));
    }
    let idle = broker.config.values().millis("producer.id.expiration.check.interval.ms");
    tasks.spawn(every(idle, broker.clone(), expire_producers));
    tasks.spawn(broker.transactions.coordinator.clone().follow(broker.images()));
    tasks.spawn(transaction::finish_all(broker.clone()));
    tasks.spawn(every(Duration::from_secs(1), broker.clone(), sync_by_age));
    tasks.spawn(broker.groups.coordinator().clone().follow(broker.images()));
    tasks.spawn(broker.groups.clone().follow_topics());
    tasks.spawn(every(GROUPS_LOOK, broker.clone(), |broker| broker.groups.tick()));
    let expiry = broker.config.values().millis("offsets.retention.check.interval.ms");
    tasks.spawn(every(expiry, broker.clone(), |broker| broker.groups.expire()));
    if broker.context.lease.is_strict() {
        tasks.spawn(watch_lease(broker.clone()));
    }
}

async fn follow_image(broker: Arc<Broker>, fetchers: Arc<Fetchers>) {
    let mut images = broker.context.image.clone();
    loop {
        let image = images.borrow_and_update().clone();
        if image.version.0 > 0 {
            let applied = tokio::task::block_in_place(|| broker.replicas.apply(&image, &broker.config));
            match applied {
                Ok(duties) => {
                    fetchers.assign(&duties);
                    let version = image.version;
                    broker.applied.send_replace(image);
                    broker.controller.applied(version);
                }
                Err(error) => broker.halt.because(&error),
            }
        }
        if images.changed().await.is_err() {
            return;
        }
    }
}

async fn every(pause: Duration, broker: Arc<Broker>, act: fn(&Arc<Broker>)) {
    let mut ticks = interval(pause.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        act(&broker);
    }
}

fn watch_isr(broker: &Arc<Broker>) {
    for partition in broker.replicas.all() {
        broker.propose(&partition, partition.tick());
    }
}

fn checkpoint(broker: &Arc<Broker>) {
    if let Err(error) = tokio::task::block_in_place(|| broker.replicas.checkpoint()) {
        broker.halt.because(&error);
    }
}

fn delete_old(broker: &Arc<Broker>) {
    for partition in broker.replicas.all() {
        if let Err(error) = tokio::task::block_in_place(|| partition.delete_old()) {
            broker.halt.because(&error);
        }
    }
}

fn compact(broker: &Arc<Broker>) {
    for partition in broker.replicas.all() {
        if let Err(error) = tokio::task::block_in_place(|| partition.compact()) {
            broker.halt.because(&error);
        }
    }
}

fn expire_producers(broker: &Arc<Broker>) {
    broker.replicas.all().iter().for_each(|partition| partition.expire_producers());
}

fn sync_by_age(broker: &Arc<Broker>) {
    for partition in broker.replicas.all().iter().filter(|partition| partition.sync_is_due()) {
        broker.sync(partition);
    }
}

/// Says when the lease on leadership ends and when it is back.
async fn watch_lease(broker: Arc<Broker>) {
    let mut ticks = interval(LEASE_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held = false;
    loop {
        ticks.tick().await;
        let lease = &broker.context.lease;
        if lease.held() != held {
            held = !held;
            let age_ms = lease.age().as_millis() as u64;
            broker.events.emit(Event::Lease { held, age_ms });
        }
    }
}
