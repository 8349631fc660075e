//! A leader lets itself be read, by consumers up to the high watermark and by followers up to its end; a follower by
//! consumers that may (KIP-392).
//!
//! A follower's fetch proves what the follower has, if it comes under the leader's own epoch, from a replica's newest
//! incarnation, and from a log that does not diverge; only then does it count (KIP-101, KIP-320, KIP-903).

use bytes::Bytes;

use super::leadership::{Leadership, Stale};
use super::{Inner, Partition, PartitionError, Proposal, Role, may_join};
use crate::bugs::Bug;
use crate::ids::{BrokerEpoch, LeaderEpoch, NodeId, Offset};
use crate::log::batch::Batch;
use crate::log::{AbortedTransaction, FileSlice, Records};

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A client; with `committed` only up to the last stable offset.
    Consumer {
        /// Whether it reads committed transactions only.
        committed: bool,
        /// Whether it may read from a follower (KIP-392).
        anywhere: bool,
    },
    /// A replica.
    Follower,
}

/// From where and how much.
#[derive(Clone, Copy, Debug)]
pub struct ReadAt {
    /// First offset wanted.
    pub offset: Offset,
    /// The leader epoch the reader believes in.
    pub current_epoch: Option<LeaderEpoch>,
    /// The epoch of the last record it has (KIP-595).
    pub last_epoch: Option<LeaderEpoch>,
    /// Where the reader's log starts, if it is a follower.
    pub log_start: Option<Offset>,
    /// Most bytes.
    pub bytes_max: usize,
    /// Whether one whole batch comes even if it is larger (KIP-74).
    pub at_least_one: bool,
    /// Whether what is long may stay in its file.
    pub in_place: bool,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// Whole batches; may begin before the offset asked for.
    pub records: Bytes,
    /// The batches, where they were left in their file; then there are no others.
    pub slice: Option<FileSlice>,
    /// Committed up to here.
    pub high_watermark: Offset,
    /// Stable up to here: no open transaction before.
    pub last_stable: Offset,
    /// Start of the log.
    pub log_start: Offset,
    /// The reader's log differs: the largest epoch the leader shares and where it ended here.
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// Aborted transactions among the records, for committed reads.
    pub aborted: Vec<AbortedTransaction>,
}

impl Fetched {
    /// Bytes of batches.
    pub fn bytes(&self) -> usize {
        self.slice.as_ref().map_or(self.records.len(), |slice| slice.len)
    }
}

impl Partition {
    /// Counts a follower's fetch. May move the high watermark, and propose the follower for the ISR.
    ///
    /// # Errors
    /// [`PartitionError`]: the fetch does not count and is to be refused.
    pub fn fetched(
        &self,
        follower: NodeId,
        broker_epoch: Option<BrokerEpoch>,
        at: &ReadAt,
    ) -> Result<Option<Proposal>, PartitionError> {
        let mut inner = self.lock();
        let moment = self.moment(&inner);
        let leadership = self.leading(&inner, at.current_epoch)?;
        if self.diverging(&inner, at).or_else(|error| self.entitled(Err(error)))?.is_some() {
            return Ok(None);
        }
        inner.in_range(at.offset).or_else(|error| self.entitled(Err(error)))?;
        let unfenced = self.context.bugs.has(Bug::FencingOff);
        let known = leadership.broker_epoch(follower);
        let Role::Leader(leadership) = &mut inner.role else { return Err(PartitionError::NotLeader) };
        let counted = leadership.fetched(follower, if unfenced { known } else { broker_epoch }, at.offset, &moment);
        counted.map_err(stale)?;
        let may_join = unfenced || may_join(&self.context.image.borrow(), follower, broker_epoch);
        let proposal = leadership.expansion(follower, &moment).filter(|_| may_join);
        if let Some(proposal) = &proposal {
            self.propose(leadership, proposal);
        }
        let change = self.advance(&mut inner);
        drop(inner);
        change.into_iter().for_each(|change| self.watchers.tell(change));
        self.follower_starts(follower, at.log_start);
        Ok(proposal)
    }

