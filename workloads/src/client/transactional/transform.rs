//! An application that reads a log, makes a record of each record, and appends it to another log: consume, transform, produce.
//!
//! An output says which record it stems from and which attempt made it ([`crate::finals::output`]), so that a record that was
//! transformed twice, or never, is seen from the outputs alone. How outputs and positions go together is
//! [`crate::spec::TransformStyle`]. Deliberately absent: deliveries in the history; what counts is what came out.

use super::super::member::{Library, Membership};
use super::super::producer::name_of;
use super::super::status::{Counts, Tally};
use super::super::{ClientError, Context, die};
use super::{Session, Step};
use crate::clock::Deadline;
use crate::finals;
use crate::journal::Subject;
use crate::spec::{Commit, Ending, Ids, LogPlace, TransformSpec, TransformStyle, WRITERS_PER_LIFE};
use history::{Kind, LogId, Offset, WriterId};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const FIRST_POLL: Duration = Duration::from_millis(100);
const SEEK: Duration = Duration::from_secs(5);

/// Runs it until the process is asked to stop.
pub fn run(context: &Context, spec: &TransformSpec) -> Result<Tally, ClientError> {
    let commit = match spec.app.style {
        TransformStyle::PositionsInside => Commit::Never,
        TransformStyle::OutputsOnly | TransformStyle::Plain => Commit::AfterBatch,
    };
    let membership =
        Arc::new(Membership::of((context.journal.clone(), spec.process), &spec.group, commit, &context.spec.logs));
    let mut config: ClientConfig = spec.consumer.clone().into_iter().collect();
    config.set("bootstrap.servers", context.spec.bootstrap.join(",")).set("group.id", &spec.group.id);
    let library: Library = config.create_with_context(membership.events())?;
    let topics: Vec<&str> = spec.group.topics.iter().map(String::as_str).collect();
    library.subscribe(&topics)?;
    let counts = Arc::new(Counts::default());
    let mut work = Work { context, spec, library, membership, attempts: 0 };
    let mut then = Then::Renew;
    while then == Then::Renew && !context.stop.asked() && work.attempts + 1 < WRITERS_PER_LIFE {
        let Some(session) = Session::start(context, spec.process, &work.properties(), &counts)? else { break };
        then = work.go_on(&session)?;
    }
    let sent = counts.sent.load(Ordering::Relaxed);
    Ok(counts.tally(spec.process, sent, 0))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// With a new client.
    Renew,
    /// Not at all.
    End,
}

/// What was read of each log, rising.
type Batch = BTreeMap<LogId, Vec<Offset>>;

struct Work<'a> {
    context: &'a Context,
    spec: &'a TransformSpec,
    library: Library,
    membership: Arc<Membership>,
    attempts: u32,
}

