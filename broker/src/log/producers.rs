//! What the log knows of its idempotent and transactional producers: epoch, last batches, open transaction (KIP-98).
//!
//! Pure. A batch is first *checked* and then, once written, *learnt*; so a failed write changes nothing. The rules are
//! Kafka's `ProducerAppendInfo`: a leader checks what a client sends, a follower and a recovery believe the log.
//!
//! **Invariant:** the state is a function of the log's batches (and of a snapshot that is one too), except that
//! idle producers are forgotten by time.

use super::batch::{Header, sub_sequence};
use super::marker::Marker;
use super::transactions::{AbortedTransaction, Step, Transactions};
use super::{AppendError, Offset, Origin};
use crate::bugs::{Bug, Bugs};
use std::collections::HashMap;
use std::fmt;

/// Kafka's number of batches remembered per producer.
pub const REMEMBERED_BATCHES_MAX: usize = 5;

/// The identity of an idempotent or transactional producer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One batch of a producer, as remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Sequence number of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Offsets from its first to its last record.
    pub offset_delta: i32,
    /// Its largest timestamp, milliseconds since 1970.
    pub timestamp_ms: i64,
}

impl Remembered {
    fn of(header: &Header) -> Remembered {
        Remembered {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp_ms: header.max_timestamp,
        }
    }

    /// Offset of its first record.
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }

    /// Sequence number of its first record.
    #[must_use]
    pub fn first_sequence(&self) -> i32 {
        sub_sequence(self.last_sequence, self.offset_delta)
    }
}

/// The newest batches of a producer, oldest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recent {
    batches: [Remembered; REMEMBERED_BATCHES_MAX],
    len: usize,
}

impl Recent {
    /// Oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Remembered] {
        &self.batches[..self.len]
    }

    pub(super) fn push(&mut self, batch: Remembered, batches_max: usize) {
        let keep = batches_max.clamp(1, REMEMBERED_BATCHES_MAX) - 1;
        if self.len > keep {
            self.batches.copy_within(self.len - keep..self.len, 0);
            self.len = keep;
        }
        self.batches[self.len] = batch;
        self.len += 1;
    }
}

impl PartialEq for Recent {
    fn eq(&self, other: &Recent) -> bool {
        self.as_slice() == other.as_slice()
    }
}

/// What is known of one producer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Producer {
    /// Its newest epoch.
    pub epoch: i16,
    /// Epoch of the coordinator that wrote its last marker; -1 before the first.
    pub coordinator_epoch: i32,
    /// Timestamp of its last batch or marker, milliseconds since 1970.
    pub timestamp_ms: i64,
    /// First offset of its open transaction.
    pub transaction: Option<Offset>,
    /// Its last batches in this epoch.
    pub recent: Recent,
}

impl Producer {
    fn new(epoch: i16) -> Producer {
        Producer { epoch, coordinator_epoch: -1, timestamp_ms: -1, transaction: None, recent: Recent::default() }
    }

    fn begin_epoch(&mut self, epoch: i16) {
        if self.epoch < epoch {
            self.epoch = epoch;
            self.recent = Recent::default();
        }
    }

    /// The batch is its newest; a transaction may begin with it.
    fn extend(&mut self, batch: &Header, remembered_max: usize) -> Option<Step> {
        if batch.producer_epoch == self.epoch {
            self.recent.push(Remembered::of(batch), remembered_max);
        }
        let first = batch.base_offset;
        let begins = batch.is_transactional() && self.transaction.is_none();
        begins.then(|| {
            self.transaction = Some(first);
            Step::Began { first }
        })
    }

    /// A marker ends its open transaction, if there is one.
    fn end(&mut self, producer: ProducerId, at: Offset, marker: &Marker) -> Option<Step> {
        self.coordinator_epoch = marker.coordinator_epoch;
        let first = self.transaction.take()?;
        Some(Step::Ended { producer, first, marker: at, outcome: marker.outcome })
    }

