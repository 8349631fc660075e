//! One transactional id: its producer, its transaction, and the steps it may take.
//!
//! ```text
//!            init                        add                      end                        all markers
//! (nothing) ─────> Empty ─────────────────────> Ongoing ──────────────> PrepareCommit ──────────────> CompleteCommit
//!                    ^                             │ └────────────────> PrepareAbort  ──────────────> CompleteAbort
//!                    │ init, epoch + 1             │ init by a successor, or timeout: epoch + 1, PrepareAbort
//!                    └──────── CompleteCommit, CompleteAbort ──add──> Ongoing
//! ```
//!
//! Pure: a step takes the state as it is and gives the state to be written, or Kafka's error. **Invariants:** the epoch of
//! a producer id never goes back; a decided transaction (Prepare…) is never decided otherwise.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;

use crate::ids::TopicPartition;
use crate::log::ProducerId;
use crate::log::marker::Outcome;

/// Epochs from here on are not given to anybody: one is left for fencing the last producer.
pub const EPOCH_LAST: i16 = i16::MAX - 1;

/// Where a transactional id stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No transaction since the last init.
    #[default]
    Empty,
    /// Open.
    Ongoing,
    /// To be committed: markers are on their way.
    PrepareCommit,
    /// To be aborted: markers are on their way.
    PrepareAbort,
    /// Committed everywhere.
    CompleteCommit,
    /// Aborted everywhere.
    CompleteAbort,
}

const STATES: [(State, &str); 6] = [
    (State::Empty, "Empty"),
    (State::Ongoing, "Ongoing"),
    (State::PrepareCommit, "PrepareCommit"),
    (State::PrepareAbort, "PrepareAbort"),
    (State::CompleteCommit, "CompleteCommit"),
    (State::CompleteAbort, "CompleteAbort"),
];

impl State {
    /// The state of this number.
    pub fn of(number: i8) -> Option<State> {
        STATES.get(usize::try_from(number).ok()?).map(|(state, _)| *state)
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<State> {
        STATES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }

    /// Its number in the log.
    pub fn number(self) -> i8 {
        self as i8
    }

    /// Its name in listings.
    pub fn name(self) -> &'static str {
        STATES[self as usize].1
    }

    /// How the transaction is to end, if that is decided and not yet done.
    pub fn decided(self) -> Option<Outcome> {
        match self {
            State::PrepareCommit => Some(Outcome::Commit),
            State::PrepareAbort => Some(Outcome::Abort),
            State::Empty | State::Ongoing | State::CompleteCommit | State::CompleteAbort => None,
        }
    }

    fn prepare(outcome: Outcome) -> State {
        if outcome == Outcome::Commit { State::PrepareCommit } else { State::PrepareAbort }
    }

    fn complete(outcome: Outcome) -> State {
        if outcome == Outcome::Commit { State::CompleteCommit } else { State::CompleteAbort }
    }
}

/// One transactional id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// The producer id it writes under.
    pub producer: ProducerId,
    /// Of its present producer.
    pub epoch: i16,
    /// `transaction.timeout.ms` of its producer.
    pub timeout_ms: i32,
    /// Where it stands.
    pub state: State,
    /// What the transaction has touched.
    pub partitions: BTreeSet<TopicPartition>,
    /// Of the last change, milliseconds since 1970.
    pub updated_ms: i64,
    /// Of the transaction's first partition, milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// The identity before the last init, if its bearer asked for that (KIP-360). Not stored, as in Kafka: an init
    /// repeated over a move of the coordinator is fenced.
    pub previous: Option<(ProducerId, i16)>,
}

/// What a producer says when it introduces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// `transaction.timeout.ms`
    pub timeout_ms: i32,
    /// The identity it has and wants to go on with (KIP-360); none if it is new.
    pub bearer: Option<(ProducerId, i16)>,
    /// An id nobody has, in case one is needed.
    pub fresh: Option<ProducerId>,
}

/// What an introduction comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introduced {
    /// An identity.
    Ready(Transaction),
    /// The transaction of the predecessor is to be aborted first, and the predecessor is fenced.
    Aborting(Transaction),
    /// A fresh producer id is needed.
    NeedsId,
}

/// What becomes of a wish to end a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It had ended so before.
    Already,
    /// It is decided now.
    Decided(Transaction),
}

type Step<T> = Result<T, ResponseError>;

/// A producer introduces itself: gets the next epoch, and whoever had the last one is fenced.
///
/// # Errors
/// CONCURRENT_TRANSACTIONS while a transaction is being ended, PRODUCER_FENCED if the bearer's identity is of the past.
pub fn introduce(known: Option<&Transaction>, who: &Introduction, now_ms: i64) -> Step<Introduced> {
    let Some(known) = known else {
        let Some(producer) = who.fresh else { return Ok(Introduced::NeedsId) };
        let timeout_ms = who.timeout_ms;
        return Ok(Introduced::Ready(Transaction {
            producer,
            timeout_ms,
            updated_ms: now_ms,
            ..Transaction::default()
        }));
    };
    if known.state.decided().is_some() {
        return Err(ResponseError::ConcurrentTransactions);
    }
    if who.bearer.is_some_and(|bearer| !known.knows(bearer)) {
        return Err(ResponseError::ProducerFenced);
    }
    if known.state == State::Ongoing {
        return known.bearable(who).map(|_| Introduced::Aborting(known.fenced(now_ms)));
    }
    known.renewed(who, now_ms)
}

