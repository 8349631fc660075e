//! How often each record reached a group: at most once, at least once, exactly once, as measured.
//!
//! ```text
//! exist  0 1 2 3 4 5 6        from the group's first delivery or start to its last delivery or commit
//! given    1 2 2   4          3 was skipped, 2 delivered twice, 5 and 6 are still to come, 0 was before its time
//! ```

use super::finding::{Finding, FindingKind};
use super::gather::{LogKnown, Stream};
use history::{History, Kind, LogId, Nanos, Op};
use serde::{Deserialize, Serialize};

/// What deliveries amounted to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// No record was delivered.
    Nothing,
    /// Every record once.
    ExactlyOnce,
    /// Every record, some again.
    AtLeastOnce,
    /// None twice, some never.
    AtMostOnce,
    /// Some never and some twice.
    Neither,
}

/// What a group was delivered of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The group.
    pub group: u32,
    /// The log.
    pub log: LogId,
    /// In a word.
    pub guarantee: Guarantee,
    /// Records delivered, each counted once.
    pub delivered: u64,
    /// Deliveries beyond each record's first.
    pub redeliveries: u64,
    /// Offsets delivered more than once, as inclusive ranges.
    pub redelivered: Vec<(i64, i64)>,
    /// Records passed over, as inclusive ranges of offsets.
    pub skipped: Vec<(i64, i64)>,
    /// How many they are.
    pub skipped_count: u64,
    /// Records beyond everything delivered or committed.
    pub to_come: u64,
}

pub(super) fn measure(history: &History, stream: &Stream, log: &LogKnown) -> Delivery {
    let polls = stream.steps.iter().filter(|op| op.kind() == Kind::Poll);
    let records = polls.flat_map(|op| history.records_of(op)).filter(|record| record.value.is_ordinary());
    let mut given: Vec<i64> = records.map(|record| record.offset.0).collect();
    given.sort_unstable();
    let runs = given.chunk_by(|a, b| a == b);
    let mut redelivered = Ranges::default();
    let (mut delivered, mut redeliveries) = (0, 0);
    for run in runs {
        delivered += 1;
        redeliveries += run.len() as u64 - 1;
        if run.len() > 1 {
            redelivered.add(run[0], false);
        }
    }
    let end = end(stream, &given);
    let skipped = skipped(stream, log, &given, end);
    let guarantee = match (delivered, redeliveries, skipped.count) {
        (0, _, 0) => Guarantee::Nothing,
        (_, 0, 0) => Guarantee::ExactlyOnce,
        (_, _, 0) => Guarantee::AtLeastOnce,
        (_, 0, _) => Guarantee::AtMostOnce,
        _ => Guarantee::Neither,
    };
    Delivery {
        group: stream.group,
        log: stream.log,
        guarantee,
        delivered,
        redeliveries,
        redelivered: redelivered.ranges,
        skipped_count: skipped.count,
        skipped: skipped.ranges,
        to_come: log.between(end, i64::MAX).len() as u64,
    }
}

/// One past everything delivered or surely committed.
fn end(stream: &Stream, given: &[i64]) -> i64 {
    let committed = stream.commits.iter().filter(|c| c.done != Nanos::NEVER).map(|c| c.op.offset.0);
    given.last().map(|last| last.saturating_add(1)).into_iter().chain(committed).max().unwrap_or(i64::MIN)
}

/// Existing offsets from the group's start to `end` that were never given. `given` is sorted.
fn skipped(stream: &Stream, log: &LogKnown, given: &[i64], end: i64) -> Ranges {
    let assigned = stream.steps.iter().filter(|op| op.kind() == Kind::Assign && op.offset.0 >= 0);
    let mut skipped = Ranges::default();
    let Some(start) = given.first().copied().into_iter().chain(assigned.map(|op| op.offset.0)).min() else {
        return skipped;
    };
    let mut given = given.iter().copied().peekable();
    let mut adjacent = false;
    for &offset in log.between(start, end) {
        while given.next_if(|g| *g < offset).is_some() {}
        let missed = given.peek() != Some(&offset);
        if missed {
            skipped.add(offset, adjacent);
        }
        adjacent = missed;
    }
    skipped
}

/// Inclusive ranges, rising.
#[derive(Default)]
struct Ranges {
    ranges: Vec<(i64, i64)>,
    count: u64,
}

impl Ranges {
    /// Adds an offset above all others, to the last range if it is the next offset or known to be adjacent.
    fn add(&mut self, offset: i64, adjacent: bool) {
        self.count += 1;
        match self.ranges.last_mut() {
            Some(last) if adjacent || last.1.checked_add(1) == Some(offset) => last.1 = offset,
            _ => self.ranges.push((offset, offset)),
        }
    }
}

pub(super) fn findings(history: &History, stream: &Stream, delivery: &Delivery) -> Vec<Finding> {
    let (group, log) = (stream.group, stream.log);
    let skipped = delivery.skipped.first().map(|(first, last)| Finding {
        kind: FindingKind::Skipped,
        group,
        log,
        offsets: delivery.skipped.clone(),
        count: delivery.skipped_count,
        ops: passed_by(stream, *last).into_iter().collect(),
        sentence: format!(
            "{} records of {} never reached group {group} though later ones or its position passed them; the first are \
             offsets {first} to {last}",
            delivery.skipped_count,
            history.names.log(log),
        ),
    });
    let redelivered = delivery.redelivered.first().map(|(first, _)| Finding {
        kind: FindingKind::Redelivered,
        group,
        log,
        offsets: delivery.redelivered.clone(),
        count: delivery.redeliveries,
        ops: first_two(history, stream, *first),
        sentence: format!(
            "group {group} was given records of {} again {} times; the first is offset {first}",
            history.names.log(log),
            delivery.redeliveries,
        ),
    });
    skipped.into_iter().chain(redelivered).collect()
}

/// The delivery that first went beyond an offset, or the farthest commit.
fn passed_by(stream: &Stream, offset: i64) -> Option<Op> {
    let polls = stream.steps.iter().filter(|op| op.kind() == Kind::Poll);
    let after = polls.filter(|op| op.offset.0 > offset).min_by_key(|op| (op.offset, op.invoked));
    let committed = stream.commits.iter().map(|commit| &commit.op).max_by_key(|op| op.offset);
    after.or(committed).copied()
}

/// The first two deliveries of an offset.
fn first_two(history: &History, stream: &Stream, offset: i64) -> Vec<Op> {
    let holds = |op: &&Op| history.records_of(op).iter().any(|record| record.offset.0 == offset);
    let polls = stream.steps.iter().filter(|op| op.kind() == Kind::Poll);
    let mut ops: Vec<Op> = polls.filter(holds).copied().collect();
    ops.sort_by_key(|op| op.invoked);
    ops.truncate(2);
    ops
}
