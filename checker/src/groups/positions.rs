//! A group's position as a register: commits write it, answers read it.
//!
//! ```text
//! commit 5 [0 1]   commit 7 [2 3]   committed 5 [4 5]      caught: 7 was acknowledged and is gone
//! commit 5 [0 1]   commit 7 [2 5]   committed 5 [4 6]      innocent: 7 was not acknowledged yet
//! ```
//! Where no position was committed twice, zones judge it completely ([`crate::zones`]). Where some was, a read is judged by
//! the latest commit surely done before it: its value must have been committed at some time after that one was called.

use super::finding::{Finding, FindingKind};
use super::gather::{Commit, Stream};
use crate::hash::Map;
use crate::zones::{Access, Action, Violation, check};
use history::{History, Nanos, Offset, Op};

pub(super) fn find(history: &History, stream: &Stream) -> Vec<Finding> {
    let mut findings = went_back(history, stream);
    let reads = if unique(stream) { by_zones(history, stream) } else { by_latest(history, stream) };
    findings.extend(reads);
    findings
}

fn unique(stream: &Stream) -> bool {
    let mut offsets: Vec<Offset> = stream.commits.iter().map(|c| c.op.offset).collect();
    offsets.sort_unstable();
    offsets.windows(2).all(|pair| pair[0] != pair[1]) && offsets.first().is_none_or(|first| *first >= Offset(0))
}

fn finding(kind: FindingKind, stream: &Stream, at: Offset, ops: Vec<Op>, sentence: String) -> Finding {
    Finding { kind, group: stream.group, log: stream.log, offsets: vec![(at.0, at.0)], count: 1, ops, sentence }
}

/// Acknowledged commits below one acknowledged before they were asked for, each with the highest such.
fn went_back(history: &History, stream: &Stream) -> Vec<Finding> {
    let mut done: Vec<&Commit> = stream.commits.iter().filter(|c| c.done != Nanos::NEVER).collect();
    let asked = done.clone();
    done.sort_by_key(|c| c.done);
    let (mut done, mut highest): (_, Option<&Commit>) = (done.into_iter().peekable(), None);
    let mut findings = Vec::new();
    for commit in asked {
        while let Some(before) = done.next_if(|c| c.done < commit.op.invoked) {
            if highest.is_none_or(|h| before.op.offset > h.op.offset) {
                highest = Some(before);
            }
        }
        if let Some(high) = highest.filter(|high| commit.op.offset < high.op.offset) {
            let sentence = format!(
                "{} set {} to {} after {} had been acknowledged",
                history.names.process(commit.op.process()),
                history.names.position(stream.group, stream.log),
                commit.op.offset.0,
                high.op.offset.0,
            );
            let ops = vec![high.op, commit.op];
            findings.push(finding(FindingKind::CommitWentBack, stream, commit.op.offset, ops, sentence));
        }
    }
    findings
}

/// Positions as zone values: none at all is 0.
fn value(offset: Offset) -> u64 {
    (offset.0.max(-1) as u64).wrapping_add(1)
}

fn by_zones(history: &History, stream: &Stream) -> Vec<Finding> {
    let returned = |t: Nanos| Some(t.0).filter(|_| t != Nanos::NEVER);
    let writes = stream.commits.iter().map(|c| {
        let (call, ret) = (c.op.invoked.0, returned(c.done));
        Access { action: Action::Write, value: value(c.op.offset), call, ret }
    });
    let reads = stream.reads.iter().map(|op| {
        let (call, ret) = (op.invoked.0, returned(op.returned));
        Access { action: Action::Read, value: value(op.offset), call, ret }
    });
    let accesses: Vec<Access> = writes.chain(reads).collect();
    let op = |at: usize| match at.checked_sub(stream.commits.len()) {
        Some(read) => stream.reads[read],
        None => stream.commits[at].op,
    };
    let violations = check(&accesses, Some(value(Offset::UNKNOWN)));
    violations.iter().map(|violation| from_zones(history, stream, violation, &op)).collect()
}

