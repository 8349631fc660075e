//! The one task that decides: takes requests in batches, decides upon the committed image, proposes, answers.
//!
//! **Invariants:** one proposal is under way at a time, and an answer is given only after its commit. A proposal that lost a race is decided
//! anew upon the newer image. What nobody can tell is answered with [`ControllerError::Timeout`], never guessed.
//!
//! A heartbeat is answered only after a majority has confirmed, since it came in, that this controller leads. A broker may hence count on
//! not being fenced within a session timeout from when it *sent* a heartbeat that was answered: whoever is elected later grants it a fresh
//! session.
//!
//! A reign begins with a record of its own ([`MetadataRecord::ControllerActive`]): once that is committed, so is everything that earlier
//! controllers may still have had under way.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, Interval, MissedTickBehavior, interval},
};

use super::{decide::desk::Desk, sessions::Sessions};
use crate::metadata::{
    error::ControllerError,
    ids::{BrokerId, ControllerId, TopicId, Version},
    image::{ClusterImage, Configs, ELR_FEATURE},
    quorum::{Leadership, MetadataQuorum, ProposeError},
    record::{MetadataRecord, Proposal},
    rpc::{Reply, Request},
    stamp::Stamp,
};

/// Requests decided together at most.
const BATCH_REQUESTS_MAX: usize = 256;
/// Sessions are looked at this many times within their timeout, at least.
const TICKS_PER_SESSION: u32 = 20;

/// A request and who waits for its answer.
pub struct Asked {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Reply, ControllerError>>,
}

/// What the deciding task must know.
pub struct Reign<Q> {
    /// This controller.
    pub id: ControllerId,
    /// Where proposals go.
    pub quorum: Arc<Q>,
    /// Where requests come from.
    pub inbox: mpsc::Receiver<Asked>,
    /// `broker.session.timeout.ms`.
    pub session_timeout: Duration,
    /// `eligible.leader.replicas.enable`.
    pub elr: bool,
    /// The controller's properties.
    pub defaults: Configs,
}

enum Decided {
    Committed(Vec<Result<Reply, ControllerError>>),
    Refused(ControllerError),
}

impl<Q: MetadataQuorum> Reign<Q> {
    /// Decides whenever this controller leads; ends when nobody can ask any more.
    pub async fn run(mut self) {
        let mut leadership = self.quorum.leadership();
        loop {
            let now = *leadership.borrow_and_update();
            let goes_on = match now {
                Leadership::Here { term } => self.rule(term, &mut leadership).await,
                Leadership::Elsewhere { leader, .. } => self.refer(leader, &mut leadership).await,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Sends askers on until leadership changes.
    async fn refer(&mut self, leader: Option<ControllerId>, leadership: &mut watch::Receiver<Leadership>) -> bool {
        loop {
            tokio::select! {
                asked = self.inbox.recv() => match asked {
                    Some(asked) => drop(asked.answer.send(Err(ControllerError::NotController(leader)))),
                    None => return false,
                },
                changed = leadership.changed() => return changed.is_ok(),
            }
        }
    }

    /// Decides until leadership changes.
    async fn rule(&mut self, term: u64, leadership: &mut watch::Receiver<Leadership>) -> bool {
        if !self.activate(term).await {
            return leadership.has_changed().is_ok();
        }
        let mut ticks = self.ticks();
        let begun = Instant::now();
        let mut sessions = Sessions::new(self.session_timeout, ticks.period(), Duration::ZERO);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                changed = leadership.changed() => return changed.is_ok(),
                count = self.inbox.recv_many(&mut batch, BATCH_REQUESTS_MAX) => {
                    if count == 0 {
                        return false;
                    }
                    self.settle(std::mem::take(&mut batch), &mut sessions, begun).await;
                }
                _ = ticks.tick() => self.fence_silent(&mut sessions, begun).await,
            }
        }
    }

    fn ticks(&self) -> Interval {
        let mut ticks = interval((self.session_timeout / TICKS_PER_SESSION).max(Duration::from_millis(5)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }

    async fn activate(&self, term: u64) -> bool {
        let level = i16::from(self.elr);
        let decided = self.decide(|desk| {
            let mut records = vec![MetadataRecord::ControllerActive { controller: self.id, term }];
            if desk.image().features.get(ELR_FEATURE) != Some(&level) {
                records.push(MetadataRecord::FeatureLevel { name: ELR_FEATURE.to_owned(), level });
            }
            desk.take(records);
            Vec::new()
        });
        matches!(decided.await, Decided::Committed(_))
    }

    async fn settle(&self, batch: Vec<Asked>, sessions: &mut Sessions, begun: Instant) {
        let decided = self.decide(|desk| batch.iter().map(|asked| desk.decide(asked.request.clone())).collect()).await;
        match decided {
            Decided::Committed(answers) => {
                for (asked, answer) in batch.into_iter().zip(answers) {
                    heard(&asked.request, &answer, sessions, begun.elapsed());
                    drop(asked.answer.send(answer));
                }
            }
            Decided::Refused(error) => batch.into_iter().for_each(|asked| drop(asked.answer.send(Err(error.clone())))),
        }
    }

    async fn fence_silent(&self, sessions: &mut Sessions, begun: Instant) {
        let alive: Vec<BrokerId> = self.quorum.committed().borrow().image.alive().map(|broker| broker.id).collect();
        let silent = sessions.silent(alive.into_iter(), begun.elapsed());
        if !silent.is_empty() {
            // What cannot be committed now is tried again with the next tick.
            let _tried = self.decide(|desk| {
                desk.fence(&silent);
                Vec::new()
            });
            _tried.await;
        }
    }

    /// Decides upon the committed image, and again upon a newer one as long as others are faster.
    async fn decide(&self, decide: impl Fn(&mut Desk<'_>) -> Vec<Result<Reply, ControllerError>>) -> Decided {
        loop {
            let image: Arc<ClusterImage> = Arc::clone(&self.quorum.committed().borrow().image);
            let mut desk = Desk::new(&image, &self.defaults, TopicId::random);
            let answers = decide(&mut desk);
            let records = desk.into_records();
            let agreed = match records.is_empty() {
                true => self.quorum.confirm().await,
                false => self.propose(image.version, records).await,
            };
            match agreed {
                Ok(()) => return Decided::Committed(answers),
                Err(ProposeError::Conflict { .. }) => {}
                Err(ProposeError::NotLeader(leader)) => {
                    return Decided::Refused(ControllerError::NotController(leader));
                }
                Err(ProposeError::Unknown) => return Decided::Refused(ControllerError::Timeout),
            }
        }
    }

    async fn propose(&self, base: Version, records: Vec<MetadataRecord>) -> Result<(), ProposeError> {
        let proposal = Proposal { base, stamp: Stamp::now(self.id), records };
        self.quorum.propose(proposal).await.map(|_| ())
    }
}

fn heard(request: &Request, answer: &Result<Reply, ControllerError>, sessions: &mut Sessions, now: Duration) {
    match (request, answer) {
        (Request::Heartbeat(beat), Ok(_)) => sessions.touch(beat.broker, now),
        (Request::Register(ask), Ok(_)) => sessions.touch(ask.broker, now),
        _ => {}
    }
}
