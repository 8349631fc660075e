//! One partition's coordinator: its state machine, loaded from the log, and the one way to append to that log.
//!
//! ```text
//! Loading ──whole log applied──> Active ──reign over──> dropped
//!        └─damaged log──> Broken
//! ```
//!
//! **Invariants.** Nothing is decided before the whole log was applied. Deciding, appending and applying happen under one
//! lock, so the state is always that of the log's very end. An append of another reign is refused by the partition.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::sync::Notify;
use tokio::task::{block_in_place, yield_now};
use tokio::time::timeout;

use super::batch::{self, InTransaction};
use super::machine::{Decided, Entry, Machine, When};
use crate::clock;
use crate::evidence::{Event, Events};
use crate::halt::Halt;
use crate::ids::{LeaderEpoch, Offset};
use crate::log::batch::{Batch, Batches};
use crate::log::marker::Marker;
use crate::log::records;
use crate::partition::watchers::Interest;
use crate::partition::{Accepted, Commit, Partition, PartitionError};

/// Bytes of log replayed at once.
const CHUNK_BYTES: usize = 1 << 20;

/// See the module.
pub struct Shard<M> {
    partition: Arc<Partition>,
    reign: LeaderEpoch,
    halt: Halt,
    phase: Mutex<Phase<M>>,
}

enum Phase<M> {
    Loading,
    Active { machine: M, end: Offset },
    Broken,
}

impl<M: Machine> Shard<M> {
    /// A shard that is to be loaded.
    pub(super) fn new(partition: Arc<Partition>, reign: LeaderEpoch, halt: Halt) -> Shard<M> {
        Shard { partition, reign, halt, phase: Mutex::new(Phase::Loading) }
    }

    /// The partition its state is kept in.
    pub fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// The reign it serves in: the coordinator's epoch.
    pub fn reign(&self) -> LeaderEpoch {
        self.reign
    }

    /// Decides, appends and applies; the answer, and up to where the log must be committed before it may be told.
    ///
    /// # Errors
    /// Those of `decide`, and those of a coordinator that cannot serve or append.
    pub fn decide<T>(
        &self,
        decide: impl FnOnce(&mut M) -> Decided<M::Record, T>,
    ) -> Result<(T, Option<Offset>), ResponseError> {
        let mut phase = self.lock();
        let (machine, end) = phase.active()?;
        let decision = decide(machine)?;
        if decision.records.is_empty() {
            return Ok((decision.answer, (decision.when == When::Committed).then_some(*end)));
        }
        let stored: Vec<_> = decision.records.iter().map(M::encode).collect();
        let mut bytes = batch::encode(&stored, decision.within, clock::wall_ms());
        let accepted = self.append(&mut bytes)?;
        *end = accepted.next_offset;
        for (delta, record) in (0..).zip(decision.records) {
            let entry = Entry::Record { record, within: decision.within };
            machine.apply(entry, accepted.base_offset.plus(delta));
        }
        Ok((decision.answer, (decision.when == When::Committed).then_some(*end)))
    }

    /// Ends a transaction in this partition; up to where the log must be committed before it may be told.
    ///
    /// # Errors
    /// Those of a coordinator that cannot serve or append.
    pub fn mark(&self, of: InTransaction, marker: &Marker) -> Result<Offset, ResponseError> {
        let mut phase = self.lock();
        let (machine, end) = phase.active()?;
        let accepted = self.append(&mut marker.batch(of.producer, of.epoch, clock::wall_ms()))?;
        *end = accepted.next_offset;
        machine.apply(ended(of, marker), accepted.base_offset);
        Ok(accepted.next_offset)
    }

    /// Waits until everything below `end` is committed.
    ///
    /// # Errors
    /// COORDINATOR_NOT_AVAILABLE if it was not in time or replicas are too few, NOT_COORDINATOR if the reign is over.
    /// Either way it may still be, or become, committed.
    pub async fn committed(&self, end: Offset, patience: Duration) -> Result<(), ResponseError> {
        let changed = Arc::new(Notify::new());
        let _watch = self.partition.watchers().watch(Interest::Committed(end), &changed);
        let wait = async {
            loop {
                match self.partition.reached(self.reign, end) {
                    Commit::Pending => changed.notified().await,
                    Commit::Done => return Ok(()),
                    Commit::Failed(error) => return Err(refusal(&error)),
                }
            }
        };
        timeout(patience, wait).await.unwrap_or(Err(ResponseError::CoordinatorNotAvailable))
    }