    /// Sequence number of its last record in this epoch; -1 if there is none.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        self.recent.as_slice().last().map_or(-1, |batch| batch.last_sequence)
    }
}

/// What a leader thinks of a client's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is next.
    Accept,
    /// It is here already.
    Duplicate(Remembered),
    /// A batch is missing before it, or it is an old one that is no longer remembered.
    OutOfOrder { last: i32 },
    /// A newer incarnation of the producer has been here.
    Fenced { current: i16 },
}

/// The verdict on a batch given what is known of its producer. Of an unknown producer any sequence is taken: its state
/// may have expired, or gone with deleted records (KAFKA-5793, KIP-360).
pub(super) fn verdict(known: Option<&Producer>, batch: &Header) -> Verdict {
    let Some(producer) = known else { return Verdict::Accept };
    let first = batch.base_sequence;
    if batch.producer_epoch < producer.epoch {
        return Verdict::Fenced { current: producer.epoch };
    }
    if batch.producer_epoch > producer.epoch {
        return if first == 0 { Verdict::Accept } else { Verdict::OutOfOrder { last: producer.last_sequence() } };
    }
    let same = |old: &&Remembered| old.first_sequence() == first && old.last_sequence == batch.last_sequence();
    if let Some(old) = producer.recent.as_slice().iter().find(same) {
        return Verdict::Duplicate(*old);
    }
    let last = producer.last_sequence();
    let follows = last.checked_add(1).unwrap_or(0) == first;
    if follows { Verdict::Accept } else { Verdict::OutOfOrder { last } }
}

/// What a leader goes by when it judges a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge {
    /// Who sent it.
    pub origin: Origin,
    /// The clock, milliseconds since 1970.
    pub now_ms: i64,
    /// Planted bugs.
    pub bugs: Bugs,
}

/// After so long the planted bug forgets a producer.
const FORGOTTEN_MS: i64 = 1000;

impl Judge {
    fn verdict(&self, known: Option<&Producer>, batch: &Header) -> Verdict {
        let old = |last| sub_sequence(last, batch.base_sequence) < i32::MAX / 2;
        match verdict(known, batch) {
            _ if self.origin == Origin::Coordinator => Verdict::Accept,
            Verdict::Fenced { .. } if self.bugs.has(Bug::ProducerFencingSkipped) => Verdict::Accept,
            Verdict::OutOfOrder { .. } if self.bugs.has(Bug::SequenceUnchecked) => Verdict::Accept,
            Verdict::Duplicate(_) if self.bugs.has(Bug::RepetitionAppended) => Verdict::Accept,
            Verdict::OutOfOrder { last } if self.bugs.has(Bug::DedupWindowSmall) && last >= 0 && old(last) => {
                Verdict::Accept
            }
            other => other,
        }
    }

    fn knows(&self, producer: &Producer) -> bool {
        let forgets = self.bugs.has(Bug::ProducerExpiredEarly) && producer.transaction.is_none();
        !forgets || self.now_ms.saturating_sub(producer.timestamp_ms) < FORGOTTEN_MS
    }
}

/// All producers of one log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Producers {
    known: HashMap<ProducerId, Producer>,
    transactions: Transactions,
}