fn from_zones(history: &History, stream: &Stream, violation: &Violation, op: &impl Fn(usize) -> Op) -> Finding {
    let mut ops: Vec<Op> = violation.accesses().into_iter().map(op).collect();
    ops.sort_by_key(|op| op.invoked);
    match violation {
        Violation::Returned { value, other } => {
            let other = other.early.or(other.late).map_or(Offset::UNKNOWN, |at| op(at).offset);
            let late = value.late.or(value.early).map(op);
            lost(history, stream, late.map_or(Offset::UNKNOWN, |op| op.offset), other, ops)
        }
        Violation::NeverWritten { read } | Violation::ReadBeforeWrite { read, .. } => {
            from_nowhere(history, stream, &op(*read), ops)
        }
        Violation::WrittenTwice { first, .. } => from_nowhere(history, stream, &op(*first), ops),
    }
}

fn lost(history: &History, stream: &Stream, back: Offset, gone: Offset, ops: Vec<Op>) -> Finding {
    let sentence = format!(
        "{} was {} again after {} had been committed over it",
        history.names.position(stream.group, stream.log),
        back.0,
        gone.0,
    );
    finding(FindingKind::CommitLost, stream, gone, ops, sentence)
}

fn from_nowhere(history: &History, stream: &Stream, read: &Op, ops: Vec<Op>) -> Finding {
    let sentence = format!(
        "{} was told to be {}, which nobody had committed by then",
        history.names.position(stream.group, stream.log),
        read.offset.0,
    );
    finding(FindingKind::CommitFromNowhere, stream, read.offset, ops, sentence)
}

/// What is known of a register's writes without unique values.
pub(super) struct Latest<'a> {
    /// Commits surely done, by that time, each with the latest called so far.
    done: Vec<(Nanos, &'a Commit)>,
    /// By value: (value, the last time one of it may have taken effect, the first call), rising.
    values: Vec<(Offset, Nanos, Nanos)>,
    /// Every commit that may have happened: (value, the last time it may have taken effect, its call), rising.
    pub(super) each: Vec<(Offset, Nanos, Nanos)>,
}

impl<'a> Latest<'a> {
    pub(super) fn new(stream: &'a Stream) -> Latest<'a> {
        let certain = stream.commits.iter().filter(|c| c.done != Nanos::NEVER);
        let mut done: Vec<(Nanos, &Commit)> = certain.map(|c| (c.done, c)).collect();
        done.sort_by_key(|(time, _)| *time);
        for at in 1..done.len() {
            if done[at - 1].1.op.invoked > done[at].1.op.invoked {
                done[at].1 = done[at - 1].1;
            }
        }
        let mut by_value: Map<Offset, (Nanos, Nanos)> = Map::default();
        for commit in &stream.commits {
            let (done, called) = by_value.entry(commit.op.offset).or_insert((Nanos(0), Nanos::NEVER));
            (*done, *called) = (commit.done.max(*done), commit.op.invoked.min(*called));
        }
        let mut values: Vec<_> = by_value.into_iter().map(|(value, (done, called))| (value, done, called)).collect();
        values.sort_unstable();
        let mut each: Vec<_> = stream.commits.iter().map(|c| (c.op.offset, c.done, c.op.invoked)).collect();
        each.sort_unstable();
        Latest { done, values, each }
    }

    /// Of the commits surely done before `time` the one called last.
    pub(super) fn before(&self, time: Nanos) -> Option<&'a Commit> {
        let at = self.done.partition_point(|(done, _)| *done < time).checked_sub(1)?;
        Some(self.done[at].1)
    }
}

fn by_latest(history: &History, stream: &Stream) -> Vec<Finding> {
    let latest = Latest::new(stream);
    let judged = stream.reads.iter().filter_map(|read| {
        let known = latest.values.binary_search_by_key(&read.offset, |v| v.0).ok().map(|at| latest.values[at]);
        let before = latest.before(read.invoked);
        match (known, before) {
            (None, None) if read.offset == Offset::UNKNOWN => None,
            (Some((_, _, called)), _) if called > read.returned => {
                Some(from_nowhere(history, stream, read, vec![*read]))
            }
            (Some((_, done, _)), Some(before)) if done >= before.op.invoked => None,
            (Some(_), None) => None,
            (None, _) if read.offset != Offset::UNKNOWN => Some(from_nowhere(history, stream, read, vec![*read])),
            (_, Some(before)) => Some(lost(history, stream, read.offset, before.op.offset, vec![before.op, *read])),
            (None, None) => None,
        }
    });
    judged.collect()
}
