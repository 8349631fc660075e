//! A member of a group: librdkafka, and the application around it ([`crate::spec::ConsumerApp`]).
//!
//! A record counts as delivered when the application has processed it, and is journalled then: a record that was taken, passed
//! by a commit and never processed is one the group never saw. **Invariants:** records of a log are processed in the order in
//! which librdkafka handed them over; none is processed after its log was given away; what was processed is journalled before
//! its position is stored.

mod membership;
mod workers;

use super::producer::name_of;
use super::status::Tally;
use super::{ClientError, Context, die};
use crate::clock::{self, Deadline};
use crate::journal::Subject;
use crate::sink::Sink;
use crate::sink::SinkStyle;
use crate::spec::{Commit, ConsumerApp, ConsumerSpec, Ending, Group, Leaves, Point, Wanders};
use crate::wire::{Cluster, Isolation, OffsetAt};
use history::{Kind, LogId, Nanos, Offset, Outcome, Record};
pub(super) use membership::{Library, Membership};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const FIRST_POLL: Duration = Duration::from_millis(100);
const SEEK: Duration = Duration::from_secs(5);
const NS_PER_US: u64 = 1_000;
const LOOK_MS: u64 = 100;

/// Runs a member until the process is asked to stop.
pub fn run(context: &Context, spec: &ConsumerSpec, group: &Group) -> Result<Tally, ClientError> {
    let membership = Arc::new(Membership::new(context.journal.clone(), spec, group, &context.spec.logs));
    let mut config: ClientConfig = spec.properties.clone().into_iter().collect();
    config.set("bootstrap.servers", context.spec.bootstrap.join(",")).set("group.id", &group.id);
    let library: Library = config.create_with_context(membership.events())?;
    if !waits_for(context, spec, group) {
        return Ok(membership.counts.tally(spec.process, 0, 0));
    }
    let topics: Vec<&str> = group.topics.iter().map(String::as_str).collect();
    library.subscribe(&topics)?;
    let sink = spec.app.sink.as_ref().map(|sink| Sink::open(&sink.path)).transpose()?;
    let mut member = Member { context, app: &spec.app, library, membership: membership.clone(), sink, processed: 0 };
    match spec.app.workers {
        0 => member.work()?,
        count => workers::hand_on(&mut member, count)?,
    }
    member.leave();
    let sent = membership.counts.sent.load(Ordering::Relaxed);
    Ok(membership.counts.tally(spec.process, sent, 0))
}

/// Waits until the first log of the group has so many records; false if the process is asked to stop before.
fn waits_for(context: &Context, spec: &ConsumerSpec, group: &Group) -> bool {
    let Some(place) = context.spec.logs.iter().find(|place| group.topics.contains(&place.topic)) else { return true };
    let mut cluster = Cluster::new(&context.spec.bootstrap, &context.spec.name);
    let end = OffsetAt::Latest(Isolation::ReadUncommitted);
    let mut told = || cluster.list_offset(&place.topic, place.partition, end, Deadline::in_ms(LOOK_MS)).ok();
    while spec.app.starts_at > 0 && told().is_none_or(|end| end.0 < spec.app.starts_at as i64) {
        if context.stop.wait(Deadline::in_ms(LOOK_MS)) {
            return false;
        }
    }
    true
}

/// A record that was taken, and the assignment under which.
#[derive(Clone, Copy)]
struct Taken {
    log: LogId,
    record: Record,
    assignment: u64,
}

struct Member<'a> {
    context: &'a Context,
    app: &'a ConsumerApp,
    library: Library,
    membership: Arc<Membership>,
    sink: Option<Sink>,
    processed: u64,
}

/// Whether the application goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

