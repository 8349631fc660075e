//! A sampler: asks each log's leader in turn for the readable end and for what lies beyond the last window, over the wire.
//!
//! Its fetches are true windows, so an empty one proves something; its questions are few and its bytes limited, so that it
//! watches the load and is none. A question without answer is journalled as unknown: it constrains nothing.

use super::status::{Counts, Tally};
use super::{ClientError, Context};
use crate::clock::{self, Deadline};
use crate::finals;
use crate::journal::{Answer, Subject};
use crate::spec::{Also, LogPlace, SamplerSpec};
use crate::wire::{Claimant, Cluster, Connection, Isolation, OffsetAt, Window, WireError};
use history::{Kind, Nanos, Offset, Outcome};
use std::sync::atomic::Ordering;

const QUESTION_MS_MAX: u64 = 500;
/// Of so many positions asked for, one is stored by somebody who may not.
const CLAIM_EVERY: u32 = 5;
/// Coordinators move; the sampler has logs to look at meanwhile.
const POSITION_MS_MAX: u64 = 200;
const WINDOW_BYTES_MAX: i32 = 64 * 1024;
/// Not 0: a broker may take that for "do not bother" (tansu 0.6.0 answers without the partition).
const WINDOW_WAIT_MS: i32 = 1;
/// A sampler this far behind the end goes to it at once.
const BEHIND_RECORDS_MAX: i64 = 10_000;
const END: OffsetAt = OffsetAt::Latest(Isolation::ReadUncommitted);

/// Runs a sampler until the process is asked to stop.
pub fn run(context: &Context, spec: &SamplerSpec) -> Result<Tally, ClientError> {
    let mut sampler = Sampler {
        cluster: Cluster::new(&context.spec.bootstrap, &context.spec.name),
        next: vec![Offset(0); context.spec.logs.len()],
        counts: Counts::default(),
        claims: 0,
    };
    let mut turns = (0..context.spec.logs.len()).cycle();
    while !context.stop.wait(Deadline::in_ms(spec.interval_ms)) {
        let turn = turns.next().unwrap_or(0);
        sampler.sample(context, spec, turn)?;
    }
    let asked = sampler.counts.sent.load(Ordering::Relaxed);
    Ok(sampler.counts.tally(spec.process, asked, 0))
}

struct Sampler {
    cluster: Cluster,
    /// Where each log's next window begins.
    next: Vec<Offset>,
    counts: Counts,
    /// Positions asked for.
    claims: u32,
}

impl Sampler {
    fn sample(&mut self, context: &Context, spec: &SamplerSpec, turn: usize) -> Result<(), ClientError> {
        let place = &context.spec.logs[turn];
        let subject = Subject { process: spec.process, kind: Kind::EndOffset, log: place.id, detail: 0 };
        if let Some(end) = self.ask_end(context, subject, place)? {
            if end.0 - self.next[turn].0 > BEHIND_RECORDS_MAX {
                self.next[turn] = end;
            }
            self.next[turn] = self.ask_window(context, subject, place, self.next[turn])?.unwrap_or(end);
        }
        match &spec.also {
            Also::Nothing => Ok(()),
            Also::Offsets => self.ask_offsets(context, subject, place),
            Also::Positions { group, id } => {
                self.ask_position(context, subject, place, (*group, id))?;
                self.claims += 1;
                match self.claims.is_multiple_of(CLAIM_EVERY) {
                    true => self.claim_position(context, subject, place, (*group, id)),
                    false => Ok(()),
                }
            }
        }
    }

    /// The stable end, the log's start and the leader's epoch.
    fn ask_offsets(&mut self, context: &Context, subject: Subject, place: &LogPlace) -> Result<(), ClientError> {
        let stable = OffsetAt::Latest(Isolation::ReadCommitted);
        for (kind, at) in [(Kind::StableEnd, stable), (Kind::LogStart, OffsetAt::Earliest), (Kind::Epoch, END)] {
            let (invoked, deadline) = (clock::now(), Deadline::in_ms(QUESTION_MS_MAX));
            let ask = |c: &mut Connection, d| c.list_offset(&place.topic, place.partition, at, d);
            let asked = self.cluster.leader(&place.topic, place.partition, deadline, ask);
            let answer = match &asked {
                Ok((_, epoch)) if kind == Kind::Epoch && epoch.0 < 0 => continue,
                Ok((_, epoch)) if kind == Kind::Epoch => Answer::ok(Offset(epoch.0.into())),
                Ok((offset, _)) => Answer::ok(*offset),
                Err(error) => self.failed(error),
            };
            self.counts.sent.fetch_add(1, Ordering::Relaxed);
            self.counts.outcome(answer.outcome);
            context.journal.observe(Subject { kind, ..subject }, invoked, answer)?;
        }
        Ok(())
    }