impl Work<'_> {
    /// The producing client's properties: its transactional id is its own, its input's, or a new one each time.
    fn properties(&self) -> BTreeMap<String, String> {
        let mut properties = self.spec.producer.clone();
        if self.spec.app.style == TransformStyle::Plain {
            return properties;
        }
        let random = || format!("{}-{}-{}", self.spec.group.id, std::process::id(), self.attempts);
        properties.insert("transactional.id".into(), self.spec.transactional_id().unwrap_or_else(random));
        properties
    }

    fn go_on(&mut self, session: &Session) -> Result<Then, ClientError> {
        while !self.context.stop.asked() && self.attempts + 1 < WRITERS_PER_LIFE {
            let (batch, fresh) = self.fill();
            if fresh && self.spec.app.ids == Ids::OfInput {
                // Whoever is given the input takes over its id, and so fences whoever had it.
                self.go_back(&batch);
                return Ok(Then::Renew);
            }
            if batch.is_empty() {
                continue;
            }
            self.attempts += 1;
            match self.attempt(session, &batch)? {
                Step::Done => {}
                Step::Aborted => self.go_back(&batch),
                Step::Fatal => {
                    self.go_back(&batch);
                    return Ok(Then::Renew);
                }
            }
        }
        Ok(Then::End)
    }

    /// Waits for a record and takes what else is there; says whether a log was newly assigned.
    fn fill(&self) -> (Batch, bool) {
        let (mut wait, mut batch, mut fresh) = (FIRST_POLL, Batch::new(), false);
        let mut numbers: BTreeMap<LogId, u64> = BTreeMap::new();
        for _ in 0..self.spec.app.batch_max {
            match self.library.poll(wait) {
                None => break,
                Some(Err(error)) => self.membership.counts.error(&name_of(&error)),
                Some(Ok(message)) => {
                    let Some(log) = self.membership.log(message.topic(), message.partition()) else { continue };
                    let Some(number) = self.membership.assignment(log) else { continue };
                    if numbers.insert(log, number).is_some_and(|before| before != number) {
                        batch.remove(&log);
                    }
                    fresh |= self.membership.is_fresh(log);
                    batch.entry(log).or_default().push(Offset(message.offset()));
                }
            }
            wait = Duration::ZERO;
        }
        batch.retain(|log, _| self.membership.assignment(*log) == numbers.get(log).copied());
        (batch, fresh)
    }

    /// One batch: its outputs, and its positions with them or after them.
    fn attempt(&self, session: &Session, batch: &Batch) -> Result<Step, ClientError> {
        let number = u64::from(self.attempts);
        if session.begin(number)? == Step::Fatal {
            return Ok(Step::Fatal);
        }
        let writer = WriterId(self.spec.writer.0 + self.attempts);
        let mut payload = Vec::new();
        for (log, offsets) in batch {
            let Some(place) = self.output_of(*log) else { continue };
            for offset in offsets {
                session.send(place, finals::output(writer, *log, *offset), self.spec.record_bytes, &mut payload)?;
            }
        }
        self.mishap(session)?;
        if self.spec.app.style == TransformStyle::PositionsInside {
            let stored = self.positions_inside(session, batch)?;
            if stored != Step::Done {
                return if stored == Step::Fatal { Ok(stored) } else { session.abort(number) };
            }
        }
        let ended = session.commit(self.context, number)?;
        if ended == Step::Done && self.spec.app.style != TransformStyle::PositionsInside {
            for (log, offsets) in batch {
                self.membership.done(*log, next(offsets));
            }
            self.membership.commit(&self.library, &self.membership.owned())?;
        }
        Ok(ended)
    }

    fn output_of(&self, log: LogId) -> Option<&LogPlace> {
        let (_, output) = self.spec.outputs.iter().find(|(input, _)| *input == log)?;
        self.context.spec.logs.iter().find(|place| place.id == *output)
    }

    /// Between outputs and positions: the moment at which a death or a long pause tells.
    fn mishap(&self, session: &Session) -> Result<(), ClientError> {
        let at = |attempt: Option<u64>| attempt == Some(u64::from(self.attempts));
        if let Some(stall) = self.spec.app.stalls.filter(|stall| at(Some(stall.after))) {
            self.context.stop.wait(Deadline::in_ms(stall.ms));
        }
        match self.spec.app.falls {
            Some(falls) if at(Some(falls.after)) && falls.by == Ending::Kill => {
                session.flush()?;
                if session.transactional && self.spec.app.style == TransformStyle::OutputsOnly {
                    session.commit(self.context, u64::from(self.attempts))?;
                }
                die()
            }
            _ => Ok(()),
        }
    }

    fn positions_inside(&self, session: &Session, batch: &Batch) -> Result<Step, ClientError> {
        let (mut list, mut subjects): (_, Vec<(Subject, i64)>) = (TopicPartitionList::new(), Vec::new());
        for (log, offsets) in batch {
            let Some(place) = self.membership.place(*log) else { continue };
            let offset = rdkafka::Offset::Offset(next(offsets));
            list.add_partition_offset(&place.topic, place.partition, offset)?;
            subjects.push((self.membership.subject(Kind::Commit, *log), next(offsets)));
        }
        match self.library.group_metadata() {
            Some(member) => session.store(&list, &subjects, &member),
            None => Ok(Step::Aborted),
        }
    }

    /// Reads a batch again.
    fn go_back(&self, batch: &Batch) {
        for (log, offsets) in batch {
            let (Some(place), Some(first)) = (self.membership.place(*log), offsets.first()) else { continue };
            let first = rdkafka::Offset::Offset(first.0);
            if let Err(error) = self.library.seek(&place.topic, place.partition, first, SEEK) {
                // Given away meanwhile: whoever has it begins at its position.
                self.membership.counts.error(&name_of(&error));
            }
        }
    }
}

fn next(offsets: &[Offset]) -> i64 {
    offsets.last().map_or(0, |last| last.0 + 1)
}
