//! What a member knows of its group: which logs are its own, how far it is in them, what it has stored; and what it hears.
//!
//! **Invariants:** a log's assignment is journalled once the library has taken it, its revocation before the library gives it
//! up; a commit is journalled with its offset before it is asked for, so that one whose answer never came is known.

use super::super::producer::{code_of, name_of};
use super::super::status::Counts;
use crate::clock;
use crate::journal::{Answer, Journal, JournalError, Subject};
use crate::spec::{Commit, ConsumerSpec, Group, LogPlace};
use history::{Kind, LogId, Nanos, Offset, Outcome, ProcessId};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The library, telling a membership.
pub(in super::super) type Library = BaseConsumer<Events>;

/// See the module.
pub(in super::super) struct Membership {
    pub(super) journal: Arc<Journal>,
    pub(in super::super) counts: Arc<Counts>,
    process: ProcessId,
    group: u32,
    places: Vec<LogPlace>,
    commit: Commit,
    shift: i64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Logs owned, each with the number of its assignment.
    owned: BTreeMap<LogId, u64>,
    assignments: u64,
    /// Logs assigned and not yet looked at.
    fresh: BTreeSet<LogId>,
    /// The next record to be processed.
    done: BTreeMap<LogId, i64>,
    /// The position last stored.
    stored: BTreeMap<LogId, i64>,
    /// A commit under way whose answer is not waited for.
    under_way: Vec<Subject>,
    /// When the library last told of a commit of its own.
    told: Nanos,
    generation: u32,
}

impl Membership {
    pub(super) fn new(journal: Arc<Journal>, spec: &ConsumerSpec, group: &Group, places: &[LogPlace]) -> Membership {
        let membership = Membership::of((journal, spec.process), group, spec.app.commit, places);
        Membership { shift: spec.app.shift, ..membership }
    }

    /// A membership of `process` in a group, that commits like this.
    pub(in super::super) fn of(
        (journal, process): (Arc<Journal>, ProcessId),
        group: &Group,
        commit: Commit,
        places: &[LogPlace],
    ) -> Membership {
        Membership {
            journal,
            counts: Arc::new(Counts::default()),
            process,
            group: group.number,
            places: places.to_vec(),
            commit,
            shift: 0,
            state: Mutex::new(State::default()),
        }
    }

