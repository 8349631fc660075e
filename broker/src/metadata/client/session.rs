//! The two things a broker does all its life: keep its session, follow the image.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{ClientConfig, Standing, link::Link};
use crate::clock;
use crate::metadata::{
    apply::apply_batch,
    error::ControllerError,
    ids::{BrokerEpoch, Version},
    image::ClusterImage,
    rpc::{FetchMetadata, Heartbeat, HeartbeatAnswer, MetadataUpdate, RegisterBroker, Wish},
};

const POLL_WAIT: Duration = Duration::from_secs(2);
const FOREVER: Duration = Duration::from_secs(3600);

/// Registers and heartbeats.
pub struct Session {
    pub config: Arc<ClientConfig>,
    pub link: Arc<Link>,
    pub applied: watch::Receiver<Version>,
    pub standing: watch::Sender<Standing>,
    pub wish: watch::Receiver<Wish>,
    pub heard_ns: Arc<AtomicU64>,
}

enum End {
    Forgotten,
    Final(Standing),
}

impl Session {
    /// Lives until the broker stops or is superseded; registers again when the quorum has forgotten it.
    pub async fn run(mut self) {
        loop {
            self.standing.send_replace(Standing::Registering);
            let epoch = self.register().await;
            self.standing.send_replace(Standing::Fenced(epoch));
            let end = self.keep(epoch).await;
            self.heard_ns.store(0, Ordering::Release);
            if let End::Final(standing) = end {
                self.standing.send_replace(standing);
                return;
            }
        }
    }

    async fn register(&self) -> BrokerEpoch {
        let ask = RegisterBroker {
            broker: self.config.broker,
            incarnation: self.config.incarnation,
            host: self.config.host.clone(),
            port: self.config.port,
            rack: self.config.rack.clone(),
            previous_epoch: self.config.previous_epoch,
        };
        loop {
            match self.link.ask(ask.clone(), FOREVER).await {
                Ok(registered) => return registered.epoch,
                Err(_) => sleep_until(Instant::now() + self.config.heartbeat_interval).await,
            }
        }
    }

    async fn keep(&mut self, epoch: BrokerEpoch) -> End {
        loop {
            let wish = *self.wish.borrow_and_update();
            let applied = *self.applied.borrow_and_update();
            let beat = Heartbeat { broker: self.config.broker, epoch, applied, wish };
            let sent_ns = clock::boot_ns();
            let answer = self.link.ask(beat, FOREVER).await;
            let next = Instant::now() + self.config.heartbeat_interval;
            match answer {
                Ok(answer) if wish == Wish::Stop && answer.fenced => return End::Final(Standing::Stopped(epoch)),
                Ok(answer) => self.note(epoch, answer, sent_ns),
                Err(ControllerError::StaleBrokerEpoch) => return End::Final(Standing::Superseded),
                Err(ControllerError::BrokerNotRegistered) => return End::Forgotten,
                Err(_) => {}
            }
            self.pause_until(next).await;
        }
    }

    fn note(&self, epoch: BrokerEpoch, answer: HeartbeatAnswer, sent_ns: u64) {
        match (answer.fenced, answer.caught_up) {
            (true, _) => self.heard_ns.store(0, Ordering::Release),
            (false, true) => self.heard_ns.store(sent_ns, Ordering::Release),
            (false, false) => {}
        }
        let standing = if answer.fenced { Standing::Fenced(epoch) } else { Standing::Active(epoch) };
        self.standing.send_if_modified(|old| std::mem::replace(old, standing) != standing);
    }

    /// Until the next heartbeat is due; at once when the wish changes, and when a fenced broker has applied something.
    async fn pause_until(&mut self, next: Instant) {
        let fenced = matches!(*self.standing.borrow(), Standing::Fenced(_));
        tokio::select! {
            () = sleep_until(next) => {}
            Ok(()) = self.wish.changed() => {}
            Ok(()) = self.applied.changed(), if fenced => {}
        }
    }
}

/// Follows the image for ever; says so to `told` each time.
pub async fn follow(link: Arc<Link>, images: watch::Sender<Arc<ClusterImage>>, told: Option<watch::Sender<Version>>) {
    let mut from = Version(0);
    let each = POLL_WAIT * 2;
    let wait_ms_max = u64::try_from(POLL_WAIT.as_millis()).unwrap_or(u64::MAX);
    loop {
        match link.ask_patiently(FetchMetadata { from, wait_ms_max }, each, FOREVER).await {
            Ok(update) => {
                from = advance(&images, update);
                let version = images.borrow().version;
                if let Some(told) = &told {
                    told.send_replace(version);
                }
            }
            Err(_) => sleep_until(Instant::now() + Duration::from_millis(50)).await,
        }
    }
}

/// Takes an update in; the version to ask from next. An update that does not fit asks for the whole image.
fn advance(images: &watch::Sender<Arc<ClusterImage>>, update: MetadataUpdate) -> Version {
    let mut from = images.borrow().version;
    match update {
        MetadataUpdate::Image(image) if image.version > from => {
            from = image.version;
            images.send_replace(Arc::from(image));
        }
        MetadataUpdate::Image(_) => {}
        MetadataUpdate::Batches(batches) => {
            let fresh: Vec<_> = batches.into_iter().filter(|batch| batch.version > from).collect();
            let Some(first) = fresh.first() else { return from };
            if first.base != from {
                return Version(0);
            }
            let mut image = ClusterImage::clone(&images.borrow());
            fresh.iter().for_each(|batch| apply_batch(&mut image, batch));
            from = image.version;
            images.send_replace(Arc::new(image));
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{record::CommittedBatch, stamp::Stamp};

    fn batch(base: u64, version: u64) -> CommittedBatch {
        CommittedBatch { version: Version(version), base: Version(base), stamp: Stamp::default(), records: Vec::new() }
    }

    fn at(version: u64) -> watch::Sender<Arc<ClusterImage>> {
        watch::Sender::new(Arc::new(ClusterImage { version: Version(version), ..ClusterImage::default() }))
    }

    #[test]
    fn batches_that_follow_are_applied_and_old_ones_skipped() {
        let images = at(5);
        let next = advance(&images, MetadataUpdate::Batches(vec![batch(4, 5), batch(5, 7), batch(7, 8)]));
        assert_eq!((next, images.borrow().version), (Version(8), Version(8)));
    }

    #[test]
    fn batches_with_a_gap_before_them_are_not_applied_and_the_whole_image_is_asked_for() {
        let images = at(5);
        let next = advance(&images, MetadataUpdate::Batches(vec![batch(6, 7)]));
        assert_eq!((next, images.borrow().version), (Version(0), Version(5)));
    }

    #[test]
    fn an_image_older_than_the_present_one_is_not_taken() {
        let images = at(5);
        let older = ClusterImage { version: Version(4), ..ClusterImage::default() };
        let next = advance(&images, MetadataUpdate::Image(Box::new(older)));
        assert_eq!((next, images.borrow().version), (Version(5), Version(5)));
    }
}