    /// Reads.
    ///
    /// # Errors
    /// [`PartitionError`]; `OffsetNotAvailable` if nothing can be said before the high watermark is up to date.
    pub fn read(&self, reader: Reader, at: &ReadAt) -> Result<Fetched, PartitionError> {
        let inner = self.lock();
        if let (Reader::Consumer { committed, anywhere: true }, Role::Follower(_)) = (reader, &inner.role) {
            return self.read_as_follower(&inner, at, committed);
        }
        let leadership = self.leading(&inner, at.current_epoch)?;
        let read = self.read_as_leader(&inner, leadership, reader, at);
        let cuts = matches!(&read, Err(PartitionError::OffsetOutOfRange) | Ok(Fetched { diverging: Some(_), .. }));
        if cuts { self.entitled(read) } else { read }
    }

    fn read_as_leader(
        &self,
        inner: &Inner,
        leadership: &Leadership,
        reader: Reader,
        at: &ReadAt,
    ) -> Result<Fetched, PartitionError> {
        if let Some(diverging) = self.diverging(inner, at)? {
            return Ok(Fetched { diverging: Some(diverging), ..inner.bounds() });
        }
        inner.in_range(at.offset)?;
        match reader {
            Reader::Follower => inner.read_up_to(at, inner.visible_end()),
            Reader::Consumer { committed, .. } => self.consume(inner, leadership, at, committed),
        }
    }

    /// Where this leader's log ends makes others cut theirs or begin anew: it says so only while it surely leads. One that comes
    /// back from a power loss without its tail, and has not heard yet that it was deposed, must not.
    pub(super) fn entitled<T>(&self, answer: Result<T, PartitionError>) -> Result<T, PartitionError> {
        if self.context.lease.held() { answer } else { Err(PartitionError::NotLeader) }
    }

    fn consume(
        &self,
        inner: &Inner,
        leadership: &Leadership,
        at: &ReadAt,
        committed: bool,
    ) -> Result<Fetched, PartitionError> {
        let committed = committed && !self.context.bugs.has(Bug::IsolationIgnored);
        let upper = match (committed, self.context.bugs.has(Bug::FetchAboveHighWatermark)) {
            (_, true) => inner.log.end_offset(),
            (true, false) => inner.last_stable(),
            (false, false) => inner.high_watermark,
        };
        let late = self.context.bugs.has(Bug::IndexOffByOne);
        let swapped = self.context.bugs.has(Bug::BatchesSwapped);
        let in_place = at.in_place && !late && !swapped;
        let mut fetched = inner.read_up_to(&ReadAt { in_place, ..*at }, upper)?;
        if late {
            fetched.records = one_batch_late(at.offset, fetched.records);
        }
        if swapped {
            fetched.records = the_wrong_way_round(at.offset, fetched.records);
        }
        if committed && fetched.bytes() > 0 {
            fetched.aborted = inner.log.aborted_transactions(at.offset, upper)?;
        }
        let behind = self.context.lease.is_strict() && inner.high_watermark < leadership.start();
        if fetched.bytes() == 0 && behind {
            return Err(PartitionError::OffsetNotAvailable);
        }
        if self.context.lease.held() { Ok(fetched) } else { Err(PartitionError::NotLeader) }
    }

    /// A follower lets consumers read what it knows to be committed; that may be less than its leader knows (KIP-392).
    fn read_as_follower(&self, inner: &Inner, at: &ReadAt, committed: bool) -> Result<Fetched, PartitionError> {
        self.in_epoch(inner, at.current_epoch)?;
        inner.in_range(at.offset)?;
        let upper = if committed { inner.last_stable() } else { inner.high_watermark };
        let mut fetched = inner.read_up_to(at, upper)?;
        if committed && fetched.bytes() > 0 {
            fetched.aborted = inner.log.aborted_transactions(at.offset, upper)?;
        }
        Ok(fetched)
    }

    /// The in-sync follower that a consumer of this rack is better sent to, if this replica leads and is of another.
    pub fn nearer_replica(&self, rack: &str, offset: Offset) -> Option<NodeId> {
        let inner = self.lock();
        let Role::Leader(leadership) = &inner.role else { return None };
        let image = self.context.image.borrow();
        let near = |broker: NodeId| {
            let known = image.brokers.get(&broker).filter(|broker| !broker.fenced);
            known.is_some_and(|broker| broker.rack.as_deref() == Some(rack))
        };
        let serves = |broker: &NodeId| near(*broker) && leadership.has(*broker, offset);
        if near(self.context.me) { None } else { leadership.isr().settled().iter().copied().find(serves) }
    }