    /// What the library is to tell it.
    pub(in super::super) fn events(self: &Arc<Membership>) -> Events {
        Events(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log of a partition.
    pub(in super::super) fn log(&self, topic: &str, partition: i32) -> Option<LogId> {
        self.places.iter().find(|p| p.partition == partition && p.topic == topic).map(|p| p.id)
    }

    /// Where a log lies.
    pub(in super::super) fn place(&self, log: LogId) -> Option<&LogPlace> {
        self.places.iter().find(|p| p.id == log)
    }

    /// The number of a log's assignment, while it is owned.
    pub(in super::super) fn assignment(&self, log: LogId) -> Option<u64> {
        self.state().owned.get(&log).copied()
    }

    /// Gives an owned log another number: what was taken of it before is not to be processed any more.
    pub(super) fn renew(&self, log: LogId) {
        let mut state = self.state();
        state.assignments += 1;
        let number = state.assignments;
        state.owned.entry(log).and_modify(|owned| *owned = number);
    }

    /// True the first time it is asked after a log was assigned.
    pub(in super::super) fn is_fresh(&self, log: LogId) -> bool {
        self.state().fresh.remove(&log)
    }

    /// The logs owned.
    pub(in super::super) fn owned(&self) -> Vec<LogId> {
        self.state().owned.keys().copied().collect()
    }

    /// Notes how far the member is in a log.
    pub(in super::super) fn done(&self, log: LogId, next: i64) {
        self.state().done.insert(log, next);
    }

    /// How far it is.
    pub(super) fn position(&self, log: LogId) -> Option<i64> {
        self.state().done.get(&log).copied()
    }

    pub(in super::super) fn subject(&self, kind: Kind, log: LogId) -> Subject {
        let generation = self.state().generation;
        let detail = u64::from(self.group) << 32 | u64::from(generation);
        Subject { process: self.process, kind, log, detail }
    }

    /// Journals a position that the library stores when it likes, before the library knows of it: it may be stored from now on, and
    /// a process that dies hears no more of it.
    pub(super) fn may_store(&self, log: LogId, next: i64) -> Result<(), JournalError> {
        let answer = Answer { outcome: Outcome::Unknown, error: 0, offset: Offset(next) };
        self.journal.observe(self.subject(Kind::Commit, log), clock::now(), answer)
    }

    /// Stores the positions of the owned logs that are further than what was stored, and waits for the answer.
    pub(in super::super) fn commit(&self, library: &Library, logs: &[LogId]) -> Result<(), JournalError> {
        let Some((list, due)) = self.due(logs)? else { return Ok(()) };
        let answer = library.commit(&list, CommitMode::Sync);
        self.answered(due.iter().map(|(subject, _)| *subject), &answer)?;
        if answer.is_ok() {
            self.state().stored.extend(due.iter().map(|(subject, next)| (subject.log, *next)));
        }
        Ok(())
    }

    /// The same without waiting; nothing while an earlier one is under way.
    pub(super) fn commit_later(&self, library: &Library) -> Result<(), JournalError> {
        if !self.state().under_way.is_empty() {
            return Ok(());
        }
        let Some((list, due)) = self.due(&self.owned())? else { return Ok(()) };
        {
            let mut state = self.state();
            state.under_way = due.iter().map(|(subject, _)| *subject).collect();
            state.stored.extend(due.iter().map(|(subject, next)| (subject.log, *next)));
        }
        match library.commit(&list, CommitMode::Async) {
            Ok(()) => Ok(()),
            Err(error) => self.answered(std::mem::take(&mut self.state().under_way), &Err(error)),
        }
    }

    /// What is to be stored, journalled as asked for.
    #[allow(clippy::type_complexity)]
    fn due(&self, logs: &[LogId]) -> Result<Option<(TopicPartitionList, Vec<(Subject, i64)>)>, JournalError> {
        let further = |state: &State, log: LogId| {
            let next = *state.done.get(&log).filter(|_| state.owned.contains_key(&log))?;
            state.stored.get(&log).is_none_or(|stored| *stored < next).then_some((log, next))
        };
        let due: Vec<(LogId, i64)> = {
            let state = self.state();
            logs.iter().filter_map(|log| further(&state, *log)).collect()
        };
        let (mut list, mut subjects) = (TopicPartitionList::new(), Vec::new());
        for (log, next) in due {
            let Some(place) = self.place(log) else { continue };
            let offset = rdkafka::Offset::Offset(next + self.shift);
            if list.add_partition_offset(&place.topic, place.partition, offset).is_ok() {
                let subject = self.subject(Kind::Commit, log);
                self.journal.invoke(subject, Nanos((next + self.shift) as u64))?;
                self.counts.sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                subjects.push((subject, next));
            }
        }
        Ok((!subjects.is_empty()).then_some((list, subjects)))
    }

    /// An answer other than yes tells nothing: an earlier attempt of the library may have been stored.
    fn answered(
        &self,
        subjects: impl IntoIterator<Item = Subject>,
        answer: &KafkaResult<()>,
    ) -> Result<(), JournalError> {
        for subject in subjects {
            let answer = match answer {
                Ok(()) => Answer::ok(Offset::UNKNOWN),
                Err(error) => {
                    self.counts.error(&name_of(error));
                    Answer::error(Outcome::Unknown, code_of(error))
                }
            };
            self.counts.outcome(answer.outcome);
            self.journal.complete(subject, answer)?;
        }
        Ok(())
    }

    fn logs_in(&self, list: &TopicPartitionList) -> Vec<LogId> {
        list.elements().iter().filter_map(|e| self.log(e.topic(), e.partition())).collect()
    }

    fn assigned(&self, library: &Library, list: &TopicPartitionList, invoked: Nanos) -> Result<(), JournalError> {
        let logs = self.logs_in(list);
        {
            let mut state = self.state();
            state.generation = generation(library);
            state.told = clock::now();
            for log in &logs {
                state.assignments += 1;
                let number = state.assignments;
                state.owned.insert(*log, number);
                state.fresh.insert(*log);
            }
        }
        for log in logs {
            self.journal.observe(self.subject(Kind::Assign, log), invoked, Answer::ok(Offset::UNKNOWN))?;
        }
        Ok(())
    }

    fn revoking(&self, library: &Library, list: &TopicPartitionList) -> Result<(), JournalError> {
        let logs = self.logs_in(list);
        if matches!(self.commit, Commit::AfterBatch | Commit::AfterRecord) && !library.assignment_lost() {
            self.commit(library, &logs)?;
        }
        for log in logs {
            let subject = self.subject(Kind::Revoke, log);
            let mut state = self.state();
            if state.owned.remove(&log).is_some() {
                state.done.remove(&log);
                state.stored.remove(&log);
                state.fresh.remove(&log);
                drop(state);
                self.journal.observe(subject, clock::now(), Answer::ok(Offset::UNKNOWN))?;
            }
        }
        Ok(())
    }

    /// A commit that was not waited for, or one of the library's own.
    fn heard(&self, answer: &KafkaResult<()>, list: &TopicPartitionList) -> Result<(), JournalError> {
        match self.commit {
            Commit::Async => {
                let under_way = std::mem::take(&mut self.state().under_way);
                self.answered(under_way, answer)
            }
            Commit::Library | Commit::Stored if answer.is_ok() => {
                let invoked = std::mem::replace(&mut self.state().told, clock::now());
                for element in list.elements() {
                    let Some(log) = self.log(element.topic(), element.partition()) else { continue };
                    if let rdkafka::Offset::Offset(next) = element.offset() {
                        let subject = self.subject(Kind::Commit, log);
                        self.journal.observe(subject, invoked, Answer::ok(Offset(next)))?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn note(&self, journalled: Result<(), JournalError>) {
        if journalled.is_err() {
            self.counts.error("journal");
        }
    }
}

/// What the library tells a membership.
pub(in super::super) struct Events(Arc<Membership>);

impl ClientContext for Events {
    fn error(&self, error: KafkaError, _reason: &str) {
        self.0.counts.error(&name_of(&error));
    }
}

impl ConsumerContext for Events {
    fn pre_rebalance(&self, library: &Library, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(list) => self.0.note(self.0.revoking(library, list)),
            Rebalance::Assign(_) => {}
            Rebalance::Error(error) => self.0.counts.error(&name_of(error)),
        }
    }

    fn post_rebalance(&self, library: &Library, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            self.0.note(self.0.assigned(library, list, clock::now()));
        }
    }

    fn commit_callback(&self, answer: KafkaResult<()>, offsets: &TopicPartitionList) {
        self.0.note(self.0.heard(&answer, offsets));
    }
}

/// The member's generation, 0 where it is not known.
#[allow(unsafe_code)]
fn generation(library: &Library) -> u32 {
    use rdkafka::bindings as sys;
    // SAFETY: the client outlives the call; what it returns is null or ours to destroy, which is done once, after its last use.
    let generation = unsafe {
        let metadata = sys::rd_kafka_consumer_group_metadata(library.client().native_ptr());
        if metadata.is_null() {
            return 0;
        }
        let generation = sys::rd_kafka_consumer_group_metadata_generation_id(metadata);
        sys::rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    };
    u32::try_from(generation).unwrap_or(0)
}