impl Member<'_> {
    fn work(&mut self) -> Result<(), ClientError> {
        while !self.context.stop.asked() {
            let invoked = clock::now();
            let taken = self.fill()?;
            if self.app.commit == Commit::Before {
                self.mark(&taken);
                self.membership.commit(&self.library, &self.membership.owned())?;
            }
            let then = self.process(invoked, &taken)?;
            if then == Then::End {
                if self.app.commit == Commit::Finally {
                    self.mark(&taken);
                }
                break;
            }
            if self.falls_between() && self.fall()? == Then::End {
                break;
            }
        }
        if self.app.commit == Commit::Finally {
            self.membership.commit(&self.library, &self.membership.owned())?;
        }
        Ok(())
    }

    /// Waits for a record and takes what else is there already.
    fn fill(&mut self) -> Result<Vec<Taken>, ClientError> {
        let (mut wait, mut taken) = (FIRST_POLL, Vec::new());
        while taken.len() < self.app.batch_max {
            match self.library.poll(wait) {
                None => break,
                Some(Err(error)) => self.membership.counts.error(&name_of(&error)),
                Some(Ok(message)) => {
                    let Some(log) = self.membership.log(message.topic(), message.partition()) else { continue };
                    let Some(assignment) = self.membership.assignment(log) else { continue };
                    let value =
                        history::payload::decode(self.context.spec.run, message.payload().unwrap_or(&[])).value();
                    let record = Record { offset: Offset(message.offset()), value };
                    if !(self.membership.is_fresh(log) && self.starts_elsewhere(log)?) {
                        taken.push(Taken { log, record, assignment });
                    }
                }
            }
            wait = Duration::ZERO;
        }
        Ok(taken)
    }

    /// Goes to where a sink that keeps positions says; what librdkafka has begun to hand over is then not taken.
    fn starts_elsewhere(&self, log: LogId) -> Result<bool, ClientError> {
        let Some((sink, spec)) = self.sink.as_ref().zip(self.app.sink.as_ref()) else { return Ok(false) };
        if spec.style != SinkStyle::PositionInside {
            return Ok(false);
        }
        let next = sink.position(log)?.unwrap_or(Offset(0));
        self.seek(log, next.0)?;
        Ok(true)
    }

    fn seek(&self, log: LogId, next: i64) -> Result<(), ClientError> {
        let Some(place) = self.membership.place(log) else { return Ok(()) };
        if let Err(error) = self.library.seek(&place.topic, place.partition, rdkafka::Offset::Offset(next), SEEK) {
            // The log was given away meanwhile, most likely: then nobody reads on from the wrong place.
            self.membership.counts.error(&name_of(&error));
        }
        Ok(())
    }

    fn mark(&self, taken: &[Taken]) {
        for one in taken {
            self.membership.done(one.log, one.record.offset.0 + 1);
        }
    }

    fn process(&mut self, invoked: Nanos, taken: &[Taken]) -> Result<Then, ClientError> {
        let mut pending: Vec<Taken> = Vec::new();
        for one in taken {
            if self.membership.assignment(one.log) != Some(one.assignment) {
                continue;
            }
            self.spend_time();
            if self.falls_at(Point::Working) {
                self.finish(invoked, &mut pending)?;
                return self.fall();
            }
            pending.push(*one);
            self.processed += 1;
            if self.app.commit == Commit::AfterRecord {
                self.finish(invoked, &mut pending)?;
                self.membership.commit(&self.library, &[one.log])?;
            }
            if self.falls_at(Point::Done) {
                self.finish(invoked, &mut pending)?;
                return self.fall();
            }
            self.wander(invoked, one.log, &mut pending)?;
        }
        self.finish(invoked, &mut pending)?;
        match self.app.commit {
            Commit::AfterBatch => self.membership.commit(&self.library, &self.membership.owned())?,
            Commit::Async => self.membership.commit_later(&self.library)?,
            _ => {}
        }
        Ok(Then::GoOn)
    }

    /// The work on a record.
    fn spend_time(&self) {
        if self.app.work_us > 0 {
            let until = Nanos(clock::now().0 + self.app.work_us * NS_PER_US);
            self.context.stop.wait(Deadline(until));
        }
    }

    fn falls_at(&self, point: Point) -> bool {
        self.app.falls.is_some_and(|falls| falls.at == point && self.processed == falls.after)
    }

    fn falls_between(&self) -> bool {
        self.app.falls.is_some_and(|falls| falls.at == Point::Between && self.processed >= falls.after)
    }

    fn fall(&self) -> Result<Then, ClientError> {
        match self.app.falls.map(|falls| falls.by) {
            Some(Ending::Kill) => die(),
            _ => Ok(Then::End),
        }
    }

    /// Leaves the effects of processed records, journals them, and counts them as done.
    fn finish(&mut self, invoked: Nanos, pending: &mut Vec<Taken>) -> Result<(), ClientError> {
        pending.sort_by_key(|one| one.log);
        for of_log in pending.chunk_by(|a, b| a.log == b.log) {
            let log = of_log[0].log;
            let records: Vec<Record> = of_log.iter().map(|one| one.record).collect();
            match (&mut self.sink, &self.app.sink) {
                // What became of it is read from the sink itself.
                (Some(sink), Some(spec)) => sink.write(spec.style, log, &records)?,
                _ => self.deliver(log, invoked, &records)?,
            }
            if self.app.commit != Commit::Before {
                self.mark(of_log);
            }
            self.membership.counts.records.fetch_add(records.len() as u64, Ordering::Relaxed);
            self.store(of_log[of_log.len() - 1])?;
        }
        pending.clear();
        Ok(())
    }

    fn deliver(&self, log: LogId, invoked: Nanos, records: &[Record]) -> Result<(), ClientError> {
        for run in records.chunk_by(|a, b| a.offset < b.offset) {
            let detail = run[0].offset.0 as u64;
            let subject = Subject { kind: Kind::Poll, detail, ..self.membership.subject(Kind::Poll, log) };
            self.membership.journal.read(subject, invoked, run)?;
            self.membership.counts.outcome(Outcome::Ok);
        }
        Ok(())
    }

    /// Tells the library how far it is, where the library commits what it is told.
    fn store(&self, last: Taken) -> Result<(), ClientError> {
        if self.app.commit != Commit::Stored {
            return Ok(());
        }
        let Some(place) = self.membership.place(last.log) else { return Ok(()) };
        let offset = last.record.offset.0 + self.app.shift;
        self.membership.may_store(last.log, offset + 1)?;
        if let Err(error) = self.library.store_offset(&place.topic, place.partition, offset) {
            self.membership.counts.error(&name_of(&error));
        }
        Ok(())
    }

    /// Pauses and steps back, where the application does that.
    fn wander(&mut self, invoked: Nanos, log: LogId, pending: &mut Vec<Taken>) -> Result<(), ClientError> {
        let Some(Wanders { every, pause_ms, back }) = self.app.wanders else { return Ok(()) };
        if !self.processed.is_multiple_of(every) {
            return Ok(());
        }
        self.finish(invoked, pending)?;
        if matches!(self.app.commit, Commit::AfterBatch | Commit::AfterRecord | Commit::Async) {
            // It goes back from a position that it has stored: what it takes next is told apart from a new owner's start.
            self.membership.commit(&self.library, &[log])?;
        }
        let mut list = TopicPartitionList::new();
        for place in self.membership.owned().iter().filter_map(|log| self.membership.place(*log)) {
            list.add_partition(&place.topic, place.partition);
        }
        let paused = self.library.pause(&list);
        self.context.stop.wait(Deadline::in_ms(pause_ms));
        let next = self.membership.position(log).map(|next| (next - back).max(0));
        if let Some(next) = next.filter(|_| back > 0) {
            // While it is paused: librdkafka resumes from where it paused, and that may overtake a step made after it.
            self.seek(log, next)?;
            self.membership.renew(log);
            let subject = self.membership.subject(Kind::Assign, log);
            let chosen = crate::journal::Answer::ok(Offset(next));
            self.membership.journal.observe(subject, clock::now(), chosen)?;
        }
        if let Err(error) = paused.and_then(|()| self.library.resume(&list)) {
            self.membership.counts.error(&name_of(&error));
        }
        Ok(())
    }

    fn leave(self) {
        match self.app.leaves {
            Leaves::Closing => drop(self.library),
            Leaves::Unsubscribing => {
                self.library.unsubscribe();
                drop(self.library);
            }
            Leaves::Silently => std::mem::forget(self.library),
        }
    }
}