impl Transaction {
    /// Whether this is, or just was, its identity.
    fn knows(&self, (producer, epoch): (ProducerId, i16)) -> bool {
        let exhausted = self.previous.is_some_and(|(previous, _)| previous == producer) && epoch >= EPOCH_LAST;
        producer == self.producer || exhausted
    }

    /// Whether the bearer's epoch is the present one, or the last one in a repeated request; true if repeated.
    fn bearable(&self, who: &Introduction) -> Step<bool> {
        match who.bearer {
            None => Ok(false),
            Some((_, epoch)) if epoch == self.epoch => Ok(false),
            bearer if bearer.is_some() && bearer == self.previous => Ok(true),
            Some(_) => Err(ResponseError::ProducerFenced),
        }
    }

    fn renewed(&self, who: &Introduction, now_ms: i64) -> Step<Introduced> {
        let repeated = self.bearable(who)?;
        let exhausted = self.epoch >= EPOCH_LAST && !repeated;
        let (producer, epoch) = match (exhausted, who.fresh) {
            (true, None) => return Ok(Introduced::NeedsId),
            (true, Some(fresh)) => (fresh, 0),
            (false, _) if repeated => (self.producer, self.epoch),
            (false, _) => (self.producer, self.epoch + 1),
        };
        let before = who.bearer.map(|_| (self.producer, self.epoch));
        let previous = if repeated { self.previous } else { before };
        let (timeout_ms, updated_ms) = (who.timeout_ms, now_ms);
        Ok(Introduced::Ready(Transaction {
            producer,
            epoch,
            timeout_ms,
            updated_ms,
            previous,
            ..Transaction::default()
        }))
    }

    /// The transaction aborted by somebody else than its producer, who is fenced by the next epoch.
    #[must_use]
    pub fn fenced(&self, now_ms: i64) -> Transaction {
        let epoch = self.epoch.saturating_add(1);
        Transaction { epoch, state: State::PrepareAbort, updated_ms: now_ms, previous: None, ..self.clone() }
    }

    /// Whether this identity is the present one.
    ///
    /// # Errors
    /// INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED.
    pub fn check(&self, producer: ProducerId, epoch: i16) -> Step<()> {
        if producer != self.producer {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if epoch == self.epoch { Ok(()) } else { Err(ResponseError::ProducerFenced) }
    }

    /// The transaction is to touch these too; none if it does already.
    ///
    /// # Errors
    /// CONCURRENT_TRANSACTIONS while the last one is being ended.
    pub fn with(&self, partitions: &BTreeSet<TopicPartition>, now_ms: i64) -> Step<Option<Transaction>> {
        if self.state.decided().is_some() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        if self.state == State::Ongoing && partitions.is_subset(&self.partitions) {
            return Ok(None);
        }
        let before = if self.state == State::Ongoing { self.partitions.clone() } else { BTreeSet::new() };
        let started_ms = if self.state == State::Ongoing { self.started_ms } else { Some(now_ms) };
        Ok(Some(Transaction {
            state: State::Ongoing,
            partitions: before.union(partitions).cloned().collect(),
            updated_ms: now_ms,
            started_ms,
            ..self.clone()
        }))
    }

    /// Its producer wants it ended.
    ///
    /// # Errors
    /// CONCURRENT_TRANSACTIONS while it is being ended so, INVALID_TXN_STATE if there is none or it was ended otherwise.
    pub fn end(&self, outcome: Outcome, now_ms: i64) -> Step<Ended> {
        match self.state {
            State::Ongoing => {
                let state = State::prepare(outcome);
                Ok(Ended::Decided(Transaction { state, updated_ms: now_ms, ..self.clone() }))
            }
            state if state == State::complete(outcome) => Ok(Ended::Already),
            state if state == State::prepare(outcome) => Err(ResponseError::ConcurrentTransactions),
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    /// Every marker is written; none if it was not being ended.
    pub fn complete(&self, now_ms: i64) -> Option<Transaction> {
        let state = State::complete(self.state.decided()?);
        Some(Transaction { state, partitions: BTreeSet::new(), updated_ms: now_ms, ..self.clone() })
    }

    /// Whether it has been open for longer than its producer allowed.
    pub fn is_overdue(&self, now_ms: i64) -> bool {
        let age_ms = self.started_ms.map_or(0, |started| now_ms.saturating_sub(started));
        self.state == State::Ongoing && age_ms > i64::from(self.timeout_ms)
    }

    /// Whether it may be forgotten: idle for so long.
    pub fn is_idle(&self, now_ms: i64, idle_ms_max: i64) -> bool {
        let rests = matches!(self.state, State::Empty | State::CompleteCommit | State::CompleteAbort);
        rests && now_ms.saturating_sub(self.updated_ms) >= idle_ms_max
    }

    /// What it has touched, by topic.
    pub fn topics(&self) -> BTreeMap<&str, Vec<i32>> {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for partition in &self.partitions {
            topics.entry(&partition.topic).or_default().push(partition.index);
        }
        topics
    }
}
