//! What a coordinator is, apart from where it keeps its state: a state machine over the records of one partition.
//!
//! ```text
//! decide   looks at the state, says which records and which answer       (a closure, under the shard's lock)
//! apply    the only place where state follows from records               (the same for a new record and for replay)
//! ```
//!
//! **Invariant:** what is to survive a move of the coordinator changes in `apply` and nowhere else. State that need not
//! survive (who waits for what) may be changed while deciding.
//!
//! State runs ahead of the high watermark: a decision sees what the one before it appended, committed or not. That is
//! sound because no answer that depends on it leaves before all of it is committed, and because a new leader starts
//! from its whole log.

use kafka_protocol::ResponseError;

use super::batch::{InTransaction, Stored};
use super::codec::Malformed;
use crate::ids::{LeaderEpoch, Offset, TopicPartition};
use crate::log::ProducerId;
use crate::log::marker::Outcome;

/// What the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<R> {
    /// A record; one in a transaction takes effect when the transaction is committed.
    Record {
        /// What it says.
        record: R,
        /// The transaction it belongs to.
        within: Option<InTransaction>,
    },
    /// A transaction ended in this partition.
    Marker {
        /// Whose.
        producer: ProducerId,
        /// Of the producer.
        epoch: i16,
        /// How.
        outcome: Outcome,
    },
}

/// See the module.
pub trait Machine: Send + 'static {
    /// What it is told beside the log.
    type Settings: Clone + Send + Sync + 'static;
    /// One record of the log: exactly one key.
    type Record: Send;

    /// The empty state of one partition under one reign; its epoch is the coordinator's epoch.
    fn new(settings: &Self::Settings, partition: &TopicPartition, reign: LeaderEpoch) -> Self;

    /// A record as it is stored.
    fn encode(record: &Self::Record) -> Stored;

    /// A stored record; one that is not understood is noted and skipped.
    ///
    /// # Errors
    /// [`Malformed`].
    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self::Record, Malformed>;

    /// The log has this entry now.
    fn apply(&mut self, entry: Entry<Self::Record>, offset: Offset);

    /// The whole log has been applied: serving begins.
    fn loaded(&mut self) {}
}

/// When a decision's answer may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once everything in the log is committed.
    Committed,
    /// At once: the answer tells nothing of what the log says.
    Now,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<R, T> {
    /// To be appended, all or none.
    pub records: Vec<R>,
    /// The transaction they belong to.
    pub within: Option<InTransaction>,
    /// For whoever asked.
    pub answer: T,
    /// When it may be told.
    pub when: When,
}

/// A decision or a refusal.
pub type Decided<R, T> = Result<Decision<R, T>, ResponseError>;

impl<R, T> Decision<R, T> {
    /// Records, and an answer once they are committed.
    pub fn write(records: Vec<R>, answer: T) -> Self {
        Decision { records, within: None, answer, when: When::Committed }
    }

    /// No records; an answer once what it is read from is committed.
    pub fn read(answer: T) -> Self {
        Decision::write(Vec::new(), answer)
    }

    /// No records; an answer at once.
    pub fn now(answer: T) -> Self {
        Decision { when: When::Now, ..Decision::read(answer) }
    }

    /// The records belong to a transaction.
    #[must_use]
    pub fn within(self, transaction: InTransaction) -> Self {
        Decision { within: Some(transaction), ..self }
    }
}