    /// How far the group is in the log, as its coordinator has it.
    fn ask_position(
        &mut self,
        context: &Context,
        subject: Subject,
        place: &LogPlace,
        (group, id): (u32, &str),
    ) -> Result<(), ClientError> {
        let (invoked, deadline) = (clock::now(), Deadline::in_ms(POSITION_MS_MAX));
        let answer = match self.cluster.committed(id, &place.topic, place.partition, deadline) {
            Ok(position) => Answer::ok(position),
            Err(error) => self.failed(&error),
        };
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        self.counts.outcome(answer.outcome);
        let subject = Subject { kind: Kind::Committed, detail: finals::of_group(group), ..subject };
        Ok(context.journal.observe(subject, invoked, answer)?)
    }

    /// Somebody whom the group has long forgotten stores what it had: nobody may believe it.
    fn claim_position(
        &mut self,
        context: &Context,
        subject: Subject,
        place: &LogPlace,
        (group, id): (u32, &str),
    ) -> Result<(), ClientError> {
        let subject = Subject { kind: Kind::Commit, detail: finals::of_group(group), ..subject };
        context.journal.invoke(subject, Nanos(0))?;
        let by = Claimant { group: id, member: "long-forgotten", generation: 1 };
        let (place, deadline) = ((place.topic.as_str(), place.partition), Deadline::in_ms(POSITION_MS_MAX));
        let answer = match self.cluster.commit_once(by, place, Offset(0), deadline) {
            Ok(()) => Answer::ok(Offset::UNKNOWN),
            Err(error) if error.is_about_the_member() => Answer::error(Outcome::Fail, error.code()),
            Err(error) => self.failed(&error),
        };
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        self.counts.outcome(answer.outcome);
        Ok(context.journal.complete(subject, answer)?)
    }

    fn ask_end(
        &mut self,
        context: &Context,
        subject: Subject,
        place: &LogPlace,
    ) -> Result<Option<Offset>, ClientError> {
        let invoked = clock::now();
        let deadline = Deadline::in_ms(QUESTION_MS_MAX);
        let asked = self.cluster.list_offset(&place.topic, place.partition, END, deadline);
        let answer = match &asked {
            Ok(end) => Answer::ok(*end),
            Err(error) => self.failed(error),
        };
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        self.counts.outcome(answer.outcome);
        context.journal.observe(subject, invoked, answer)?;
        Ok(asked.ok())
    }

    /// Fetches from `from` and says where to go on, if that is known.
    fn ask_window(
        &mut self,
        context: &Context,
        subject: Subject,
        place: &LogPlace,
        from: Offset,
    ) -> Result<Option<Offset>, ClientError> {
        let subject = Subject { kind: Kind::Fetch, detail: from.0 as u64, ..subject };
        let (invoked, deadline) = (clock::now(), Deadline::in_ms(QUESTION_MS_MAX));
        let window = Window {
            from,
            bytes_max: WINDOW_BYTES_MAX,
            wait_ms: WINDOW_WAIT_MS,
            isolation: Isolation::ReadUncommitted,
        };
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        match self.cluster.fetch(&place.topic, place.partition, window, deadline) {
            Ok(fetched) => {
                let records = fetched.read(context.spec.run);
                if !fetched.is_hollow(&records) {
                    context.journal.read(subject, invoked, &records)?;
                }
                self.counts.outcome(Outcome::Ok);
                self.counts.records.fetch_add(records.len() as u64, Ordering::Relaxed);
                Ok(Some(fetched.next))
            }
            Err(error) => {
                let answer = self.failed(&error);
                self.counts.outcome(answer.outcome);
                context.journal.read_failed(subject, invoked, answer.error)?;
                Ok((!error.is_out_of_range()).then_some(from))
            }
        }
    }

    fn failed(&mut self, error: &WireError) -> Answer {
        self.counts.error(&error.name());
        Answer::error(Outcome::Unknown, error.code())
    }
}
