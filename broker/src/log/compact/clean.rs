//! What becomes of one batch in a compaction: it stays, it goes, or it is written anew.
//!
//! - A record goes if a later one has its key, if its transaction was aborted, if it has no key, or if it is a tombstone
//!   whose time has come.
//! - A tombstone's or marker's time comes `delete.retention.ms` after the first compaction that saw it (for a marker: that
//!   saw nothing left of its transaction). The moment is written into the batch (KIP-534).
//! - The last batch of a producer that is remembered stays, empty if need be: its sequence number is in it.
//!
//! Pure: batches in order in, bytes out.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::keys::Keys;
use crate::bugs::{Bug, Bugs};
use crate::log::batch::{Batch, Batches, Header};
use crate::log::records::{self, Record};
use crate::log::rewrite::{Rewrite, emptied, rewritten};
use crate::log::{AbortedTransaction, AppendError, Offset, ProducerId};

/// What the fate of batches depends on.
#[derive(Debug)]
pub(super) struct Rules {
    pub now_ms: i64,
    pub delete_retention_ms: i64,
    pub aborted: Vec<AbortedTransaction>,
    /// Last offset of the last batch of each producer that is remembered.
    pub last_of_producers: HashMap<ProducerId, Offset>,
    pub bugs: Bugs,
}

impl Rules {
    /// Whether the batch is data of a transaction that was aborted.
    pub fn is_aborted(&self, header: &Header) -> bool {
        let Some(producer) = header.producer_id().filter(|_| header.is_transactional() && !header.is_control()) else {
            return false;
        };
        let within = |one: &AbortedTransaction| (one.first..one.last).contains(&header.base_offset);
        self.aborted.iter().any(|one| one.producer == producer && within(one))
    }

    fn is_last_of_producer(&self, header: &Header) -> bool {
        let last = header.producer_id().and_then(|id| self.last_of_producers.get(&id));
        last == Some(&header.last_offset())
    }
}

/// Learns the keys of a batch of the dirty part.
///
/// # Errors
/// [`AppendError::Refused`] if its records cannot be read.
pub(super) fn learn(keys: &mut Keys, batch: &Batch<'_>, rules: &Rules) -> Result<(), AppendError> {
    if batch.header.is_control() || rules.is_aborted(&batch.header) {
        return Ok(());
    }
    let plain = plain(batch)?;
    for record in records::records(batch, &plain) {
        if let Some(key) = record.key {
            keys.learn(key, record.offset);
        }
    }
    Ok(())
}

fn plain<'a>(batch: &Batch<'a>) -> Result<Cow<'a, [u8]>, AppendError> {
    records::decompressed(batch).ok_or(AppendError::Refused("the records of a batch cannot be decompressed"))
}

/// Goes through the batches of a log in order.
#[derive(Debug)]
pub(super) struct Cleaner<'a> {
    keys: &'a Keys,
    rules: &'a Rules,
    /// Producers of whose running transaction something stays.
    with_data: HashSet<ProducerId>,
}

impl<'a> Cleaner<'a> {
    pub fn new(keys: &'a Keys, rules: &'a Rules) -> Cleaner<'a> {
        Cleaner { keys, rules, with_data: HashSet::new() }
    }

    /// What stays of the next batch, if anything.
    ///
    /// # Errors
    /// [`AppendError::Refused`] if its records cannot be read.
    pub fn clean<'b>(&mut self, batch: &Batch<'b>) -> Result<Option<Cow<'b, [u8]>>, AppendError> {
        if batch.header.is_control() {
            return self.clean_marker(batch);
        }
        let cleaned = if self.rules.is_aborted(&batch.header) { None } else { self.clean_data(batch)? };
        if cleaned.is_some() && batch.header.is_transactional() {
            self.with_data.extend(batch.header.producer_id());
        }
        if cleaned.is_none() && self.rules.is_last_of_producer(&batch.header) {
            return Ok(Some(Cow::Owned(emptied(batch))));
        }
        Ok(cleaned)
    }

    fn clean_marker<'b>(&mut self, batch: &Batch<'b>) -> Result<Option<Cow<'b, [u8]>>, AppendError> {
        let producer = batch.header.producer_id();
        let has_data = producer.is_some_and(|producer| self.with_data.remove(&producer));
        if has_data || batch.header.record_count == 0 {
            return Ok(Some(Cow::Borrowed(batch.bytes)));
        }
        match batch.header.delete_horizon_ms() {
            None => self.dated(batch, &plain(batch)?, |_| true).map(|bytes| Some(Cow::Owned(bytes))),
            Some(horizon_ms) if horizon_ms < self.rules.now_ms && !self.rules.is_last_of_producer(&batch.header) => {
                Ok(None)
            }
            Some(_) => Ok(Some(Cow::Borrowed(batch.bytes))),
        }
    }

    fn clean_data<'b>(&self, batch: &Batch<'b>) -> Result<Option<Cow<'b, [u8]>>, AppendError> {
        if batch.header.record_count == 0 {
            return Ok(None);
        }
        let plain = plain(batch)?;
        let (mut kept, mut tombstones) = (0, 0);
        for record in records::records(batch, &plain).filter(|record| self.stays(&batch.header, record)) {
            kept += 1;
            tombstones += i32::from(record.value.is_none());
        }
        let undated = tombstones > 0 && batch.header.delete_horizon_ms().is_none();
        if kept == 0 {
            return Ok(None);
        }
        if kept == batch.header.record_count && !undated {
            return Ok(Some(Cow::Borrowed(batch.bytes)));
        }
        let keep = |record: &Record<'_>| self.stays(&batch.header, record);
        let bytes = if undated {
            self.dated(batch, &plain, keep)
        } else {
            let to = Rewrite { codec: batch.header.codec(), delete_horizon_ms: batch.header.delete_horizon_ms() };
            rewritten(batch, &plain, to, keep)
        };
        bytes.map(|bytes| Some(Cow::Owned(bytes)))
    }

    fn dated(
        &self,
        batch: &Batch<'_>,
        plain: &[u8],
        keep: impl Fn(&Record<'_>) -> bool,
    ) -> Result<Vec<u8>, AppendError> {
        let horizon_ms = self.rules.now_ms.saturating_add(self.rules.delete_retention_ms);
        let to = Rewrite { codec: batch.header.codec(), delete_horizon_ms: Some(horizon_ms) };
        rewritten(batch, plain, to, keep)
    }

    fn stays(&self, header: &Header, record: &Record<'_>) -> bool {
        let Some(key) = record.key else { return false };
        if self.rules.bugs.has(Bug::CompactionDropsLast) {
            return !self.keys.is_newest(key, record.offset);
        }
        let expired = header.delete_horizon_ms().is_some_and(|horizon_ms| horizon_ms < self.rules.now_ms);
        self.keys.is_newest(key, record.offset) && !(record.value.is_none() && expired)
    }
}

/// The headers of a run of batches that was just cleaned.
pub(super) fn headers(bytes: &[u8]) -> Vec<Header> {
    Batches::new(bytes).map_while(Result::ok).map(|batch| batch.header).collect()
}
