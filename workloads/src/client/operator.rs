//! Somebody who administers topics while others work: makes topics, gives them partitions, deletes the oldest records of the
//! topic under load.
//!
//! What was acknowledged is a version of a topic: how many partitions it has, and how often one of its configs was changed.
//! Each version is journalled as a write of a register (see [`crate::admin`]), so that a change that was acknowledged and
//! forgotten is seen. One change at a time; after one whose outcome is not known the register is left alone.

use super::status::{Counts, Tally};
use super::{ClientError, Context};
use crate::admin;
use crate::clock::Deadline;
use crate::journal::{Answer, Subject};
use crate::spec::{LogPlace, OperatorSpec};
use crate::wire::{Cluster, Isolation, NewTopic, OffsetAt, WireError};
use history::{Kind, LogId, Nanos, Offset, Outcome};
use std::sync::atomic::Ordering;

const CHANGE_MS_MAX: u64 = 5_000;
const TRIM_MS_MAX: u64 = 300;

/// Runs it until the process is asked to stop.
pub fn run(context: &Context, spec: &OperatorSpec) -> Result<Tally, ClientError> {
    let (counts, mut cluster) = (Counts::default(), Cluster::new(&context.spec.bootstrap, &context.spec.name));
    // By register, the version it has; none once nobody can tell.
    let mut versions: Vec<Option<u32>> = vec![Some(0); admin::REGISTERS as usize];
    let mut turns = (0..admin::REGISTERS).cycle();
    while !context.stop.wait(Deadline::in_ms(spec.interval_ms)) {
        let turn = turns.next().unwrap_or(0);
        let place = context.spec.logs.get(turn as usize % context.spec.logs.len().max(1));
        if let (Some(place), Some(keeps)) = (place, spec.keeps_records) {
            trim(&mut cluster, place, keeps, &counts);
        }
        let register = Register::of(turn);
        let made = versions[register.topic as usize] != Some(0);
        let Some(had) = versions[register.number as usize].filter(|had| register.may_change(*had, made)) else {
            continue;
        };
        let subject = Subject {
            process: spec.process,
            kind: Kind::Commit,
            log: LogId(0),
            detail: crate::finals::of_group(spec.group + register.number),
        };
        context.journal.invoke(subject, Nanos(u64::from(had) + 1))?;
        counts.sent.fetch_add(1, Ordering::Relaxed);
        let changed = change(&mut cluster, spec, register, had + 1);
        let answer = match &changed {
            Ok(()) => Answer::ok(Offset::UNKNOWN),
            Err(error) => {
                counts.error(&error.name());
                Answer::error(Outcome::Unknown, error.code())
            }
        };
        counts.outcome(answer.outcome);
        versions[register.number as usize] = changed.is_ok().then_some(had + 1);
        context.journal.complete(subject, answer)?;
    }
    let asked = counts.sent.load(Ordering::Relaxed);
    Ok(counts.tally(spec.process, asked, 0))
}

/// Something of a topic that has versions.
#[derive(Clone, Copy)]
struct Register {
    number: u32,
    topic: u32,
    of: Of,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Partitions,
    Config,
}

impl Register {
    fn of(number: u32) -> Register {
        match number.checked_sub(admin::TOPICS_MAX) {
            None => Register { number, topic: number, of: Of::Partitions },
            Some(topic) => Register { number, topic, of: Of::Config },
        }
    }

    /// Whether it may have another version; the topic may have been `made`.
    fn may_change(&self, had: u32, made: bool) -> bool {
        match self.of {
            Of::Partitions => had < admin::PARTITIONS_MAX,
            Of::Config => made,
        }
    }
}

/// One attempt at one change: a topic that has no partitions is made, another one is given one more; a config is set.
fn change(cluster: &mut Cluster, spec: &OperatorSpec, register: Register, version: u32) -> Result<(), WireError> {
    let (name, deadline) = (admin::topic_name(&spec.prefix, register.topic), Deadline::in_ms(CHANGE_MS_MAX));
    match (register.of, version) {
        (Of::Config, version) => {
            let value = admin::config_value(version);
            cluster.anybody_once(deadline, |c, d| c.set_config(&name, (admin::CONFIG, &value), d))
        }
        (Of::Partitions, 1) => {
            let new = NewTopic { name, partitions: 1, replication: spec.replication, configs: Default::default() };
            cluster.anybody_once(deadline, |c, d| c.create_topic(&new, d))
        }
        (Of::Partitions, count) => cluster.anybody_once(deadline, |c, d| c.create_partitions(&name, count as i32, d)),
    }
}

/// Deletes all but the newest records of a log. What became of it shows in where the log is told to start from then on.
fn trim(cluster: &mut Cluster, place: &LogPlace, keeps: u32, counts: &Counts) {
    let (topic, partition, deadline) = (&place.topic, place.partition, Deadline::in_ms(TRIM_MS_MAX));
    let end = cluster.list_offset(topic, partition, OffsetAt::Latest(Isolation::ReadUncommitted), deadline);
    let before = end.map(|end| Offset(end.0 - i64::from(keeps)));
    let trimmed = before.and_then(|before| match before > Offset(0) {
        true => cluster.leader(topic, partition, deadline, |c, d| c.delete_records(topic, partition, before, d)),
        false => Ok(()),
    });
    if let Err(error) = trimmed {
        counts.error(&error.name());
    }
}