    /// Whether it serves.
    pub fn is_active(&self) -> bool {
        matches!(*self.lock(), Phase::Active { .. })
    }

    /// Applies the whole log and begins to serve.
    pub(super) async fn load(self: Arc<Self>, settings: M::Settings, events: Events) {
        let began_ns = clock::monotonic_ns();
        let mut machine = M::new(&settings, self.partition.id(), self.reign);
        let mut replay = Replay { end: Offset(0), records: 0, skipped: 0 };
        loop {
            let chunk = block_in_place(|| self.partition.replay(self.reign, replay.end, CHUNK_BYTES));
            let taken = chunk.and_then(|chunk| replay.take(&chunk, &mut machine));
            match taken {
                Ok(true) => yield_now().await,
                Ok(false) => break,
                Err(PartitionError::NotLeader) => return,
                Err(error) => {
                    events.note(format!("{}: the coordinator's state cannot be read: {error}", self.partition.id()));
                    *self.lock() = Phase::Broken;
                    return;
                }
            }
        }
        machine.loaded();
        *self.lock() = Phase::Active { machine, end: replay.end };
        let Replay { records, skipped, .. } = replay;
        let (partition, epoch) = (self.partition.id().clone(), self.reign);
        let load_ms = (clock::monotonic_ns() - began_ns) / 1_000_000;
        events.emit(Event::CoordinatorLoaded { partition, epoch, records, skipped, load_ms });
    }

    fn append(&self, bytes: &mut [u8]) -> Result<Accepted, ResponseError> {
        let accepted = self.partition.append_in(self.reign, bytes).map_err(|error| {
            error.storage().into_iter().for_each(|storage| self.halt.because(storage));
            refusal(&error)
        })?;
        if accepted.sync_due {
            let (partition, halt) = (self.partition.clone(), self.halt.clone());
            tokio::task::spawn_blocking(move || {
                if let Err(error) = partition.sync_while_due() {
                    halt.because(&error);
                }
            });
        }
        Ok(accepted)
    }

    fn lock(&self) -> MutexGuard<'_, Phase<M>> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Phase<M> {
    fn active(&mut self) -> Result<(&mut M, &mut Offset), ResponseError> {
        match self {
            Phase::Active { machine, end } => Ok((machine, end)),
            Phase::Loading => Err(ResponseError::CoordinatorLoadInProgress),
            Phase::Broken => Err(ResponseError::CoordinatorNotAvailable),
        }
    }
}

struct Replay {
    end: Offset,
    records: u64,
    skipped: u64,
}

impl Replay {
    /// Applies a chunk of log; false if there was nothing in it.
    fn take<M: Machine>(&mut self, chunk: &[u8], machine: &mut M) -> Result<bool, PartitionError> {
        for batch in Batches::new(chunk) {
            let batch = batch.map_err(|error| PartitionError::Corrupt(error.to_string()))?;
            self.batch(&batch, machine);
            self.end = batch.header.next_offset();
        }
        Ok(!chunk.is_empty())
    }

    fn batch<M: Machine>(&mut self, batch: &Batch<'_>, machine: &mut M) {
        let of =
            batch.header.producer_id().map(|producer| InTransaction { producer, epoch: batch.header.producer_epoch });
        if batch.header.is_control() {
            if let (Some(of), Some(marker)) = (of, Marker::parse(batch)) {
                machine.apply(ended(of, &marker), batch.header.base_offset);
            }
            return;
        }
        let within = of.filter(|_| batch.header.is_transactional());
        let plain = records::decompressed(batch).unwrap_or_default();
        for record in records::records(batch, &plain) {
            match record.key.map(|key| M::decode(key, record.value)) {
                Some(Ok(known)) => {
                    self.records += 1;
                    machine.apply(Entry::Record { record: known, within }, record.offset);
                }
                Some(Err(_)) | None => self.skipped += 1,
            }
        }
    }
}

fn ended<R>(of: InTransaction, marker: &Marker) -> Entry<R> {
    Entry::Marker { producer: of.producer, epoch: of.epoch, outcome: marker.outcome }
}

/// What a client of a coordinator is told when the coordinator could not append.
fn refusal(error: &PartitionError) -> ResponseError {
    match error.kafka() {
        ResponseError::NotLeaderOrFollower | ResponseError::KafkaStorageError => ResponseError::NotCoordinator,
        ResponseError::NotEnoughReplicas | ResponseError::NotEnoughReplicasAfterAppend => {
            ResponseError::CoordinatorNotAvailable
        }
        other => other,
    }
}
