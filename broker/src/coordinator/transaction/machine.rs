//! All transactional ids of one partition of `__transaction_state`, and what each request comes to.
//!
//! Pure. The steps of one id are [`super::state`]'s; here they are looked up, checked for their producer and put on record.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;

use super::record::Record;
use super::service::{AddPartitions, InitProducer, Producer};
use super::state::{Ended, Introduced, Introduction, State, Transaction, introduce};
use crate::bugs::{Bug, Bugs};
use crate::coordinator::{Decided, Decision, Entry, Machine as StateMachine, Malformed, Stored, When};
use crate::ids::{LeaderEpoch, Offset, TopicPartition};
use crate::log::ProducerId;
use crate::log::marker::Outcome;

/// See the module.
#[derive(Debug)]
pub struct Machine {
    epoch: LeaderEpoch,
    known: BTreeMap<String, Transaction>,
    ending: BTreeSet<String>,
    inherited: BTreeSet<String>,
}

/// What a decision goes by besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// Planted bugs.
    pub bugs: Bugs,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The transactional id.
    pub id: String,
    /// Its producer id.
    pub producer: ProducerId,
    /// Where it stands.
    pub state: State,
}

/// What an introduction comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// This one.
    Given(ProducerId, i16),
    /// To be asked for again, once the predecessor's transaction is aborted.
    Later,
    /// To be asked for again, with a fresh producer id.
    NeedsId,
}

impl StateMachine for Machine {
    type Settings = ();
    type Record = Record;

    fn new((): &(), _: &TopicPartition, reign: LeaderEpoch) -> Machine {
        Machine { epoch: reign, known: BTreeMap::new(), ending: BTreeSet::new(), inherited: BTreeSet::new() }
    }

    fn encode(record: &Record) -> Stored {
        record.encode()
    }

    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Record, Malformed> {
        Record::decode(key, value)
    }

    fn apply(&mut self, entry: Entry<Record>, _: Offset) {
        let Entry::Record { record: Record { id, transaction }, .. } = entry else { return };
        let ends = transaction.as_ref().is_some_and(|transaction| transaction.state.decided().is_some());
        match ends {
            true => self.ending.insert(id.clone()),
            false => self.ending.remove(&id),
        };
        match transaction {
            Some(transaction) => self.known.insert(id, transaction),
            None => self.known.remove(&id),
        };
    }

    fn loaded(&mut self) {
        self.inherited = self.ending.clone();
    }
}

impl Machine {
    /// The coordinator's epoch, to be written into markers.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// What is known of an id.
    pub fn get(&self, id: &str) -> Option<&Transaction> {
        self.known.get(id)
    }

    /// Every id.
    pub fn list(&self) -> Vec<Listed> {
        let listed =
            |(id, one): (&String, &Transaction)| Listed { id: id.clone(), producer: one.producer, state: one.state };
        self.known.iter().map(listed).collect()
    }

    /// The ids whose transactions are decided and not yet done.
    pub fn ending(&self) -> Vec<String> {
        self.ending.iter().cloned().collect()
    }

    /// Whether the transaction was decided by a predecessor.
    pub fn has_inherited(&self, id: &str) -> bool {
        self.inherited.contains(id)
    }

    /// A producer introduces itself.
    pub fn init(&self, ask: &InitProducer, fresh: Option<ProducerId>, at: Moment) -> Decided<Record, Identity> {
        let who = Introduction { timeout_ms: ask.timeout_ms, bearer: ask.bearer, fresh };
        Ok(match introduce(self.get(&ask.id), &who, at.now_ms)? {
            Introduced::NeedsId => Decision::now(Identity::NeedsId),
            Introduced::Ready(next) => {
                let identity = Identity::Given(next.producer, next.epoch);
                Decision::write(vec![record(&ask.id, next)], identity)
            }
            Introduced::Aborting(next) => Decision::write(vec![record(&ask.id, next)], Identity::Later),
        })
    }

    /// A transaction is to touch partitions.
    pub fn add(&self, ask: &AddPartitions, at: Moment) -> Decided<Record, ()> {
        let next = self.of(&ask.producer, at)?.with(&ask.partitions, at.now_ms)?;
        Ok(Decision::write(next.map(|next| record(&ask.producer.id, next)).into_iter().collect(), ()))
    }

    /// Which of these partitions an open transaction has touched (KIP-890).
    pub fn verify(&self, ask: &AddPartitions, at: Moment) -> Decided<Record, BTreeMap<TopicPartition, bool>> {
        let transaction = self.of(&ask.producer, at)?;
        if transaction.state.decided().is_some() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        let touched = |one: &TopicPartition| transaction.partitions.contains(one);
        Ok(Decision::read(ask.partitions.iter().map(|one| (one.clone(), touched(one))).collect()))
    }

    /// A transaction is to end.
    pub fn end(&self, who: &Producer, outcome: Outcome, at: Moment) -> Decided<Record, ()> {
        match self.of(who, at)?.end(outcome, at.now_ms)? {
            Ended::Already => Ok(Decision::read(())),
            Ended::Decided(next) => Ok(Decision::write(vec![record(&who.id, next)], ())),
        }
    }

    /// Every marker of a transaction is written.
    pub fn complete(&self, id: &str, ended: &Transaction, now_ms: i64) -> Decided<Record, ()> {
        let same = |known: &&Transaction| (known.producer, known.epoch) == (ended.producer, ended.epoch);
        let next = self.get(id).filter(same).and_then(|known| known.complete(now_ms));
        Ok(Decision::write(next.map(|next| record(id, next)).into_iter().collect(), ()))
    }

    /// Aborts transactions that took too long, and says how many.
    pub fn abort_overdue(&self, now_ms: i64) -> Decided<Record, usize> {
        let overdue = self.known.iter().filter(|(_, one)| one.is_overdue(now_ms));
        let records: Vec<Record> = overdue.map(|(id, one)| record(id, one.fenced(now_ms))).collect();
        let count = records.len();
        Ok(Decision { when: When::Now, ..Decision::write(records, count) })
    }

    /// Forgets ids that have been idle for so long.
    pub fn forget_idle(&self, now_ms: i64, idle_ms_max: i64) -> Decided<Record, ()> {
        let idle = self.known.iter().filter(|(_, one)| one.is_idle(now_ms, idle_ms_max));
        let records = idle.map(|(id, _)| Record { id: id.clone(), transaction: None }).collect();
        Ok(Decision { when: When::Now, ..Decision::write(records, ()) })
    }

    fn of(&self, who: &Producer, at: Moment) -> Result<&Transaction, ResponseError> {
        let known = self.get(&who.id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        match known.check(who.producer, who.epoch) {
            Err(ResponseError::ProducerFenced) if at.bugs.has(Bug::ProducerFencingSkipped) => Ok(known),
            checked => checked.map(|()| known),
        }
    }
}

fn record(id: &str, transaction: Transaction) -> Record {
    Record { id: id.to_owned(), transaction: Some(transaction) }
}
