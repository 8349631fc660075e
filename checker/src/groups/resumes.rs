//! Where a new owner began: at the group's position, or somewhere else.
//!
//! ```text
//! commit 5 [0 1]   assign [2 3]   poll 5:…  [4 5]      innocent; so is 6 if no record stands at 5
//! commit 5 [0 1]   assign [2 3]   poll 2:…  [4 5]      caught: 2 to 4 are delivered again
//! commit 5 [0 1]   assign [2 3]   poll 9:…  [4 5]      caught: 5 to 8 are skipped; if the log began at 9 by then, a reset
//! ```
//! The position is read at some time between the assignment and the first records. A group that never committed may begin
//! anywhere.

use super::finding::{Finding, FindingKind};
use super::gather::{Commit, LogKnown, Stream};
use super::positions::Latest;
use history::{History, Kind, Nanos, Offset, Op};

/// Commits to one gap in a log looked at before the owner is given the benefit of the doubt.
const COMMITS_TRIED_MAX: usize = 10_000;

/// A new owner that began elsewhere than at the position.
struct Resume<'a> {
    /// The latest commit surely done before the assignment.
    before: &'a Commit,
    assign: Op,
    poll: Op,
    /// The first record's offset.
    first: Offset,
}

pub(super) fn find(history: &History, stream: &Stream, log: &LogKnown) -> Vec<Finding> {
    let latest = Latest::new(stream);
    let mut findings = Vec::new();
    for pair in stream.steps.windows(2) {
        let (assign, poll) = (pair[0], pair[1]);
        let resumes = assign.kind() == Kind::Assign && poll.kind() == Kind::Poll;
        if !resumes || assign.process() != poll.process() {
            continue;
        }
        let Some(first) = history.records_of(&poll).first().map(|record| record.offset) else { continue };
        if let Some(before) = latest.before(assign.invoked)
            && !allowed(&latest, log, (before.op.invoked, poll.returned), first)
        {
            findings.push(finding(history, stream, log, &Resume { before, assign, poll, first }));
        }
    }
    findings
}

/// Whether some commit that may have been the position since `window.0`, called by `window.1`, leads to `first`.
fn allowed(latest: &Latest<'_>, log: &LogKnown, window: (Nanos, Nanos), first: Offset) -> bool {
    let below = log.existing.partition_point(|o| *o < first.0);
    let lowest = below.checked_sub(1).map_or(i64::MIN, |at| log.existing[at].saturating_add(1));
    let start = latest.each.partition_point(|(value, ..)| value.0 < lowest);
    let gap = latest.each[start..].iter().take_while(|(value, ..)| *value <= first);
    let mut tried = 0;
    for (_, done, called) in gap {
        tried += 1;
        if tried > COMMITS_TRIED_MAX || *done >= window.0 && *called <= window.1 {
            return true;
        }
    }
    false
}

fn finding(history: &History, stream: &Stream, log: &LogKnown, resume: &Resume<'_>) -> Finding {
    let Resume { before, assign, poll, first } = *resume;
    let position = before.op.offset;
    let told = |op: &&Op| op.returned <= poll.returned;
    let start = log.starts.iter().filter(told).filter(|op| op.offset > position).max_by_key(|op| op.offset);
    let since = |op: &&Op| told(op) && op.invoked > before.done && op.offset < position;
    let end = log.ends.iter().filter(since).min_by_key(|op| op.offset);
    let passed = log.between(position.0.min(first.0), position.0.max(first.0));
    let (kind, why) = match (start, end) {
        (Some(op), _) => (FindingKind::OutOfRangeReset, format!("; the log began at {}", op.offset.0)),
        (_, Some(op)) => (FindingKind::OutOfRangeReset, format!("; the log ended at {}", op.offset.0)),
        _ if first < position => (FindingKind::ResumedEarlier, String::new()),
        _ => (FindingKind::ResumedLater, String::new()),
    };
    let sentence = format!(
        "{} took over {} for group {} at offset {}, and the position was {}: {} records {}{why}",
        history.names.process(poll.process()),
        history.names.log(stream.log),
        stream.group,
        first.0,
        position.0,
        passed.len(),
        if first < position { "were delivered again" } else { "were passed over" },
    );
    let offsets = passed.first().zip(passed.last()).map(|(a, b)| (*a, *b)).into_iter().collect();
    let ops = [Some(before.op), Some(assign), start.or(end).copied(), Some(poll)].into_iter().flatten().collect();
    Finding { kind, group: stream.group, log: stream.log, offsets, count: passed.len() as u64, ops, sentence }
}
