//! Somebody who administers topics while others work: makes topics, gives them partitions, deletes the oldest records of the
//! topic under load.
//!
//! What was acknowledged is a version of a topic: how many partitions it has. Each version is journalled as a write of a
//! register (see [`crate::admin`]), so that a change that was acknowledged and forgotten is seen. One change at a time; after
//! one whose outcome is not known the topic is left alone.

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
    // By topic, how many partitions it has; none once nobody can tell.
    let mut partitions: Vec<Option<i32>> = vec![Some(0); admin::TOPICS_MAX as usize];
    let mut turns = (0..admin::TOPICS_MAX).cycle();
    while !context.stop.wait(Deadline::in_ms(spec.interval_ms)) {
        let topic = turns.next().unwrap_or(0);
        let place = context.spec.logs.get(topic as usize % context.spec.logs.len().max(1));
        if let (Some(place), Some(keeps)) = (place, spec.keeps_records) {
            trim(&mut cluster, place, keeps, &counts);
        }
        let Some(had) = partitions[topic as usize].filter(|had| *had < admin::PARTITIONS_MAX) else { continue };
        let subject = Subject {
            process: spec.process,
            kind: Kind::Commit,
            log: LogId(0),
            detail: crate::finals::of_group(spec.group + topic),
        };
        context.journal.invoke(subject, Nanos(had as u64 + 1))?;
        counts.sent.fetch_add(1, Ordering::Relaxed);
        let changed = change(&mut cluster, spec, topic, had);
        let answer = match &changed {
            Ok(()) => Answer::ok(Offset::UNKNOWN),
            Err(error) => {
                counts.error(&error.name());
                Answer::error(Outcome::Unknown, error.code())
            }
        };
        counts.outcome(answer.outcome);
        partitions[topic as usize] = changed.is_ok().then_some(had + 1);
        context.journal.complete(subject, answer)?;
    }
    let asked = counts.sent.load(Ordering::Relaxed);
    Ok(counts.tally(spec.process, asked, 0))
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

/// One attempt at one change: a topic that has no partitions is made, another one is given one more.
fn change(cluster: &mut Cluster, spec: &OperatorSpec, topic: u32, had: i32) -> Result<(), WireError> {
    let (name, deadline) = (admin::topic_name(&spec.prefix, topic), Deadline::in_ms(CHANGE_MS_MAX));
    if had > 0 {
        return cluster.anybody_once(deadline, |c, d| c.create_partitions(&name, had + 1, d));
    }
    let new = NewTopic { name, partitions: 1, replication: spec.replication, configs: Default::default() };
    cluster.anybody_once(deadline, |c, d| c.create_topic(&new, d))
}
