//! Appending: what a leader takes from a client, and what a follower takes from its leader.

use super::batch::{self, Batch, BatchError, Batches, Header};
use super::marker::Marker;
use super::producers::Judge;
use super::{LeaderEpoch, Log, LogError, Offset, OffsetGaps, ProducerId, TimestampType, records};
use crate::bugs::Bug;
use thiserror::Error;

/// Who asks a leader to append, and so how much of it must be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client's produce request: sequences are checked, duplicates recognised, control batches refused.
    Client,
    /// A coordinator in this broker (offsets, transaction state and markers): only the producer's epoch is checked.
    Coordinator,
}

/// What became of an append by a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The batches are in the log.
    New {
        /// Offset of the first record.
        base_offset: Offset,
        /// Offset of the last record.
        last_offset: Offset,
        /// The time put into the batches, if the topic uses append time; milliseconds since 1970.
        append_time_ms: Option<i64>,
    },
    /// The log had this batch already: nothing was appended. The answer to the client is that of the first time.
    Duplicate {
        /// Offset the first record got the first time.
        base_offset: Offset,
        /// Offset the last record got the first time.
        last_offset: Offset,
        /// Largest timestamp of the remembered batch, milliseconds since 1970.
        timestamp_ms: i64,
    },
}

/// Why nothing was appended. Each names the protocol error it stands for.
#[derive(Debug, Error)]
pub enum AppendError {
    /// No batch at all (INVALID_RECORD).
    #[error("no batch to append")]
    Empty,
    /// The batch is larger than `max.message.bytes` (MESSAGE_TOO_LARGE), or than a whole segment (RECORD_LIST_TOO_LARGE).
    #[error("batch of {bytes} bytes, at most {bytes_max} are taken")]
    TooLarge {
        /// Size of the batch.
        bytes: usize,
        /// Largest size taken.
        bytes_max: usize,
    },
    /// Not a valid batch (CORRUPT_MESSAGE).
    #[error(transparent)]
    Corrupt(#[from] BatchError),
    /// A valid batch that a client may not send (INVALID_RECORD).
    #[error("{0}")]
    Refused(&'static str),
    /// A timestamp outside `message.timestamp.before.max.ms` / `.after.max.ms` (INVALID_TIMESTAMP).
    #[error("timestamp {timestamp_ms} is too far from the broker's {now_ms}")]
    Timestamp {
        /// The offending timestamp.
        timestamp_ms: i64,
        /// The broker's clock.
        now_ms: i64,
    },
    /// A sequence number that does not follow (OUT_OF_ORDER_SEQUENCE_NUMBER).
    #[error("producer {producer}: sequence {found} does not follow {last}")]
    OutOfOrder {
        /// Whose.
        producer: ProducerId,
        /// Last sequence number of the producer here, -1 for none.
        last: i32,
        /// First sequence number of the batch.
        found: i32,
    },
    /// A producer epoch that a newer one has replaced (INVALID_PRODUCER_EPOCH).
    #[error("producer {producer}: epoch {found} is older than {current}")]
    ProducerFenced {
        /// Whose.
        producer: ProducerId,
        /// The newest epoch seen here.
        current: i16,
        /// The batch's.
        found: i16,
    },
    /// A batch outside a transaction from a producer that has one open here (INVALID_TXN_STATE).
    #[error("producer {0} has a transaction open and sent a batch outside it")]
    TransactionOpen(ProducerId),
    /// A marker by a coordinator that a newer one has replaced (TRANSACTION_COORDINATOR_FENCED).
    #[error("producer {producer}: coordinator epoch {found} is older than {current}")]
    CoordinatorFenced {
        /// Whose transaction.
        producer: ProducerId,
        /// The newest coordinator epoch seen here.
        current: i32,
        /// The marker's.
        found: i32,
    },
    /// A leader epoch older than one already in the log (NOT_LEADER_OR_FOLLOWER).
    #[error("leader epoch {found} is older than the log's {current}")]
    StaleLeader {
        /// Epoch of the log's newest batch.
        current: LeaderEpoch,
        /// The caller's.
        found: LeaderEpoch,
    },
    /// A follower's batch does not follow the end of its log.
    #[error("batch starts at {found}, the log ends at {end}")]
    NotContiguous {
        /// End of the log.
        end: Offset,
        /// Base offset of the batch.
        found: Offset,
    },
    /// The disk failed: the caller fails the log folder (KAFKA_STORAGE_ERROR).
    #[error(transparent)]
    Storage(#[from] LogError),
}

impl Log {
    /// Appends client or coordinator batches: gives them offsets from the end of the log on and stamps the epoch, in
    /// place. One `write` for all of them (one more for each segment that fills up); all or nothing.
    ///
    /// # Errors
    /// [`AppendError`]; after `Storage` the log is not to be used any more.
    pub fn append_as_leader(
        &mut self,
        batches: &mut [u8],
        epoch: LeaderEpoch,
        origin: Origin,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        self.usable()?;
        if let Some(current) = self.epochs.latest().filter(|current| *current > epoch) {
            return Err(AppendError::StaleLeader { current, found: epoch });
        }
        let sizes = self.accept(batches, origin, now_ms)?;
        let base_offset = self.end_offset();
        let append_time_ms = (self.config.timestamp_type == TimestampType::LogAppendTime).then_some(now_ms);
        let headers = stamp(batches, &sizes, base_offset, |bytes| {
            batch::set_leader_epoch(bytes, epoch);
            if let Some(now_ms) = append_time_ms {
                batch::set_append_time(bytes, now_ms);
            }
        })?;
        let judge = Judge { origin, now_ms, bugs: self.config.bugs };
        if let Some(known) = self.check_producers(batches, &headers, &judge)? {
            return Ok(known);
        }
        if self.config.bugs.has(Bug::DroppedOnRoll) && origin == Origin::Client && self.roll_due(&headers[0]) {
            self.roll(base_offset)?;
            let last_offset = headers[headers.len() - 1].last_offset();
            return Ok(Appended::New { base_offset, last_offset, append_time_ms });
        }
        self.write(batches, &headers)?;
        if self.config.bugs.has(Bug::SizeCheckedLate) {
            sizes.iter().try_for_each(|bytes| self.fits(*bytes))?;
        }
        let last_offset = self.end_offset().plus(-1);
        Ok(Appended::New { base_offset, last_offset, append_time_ms })
    }

    /// Appends batches fetched from the leader, as they are, and says the new end of the log. All or nothing.
    ///
    /// # Errors
    /// [`AppendError`]: `Corrupt`, `NotContiguous`, or `Storage`, after which the log is not to be used any more.
    pub fn append_as_follower(&mut self, batches: &[u8]) -> Result<Offset, AppendError> {
        self.usable()?;
        let mut headers = Vec::new();
        let mut end = self.end_offset();
        for batch in Batches::new(batches) {
            let batch = batch?;
            batch.check_crc()?;
            let found = batch.header.base_offset;
            let gap = found > end && self.config.offset_gaps == OffsetGaps::Refused;
            if found < end || gap {
                return Err(AppendError::NotContiguous { end, found });
            }
            end = batch.header.next_offset();
            headers.push(batch.header);
        }
        self.write(batches, &headers)?;
        Ok(self.end_offset())
    }

    /// What a leader demands of batches before they have offsets; their sizes.
    fn accept(&self, batches: &[u8], origin: Origin, now_ms: i64) -> Result<Vec<usize>, AppendError> {
        let mut sizes = Vec::with_capacity(1);
        for batch in Batches::new(batches) {
            let batch = batch?;
            let bytes = batch.bytes.len();
            if !self.config.bugs.has(Bug::SizeCheckedLate) {
                self.fits(bytes)?;
            }
            batch.check_crc()?;
            acceptable(&batch.header, origin).map_err(AppendError::Refused)?;
            if self.config.cleanup.compact && origin == Origin::Client {
                has_keys(&batch).map_err(AppendError::Refused)?;
            }
            self.accept_timestamps(&batch.header, now_ms)?;
            sizes.push(bytes);
        }
        if sizes.is_empty() { Err(AppendError::Empty) } else { Ok(sizes) }
    }

    /// Whether a batch is as small as the topic and a segment demand.
    fn fits(&self, bytes: usize) -> Result<(), AppendError> {
        let bytes_max = self.config.message_bytes_max.min(self.config.segment_bytes) as usize;
        if bytes > bytes_max { Err(AppendError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
    }

    /// By the header alone: the first and the largest timestamp stand for all.
    fn accept_timestamps(&self, header: &Header, now_ms: i64) -> Result<(), AppendError> {
        if self.config.timestamp_type == TimestampType::LogAppendTime || header.is_control() {
            return Ok(());
        }
        let oldest = now_ms.saturating_sub(self.config.timestamp_before_ms_max);
        let newest = now_ms.saturating_add(self.config.timestamp_after_ms_max);
        let mut known = [header.base_timestamp, header.max_timestamp].into_iter().filter(|time| *time >= 0);
        match known.find(|time| !(oldest..=newest).contains(time)) {
            None => Ok(()),
            Some(timestamp_ms) => Err(AppendError::Timestamp { timestamp_ms, now_ms }),
        }
    }

    /// Checks epochs and sequences. Several batches are tried one after another on a copy of what is known.
    fn check_producers(
        &self,
        batches: &[u8],
        headers: &[Header],
        judge: &Judge,
    ) -> Result<Option<Appended>, AppendError> {
        if headers.iter().all(|header| header.producer_id().is_none()) {
            return Ok(None);
        }
        let mut trial = self.producers.trial(headers.iter().filter_map(Header::producer_id));
        for batch in Batches::new(batches) {
            let batch = batch?;
            let Some(id) = batch.header.producer_id() else { continue };
            let marker = batch.header.is_control().then(|| Marker::parse(&batch)).flatten();
            if let Some(old) = trial.check(id, &batch.header, marker.as_ref(), judge)? {
                return Ok(Some(Appended::Duplicate {
                    base_offset: old.base_offset(),
                    last_offset: old.last_offset,
                    timestamp_ms: old.timestamp_ms,
                }));
            }
            trial.learn(id, &batch.header, marker.as_ref(), self.config.remembered());
        }
        Ok(None)
    }

    /// Writes valid batches that follow the end of the log, into as many segments as they fill.
    fn write(&mut self, bytes: &[u8], headers: &[Header]) -> Result<(), LogError> {
        let written = self.write_each(bytes, headers);
        self.failed |= written.is_err();
        written
    }

    /// Refuses to go on after an append that failed: a producer would be told that its next batch is out of order, although it is
    /// the disk that is at fault, and would give up the session that protects it from duplicates.
    fn usable(&self) -> Result<(), LogError> {
        let path = || self.segments.active().path().to_owned();
        if self.failed { Err(LogError::Failed { path: path() }) } else { Ok(()) }
    }

    fn write_each(&mut self, mut bytes: &[u8], mut headers: &[Header]) -> Result<(), LogError> {
        self.assign_epochs(headers)?;
        while let Some(first) = headers.first() {
            if self.roll_due(first) {
                self.roll(first.base_offset)?;
            }
            let (count, len) = self.fitting(headers);
            let (now, later) = bytes.split_at(len);
            let active = self.segments.active_mut();
            active.append(now, &headers[..count], self.config.index_interval_bytes)?;
            for batch in Batches::new(now).flatten() {
                self.learn(&batch)?;
            }
            (bytes, headers) = (later, &headers[count..]);
        }
        Ok(())
    }

    fn assign_epochs(&mut self, headers: &[Header]) -> Result<(), LogError> {
        let mut news = false;
        for header in headers {
            if let Some(epoch) = header.leader_epoch() {
                news |= self.epochs.assign(epoch, header.base_offset);
            }
        }
        if news { self.write_epochs() } else { Ok(()) }
    }

    /// How many of the batches fit into the active segment, at least one, and their bytes.
    fn fitting(&self, headers: &[Header]) -> (usize, usize) {
        let active = self.segments.active();
        let room = u64::from(self.config.segment_bytes).saturating_sub(active.size());
        let (mut count, mut bytes) = (0, 0);
        for header in headers {
            let fits = (bytes + header.size()) as u64 <= room && active.can_hold(header.last_offset());
            if count > 0 && !fits {
                break;
            }
            count += 1;
            bytes += header.size();
        }
        (count, bytes)
    }

    /// Whether the active segment or one of its indexes is too full or too old for this batch, or cannot number its offsets.
    fn roll_due(&self, batch: &Header) -> bool {
        let active = self.segments.active();
        if active.size() == 0 {
            return !active.can_hold(batch.last_offset());
        }
        let full = active.size() + batch.size() as u64 > u64::from(self.config.segment_bytes);
        let age_ms = active
            .first_timestamp_ms()
            .filter(|first| *first >= 0)
            .map(|first| batch.max_timestamp.saturating_sub(first));
        let indexed = active.index_bytes() >= u64::from(self.config.index_bytes_max);
        let old = age_ms.is_some_and(|age| age > self.config.segment_ms);
        full || indexed || old || !active.can_hold(batch.last_offset())
    }

    /// Closes the active segment, begins the next at `base`, and keeps the producers as of there.
    pub(super) fn roll(&mut self, base: Offset) -> Result<(), LogError> {
        self.dir_changes += 1;
        self.segments.roll(base)?;
        self.write_snapshot()
    }
}

/// A compacted topic takes no record without a key, for which nothing could ever replace it.
fn has_keys(batch: &Batch<'_>) -> Result<(), &'static str> {
    let plain = records::decompressed(batch).ok_or("the records cannot be decompressed")?;
    match records::records(batch, &plain).find(|record| record.key.is_none()) {
        None => Ok(()),
        Some(_) => Err("a compacted topic takes no record without a key"),
    }
}

/// What a client or coordinator may put into a batch, as far as the header tells.
fn acceptable(header: &Header, origin: Origin) -> Result<(), &'static str> {
    if header.record_count == 0 || i64::from(header.record_count) != i64::from(header.last_offset_delta) + 1 {
        return Err("the record count does not fit the last offset delta");
    }
    if header.producer_id().is_none() && (header.is_transactional() || header.is_control()) {
        return Err("a transaction needs a producer id");
    }
    if origin == Origin::Coordinator {
        return Ok(());
    }
    if header.is_control() {
        return Err("clients may not write control batches");
    }
    if header.base_offset != Offset(0) {
        return Err("the base offset of a client's batch is not 0");
    }
    if header.producer_id().is_some() && (header.base_sequence < 0 || header.producer_epoch < 0) {
        return Err("an idempotent producer's batch needs an epoch and a sequence");
    }
    Ok(())
}

/// Numbers the batches from `base` on, lets `change` change what it likes, and reads their headers again.
fn stamp(
    mut batches: &mut [u8],
    sizes: &[usize],
    mut base: Offset,
    change: impl Fn(&mut [u8]),
) -> Result<Vec<Header>, BatchError> {
    let mut headers = Vec::with_capacity(sizes.len());
    for size in sizes {
        let (bytes, rest) = batches.split_at_mut(*size);
        batch::set_base_offset(bytes, base);
        change(bytes);
        let header = Header::parse(bytes)?;
        base = header.next_offset();
        headers.push(header);
        batches = rest;
    }
    Ok(headers)
}
