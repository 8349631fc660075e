//! The last stable offset stood still below the readable end for too long: everything behind it is hidden from readers of
//! committed data.
//!
//! ```text
//! stable 4 [0 1]   end 9 [2 3]   stable 4 [100 101]     caught, if 97 is too long
//! stable 4 [0 1]   end 4 [2 3]   stable 4 [100 101]     innocent: nothing is hidden
//! ```
//! Kafka itself holds it for the length of an open transaction, so the limit must be above the transaction timeout.

use super::finding::{Finding, FindingKind};
use crate::hash::Map;
use history::{History, Kind, LogId, Nanos, Offset, Op, Outcome};

/// A log's answers.
#[derive(Default)]
pub(super) struct Answers {
    /// Last stable offsets, by time.
    pub(super) stable: Vec<Op>,
    /// Ends, as they come in the history.
    pub(super) ends: Vec<Op>,
}

/// What was told of each log, as far as it `counts`, by log.
pub(super) fn answers(history: &History, counts: impl Fn(&Op) -> bool) -> Vec<(LogId, Answers)> {
    let mut logs: Map<LogId, Answers> = Map::default();
    for op in history.ops.iter().filter(|op| op.outcome() == Outcome::Ok && counts(op)) {
        match op.kind() {
            Kind::StableEnd => logs.entry(op.log).or_default().stable.push(*op),
            Kind::EndOffset => logs.entry(op.log).or_default().ends.push(*op),
            _ => (),
        }
    }
    let mut logs: Vec<(LogId, Answers)> = logs.into_iter().collect();
    logs.sort_unstable_by_key(|(log, _)| *log);
    for (_, answers) in &mut logs {
        answers.stable.sort_unstable_by_key(|op| (op.invoked, op.returned));
    }
    logs
}

/// One finding for each stretch of time longer than `stall_ns_max` in which a log's last stable offset surely did not move
/// though the log's end was beyond it.
pub fn stalls(history: &History, stall_ns_max: u64) -> Vec<Finding> {
    let logs = answers(history, |_| true);
    logs.into_iter().flat_map(|(log, answers)| in_log(history, log, answers, stall_ns_max)).collect()
}

fn in_log(history: &History, log: LogId, mut answers: Answers, stall_ns_max: u64) -> Vec<Finding> {
    answers.ends.sort_unstable_by_key(|op| (op.offset, op.returned));
    // By rising end: the earliest reply that told an end at least as large.
    for at in (1..answers.ends.len()).rev() {
        if answers.ends[at].returned < answers.ends[at - 1].returned {
            answers.ends[at - 1] = answers.ends[at];
        }
    }
    let stretches = answers.stable.chunk_by(|a, b| a.offset == b.offset);
    let found = stretches.filter_map(|stretch| {
        let (first, last) = (stretch.first()?, stretch.last()?);
        let beyond = answers.ends.get(answers.ends.partition_point(|end| end.offset <= first.offset))?;
        let since = stretch.iter().map(|op| op.returned).min()?.max(beyond.returned);
        let stood = last.invoked.since(since);
        let answers = vec![*first, *beyond, *last];
        let found = || finding(history, log, first.offset, (since, stood), beyond.offset);
        (stood > stall_ns_max).then(|| Finding { answers, ..found() })
    });
    found.collect()
}

fn finding(history: &History, log: LogId, at: Offset, (since, stood): (Nanos, u64), end: Offset) -> Finding {
    let sentence = format!(
        "the last stable offset of {} stood at {} for {:.3} s from {:.3} s on, while the log reached {} and more",
        history.names.log(log),
        at.0,
        stood as f64 / 1e9,
        since.since(history.names.epoch) as f64 / 1e9,
        end.0,
    );
    Finding::new(FindingKind::StableEndStalled, Vec::new(), sentence).at(log, Some(at), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::read;

    fn found(text: &str) -> usize {
        stalls(&read(text).unwrap().history, 50).len()
    }

    #[test]
    fn a_stable_end_that_stands_still_below_the_end_is_a_stall() {
        assert_eq!(found("s1 stable 4 [0 1]\ns1 end 9 [2 3]\ns1 stable 4 [100 101]"), 1);
        assert_eq!(found("s1 stable 4 [0 1]\ns1 end 4 [2 3]\ns1 stable 4 [100 101]"), 0);
    }

    #[test]
    fn a_stable_end_that_moves_or_stands_briefly_is_none() {
        assert_eq!(found("s1 stable 4 [0 1]\ns1 end 9 [2 3]\ns1 stable 5 [40 41]\ns1 stable 6 [100 101]"), 0);
        assert_eq!(found("s1 stable 4 [0 1]\ns1 end 9 [2 3]\ns1 stable 4 [40 41]"), 0);
        assert_eq!(found("s1 stable 4 [0 1]\ns1 end 9 [80 81]\ns1 stable 4 [100 101]"), 0);
    }
}