impl Producers {
    /// From what a snapshot holds.
    pub fn new(known: impl IntoIterator<Item = (ProducerId, Producer)>) -> Producers {
        let known: HashMap<_, _> = known.into_iter().collect();
        let mut transactions = Transactions::default();
        for first in known.values().filter_map(|producer| producer.transaction) {
            transactions.take(Step::Began { first });
        }
        Producers { known, transactions }
    }

    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &Producer)> {
        self.known.iter().map(|(id, producer)| (*id, producer))
    }

    pub fn get(&self, id: ProducerId) -> Option<&Producer> {
        self.known.get(&id)
    }

    /// What is known of these producers alone: to try several batches on, all or nothing.
    pub fn trial(&self, ids: impl Iterator<Item = ProducerId>) -> Producers {
        let known = ids.filter_map(|id| self.known.get(&id).map(|producer| (id, *producer))).collect();
        Producers { known, transactions: Transactions::default() }
    }

    /// Checks a batch that a leader is to append. What the log has already is returned; everything else is an error.
    pub fn check(
        &self,
        id: ProducerId,
        batch: &Header,
        marker: Option<&Marker>,
        judge: &Judge,
    ) -> Result<Option<Remembered>, AppendError> {
        let known = self.known.get(&id).filter(|known| judge.knows(known));
        match judge.verdict(known, batch) {
            Verdict::Duplicate(old) => return Ok(Some(old)),
            Verdict::OutOfOrder { last } => {
                return Err(AppendError::OutOfOrder { producer: id, last, found: batch.base_sequence });
            }
            Verdict::Accept | Verdict::Fenced { .. } => {}
        }
        let checked = known.map_or(Ok(()), |known| check_known(known, id, batch, marker));
        match checked {
            Err(AppendError::ProducerFenced { .. }) if judge.bugs.has(Bug::ProducerFencingSkipped) => Ok(None),
            checked => checked.map(|()| None),
        }
    }

    /// Takes note of a batch that is in the log. An aborted transaction is to be kept in the index.
    pub fn learn(
        &mut self,
        id: ProducerId,
        batch: &Header,
        marker: Option<&Marker>,
        remembered_max: usize,
    ) -> Option<AbortedTransaction> {
        if batch.is_control() && marker.is_none() {
            return None;
        }
        let producer = self.known.entry(id).or_insert(Producer::new(batch.producer_epoch));
        producer.begin_epoch(batch.producer_epoch);
        producer.timestamp_ms = batch.max_timestamp;
        let step = match marker {
            Some(marker) => producer.end(id, batch.base_offset, marker),
            None => producer.extend(batch, remembered_max),
        };
        step.and_then(|step| self.transactions.take(step))
    }

    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.transactions.on_high_watermark(high_watermark);
    }

    pub fn first_unstable(&self) -> Option<Offset> {
        self.transactions.unstable().next()
    }

    /// First offset of the second transaction that holds the last stable offset back: only for the planted bug.
    pub fn second_unstable(&self) -> Option<Offset> {
        self.transactions.unstable().nth(1)
    }

    /// Offset after the first batch of a producer's open transaction: only for the planted bug.
    pub fn behind_first_batch(&self, id: ProducerId) -> Option<Offset> {
        let producer = self.known.get(&id)?;
        let first = producer.transaction?;
        let batch = producer.recent.as_slice().iter().find(|batch| batch.base_offset() == first)?;
        Some(batch.last_offset.plus(1))
    }

    /// Forgets producers without an open transaction that have been idle for `idle_ms_max`.
    pub fn expire(&mut self, now_ms: i64, idle_ms_max: i64) {
        self.known.retain(|_, producer| {
            producer.transaction.is_some() || now_ms.saturating_sub(producer.timestamp_ms) < idle_ms_max
        });
    }
}

fn check_known(
    known: &Producer,
    producer: ProducerId,
    batch: &Header,
    marker: Option<&Marker>,
) -> Result<(), AppendError> {
    if batch.producer_epoch < known.epoch {
        return Err(AppendError::ProducerFenced { producer, current: known.epoch, found: batch.producer_epoch });
    }
    match marker {
        Some(marker) if marker.coordinator_epoch < known.coordinator_epoch => Err(AppendError::CoordinatorFenced {
            producer,
            current: known.coordinator_epoch,
            found: marker.coordinator_epoch,
        }),
        None if known.transaction.is_some() && !batch.is_transactional() => Err(AppendError::TransactionOpen(producer)),
        _ => Ok(()),
    }
}
