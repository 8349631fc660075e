//! A transactional id as `__transaction_state` keeps it: Kafka's `TransactionLogKey` and `TransactionLogValue`, version 0.

use bytes::BufMut;

use super::state::{State, Transaction};
use crate::coordinator::{Fields, Malformed, PutFields, Stored};
use crate::ids::TopicPartition;
use crate::log::ProducerId;

const VERSION: i16 = 0;

/// The newest word about a transactional id; none once it is forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The transactional id.
    pub id: String,
    /// Its state.
    pub transaction: Option<Transaction>,
}

impl Record {
    /// As it is stored.
    pub fn encode(&self) -> Stored {
        let mut key = Vec::with_capacity(4 + self.id.len());
        key.put_i16(VERSION);
        key.put_text(&self.id);
        Stored { key, value: self.transaction.as_ref().map(value) }
    }

    /// What is stored.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Record, Malformed> {
        let mut fields = Fields::of(key);
        match fields.short()? {
            VERSION => {}
            other => return Err(Malformed::Version(other)),
        }
        let id = fields.text()?;
        Ok(Record { id, transaction: value.map(transaction).transpose()? })
    }
}

fn value(transaction: &Transaction) -> Vec<u8> {
    let mut value = Vec::with_capacity(64);
    value.put_i16(VERSION);
    value.put_i64(transaction.producer.0);
    value.put_i16(transaction.epoch);
    value.put_i32(transaction.timeout_ms);
    value.put_i8(transaction.state.number());
    if transaction.state == State::Empty {
        value.put_i32(-1);
    } else {
        put_partitions(&mut value, transaction);
    }
    value.put_i64(transaction.updated_ms);
    value.put_i64(transaction.started_ms.unwrap_or(-1));
    value
}

fn put_partitions(value: &mut Vec<u8>, transaction: &Transaction) {
    let topics = transaction.topics();
    value.put_count(topics.len());
    for (topic, indexes) in topics {
        value.put_text(topic);
        value.put_count(indexes.len());
        indexes.into_iter().for_each(|index| value.put_i32(index));
    }
}

fn transaction(value: &[u8]) -> Result<Transaction, Malformed> {
    let mut fields = Fields::of(value);
    match fields.short()? {
        VERSION => {}
        other => return Err(Malformed::Version(other)),
    }
    let (producer, epoch, timeout_ms) = (ProducerId(fields.long()?), fields.short()?, fields.int()?);
    let number = fields.byte()?;
    let state = State::of(number).ok_or(Malformed::Unknown(number.into()))?;
    let topics = fields.list(|fields| Ok((fields.text()?, fields.list(Fields::int)?)))?;
    let partitions = topics.into_iter().flat_map(|(topic, indexes)| {
        indexes.into_iter().map(move |index| TopicPartition { topic: topic.clone(), index })
    });
    Ok(Transaction {
        producer,
        epoch,
        timeout_ms,
        state,
        partitions: partitions.collect(),
        updated_ms: fields.long()?,
        started_ms: Some(fields.long()?).filter(|ms| *ms >= 0),
        ..Transaction::default()
    })
}