    /// Where a reader's log parts from this one, if it does: the largest epoch not above its last, and where it ended.
    fn diverging(&self, inner: &Inner, at: &ReadAt) -> Result<Option<(LeaderEpoch, Offset)>, PartitionError> {
        let fenced = !self.context.bugs.has(Bug::FencingOff);
        let Some(last_epoch) = at.last_epoch.filter(|_| fenced) else { return Ok(None) };
        let (epoch, end) = inner.log.end_offset_for(last_epoch).ok_or(PartitionError::OffsetOutOfRange)?;
        if self.context.bugs.has(Bug::ExactEpochLookup) && epoch != last_epoch {
            return Ok(None);
        }
        Ok((epoch < last_epoch || end < at.offset).then_some((epoch, end)))
    }

    /// The leadership, if this replica leads in the epoch the asker believes in (KIP-320).
    pub(super) fn leading<'a>(
        &self,
        inner: &'a Inner,
        asked: Option<LeaderEpoch>,
    ) -> Result<&'a Leadership, PartitionError> {
        self.in_epoch(inner, asked)?;
        match &inner.role {
            Role::Leader(leadership) => Ok(leadership),
            Role::Idle | Role::Follower(_) => Err(PartitionError::NotLeader),
        }
    }

    fn in_epoch(&self, inner: &Inner, asked: Option<LeaderEpoch>) -> Result<(), PartitionError> {
        let fenced = !self.context.bugs.has(Bug::FencingOff);
        match (asked, inner.epoch) {
            (Some(asked), Some(epoch)) if asked < epoch && fenced => Err(PartitionError::FencedEpoch),
            (Some(asked), Some(epoch)) if asked > epoch && fenced => Err(PartitionError::UnknownEpoch),
            _ => Ok(()),
        }
    }
}

impl Inner {
    fn in_range(&self, offset: Offset) -> Result<(), PartitionError> {
        let within = (self.log.start_offset()..=self.log.end_offset()).contains(&offset);
        if within { Ok(()) } else { Err(PartitionError::OffsetOutOfRange) }
    }

    fn read_up_to(&self, at: &ReadAt, upper: Offset) -> Result<Fetched, PartitionError> {
        if at.offset >= upper || (at.bytes_max == 0 && !at.at_least_one) {
            return Ok(self.bounds());
        }
        if !at.in_place {
            let records = self.log.read(at.offset, at.bytes_max, upper, at.at_least_one)?;
            return Ok(Fetched { records, ..self.bounds() });
        }
        Ok(match self.log.read_in_place(at.offset, at.bytes_max, upper, at.at_least_one)? {
            Records::Memory(records) => Fetched { records, ..self.bounds() },
            Records::File(slice) => Fetched { slice: Some(slice), ..self.bounds() },
        })
    }

    pub(super) fn last_stable(&self) -> Offset {
        self.log.first_unstable_offset().map_or(self.high_watermark, |first| first.min(self.high_watermark))
    }

    fn bounds(&self) -> Fetched {
        Fetched {
            high_watermark: self.high_watermark,
            last_stable: self.last_stable(),
            log_start: self.log.start_offset(),
            ..Fetched::default()
        }
    }
}

/// Leaves the first of several batches out now and then: only for the planted bug.
fn one_batch_late(asked: Offset, records: Bytes) -> Bytes {
    sometimes(asked, &records).map_or(records.clone(), |first| records.slice(first..))
}

/// Puts the second of several batches before the first one now and then: only for the planted bug.
fn the_wrong_way_round(asked: Offset, records: Bytes) -> Bytes {
    let Some(first) = sometimes(asked, &records) else { return records };
    let Ok(second) = Batch::first(&records[first..]).map(|second| second.bytes.len()) else { return records };
    let (head, tail) = records.split_at(first + second);
    [&head[first..], &head[..first], tail].concat().into()
}

/// The bytes of the first of several batches, where a planted bug is to show: a read from a batch's beginning, now and then.
fn sometimes(asked: Offset, records: &[u8]) -> Option<usize> {
    let first = Batch::first(records).ok()?;
    let (base, bytes) = (first.header.base_offset, first.bytes.len());
    (base == asked && bytes < records.len() && base.0 % 3 == 0).then_some(bytes)
}

fn stale(why: Stale) -> PartitionError {
    PartitionError::StaleReplica(match why {
        Stale::NotAReplica => "not a replica of this partition",
        Stale::Incarnation => "a newer incarnation of the broker has fetched",
    })
}
