//! The generations a member is given only rise, and one that is over commits nothing more.
//!
//! ```text
//! a assign 3 [0 1]   b assign 4 [2 3]   a commit 3 ok [4 5]       caught: generation 4 had begun
//! a assign 3 [0 1]   b assign 4 [2 5]   a commit 3 ok [4 6]       innocent: it may have begun after the commit
//! ```
//! Generation 0 is not known and takes no part.

use super::finding::{Finding, FindingKind};
use super::gather::{Gathered, Stream};
use history::{History, Kind, LogId, Nanos, Op, Outcome};

pub(super) fn find(history: &History, gathered: &Gathered) -> Vec<Finding> {
    let groups = gathered.streams.chunk_by(|a, b| a.group == b.group);
    groups.flat_map(|streams| in_group(history, streams)).collect()
}

fn in_group(history: &History, streams: &[Stream]) -> Vec<Finding> {
    let begins = streams.iter().flat_map(|s| &s.steps).filter(|op| op.kind() == Kind::Assign && op.generation() != 0);
    let mut begins: Vec<Op> = begins.copied().collect();
    let highest = Highest::new(begins.clone());
    let commits = streams.iter().flat_map(|s| &s.commits).filter(|c| c.op.outcome() == Outcome::Ok);
    let told = commits.filter(|c| c.op.generation() != 0);
    let stale = told.filter_map(|c| Some(stale_commit(history, highest.before(&c.op)?, c.op)));
    let mut findings: Vec<Finding> = stale.collect();
    begins.sort_by_key(|op| (op.process(), op.invoked));
    for of_process in begins.chunk_by(|a, b| a.process() == b.process()) {
        let highest = Highest::new(of_process.to_vec());
        let back = of_process.iter().filter_map(|op| Some(went_back(history, highest.before(op)?, *op)));
        findings.extend(back);
    }
    findings
}

/// The highest generation surely begun, by time.
struct Highest(Vec<(Nanos, Op)>);

impl Highest {
    fn new(mut begins: Vec<Op>) -> Highest {
        begins.sort_by_key(|op| op.returned);
        let mut highest: Vec<(Nanos, Op)> = begins.into_iter().map(|op| (op.returned, op)).collect();
        for at in 1..highest.len() {
            if highest[at - 1].1.generation() > highest[at].1.generation() {
                highest[at].1 = highest[at - 1].1;
            }
        }
        Highest(highest)
    }

    /// One above the operation's, surely begun before it.
    fn before(&self, op: &Op) -> Option<Op> {
        let at = self.0.partition_point(|(begun, _)| *begun < op.invoked).checked_sub(1)?;
        Some(self.0[at].1).filter(|begin| begin.generation() > op.generation())
    }
}

fn stale_commit(history: &History, begin: Op, commit: Op) -> Finding {
    let sentence = format!(
        "{} committed {} in {} as of generation {} after {} had been given generation {}",
        history.names.process(commit.process()),
        commit.offset.0,
        history.names.log(commit.log),
        commit.generation(),
        history.names.process(begin.process()),
        begin.generation(),
    );
    finding(FindingKind::StaleGenerationCommit, commit.log, vec![begin, commit], sentence)
}

fn went_back(history: &History, before: Op, begin: Op) -> Finding {
    let sentence = format!(
        "{} was given generation {} of group {} after generation {}",
        history.names.process(begin.process()),
        begin.generation(),
        begin.group(),
        before.generation(),
    );
    finding(FindingKind::GenerationWentBack, begin.log, vec![before, begin], sentence)
}

fn finding(kind: FindingKind, log: LogId, ops: Vec<Op>, sentence: String) -> Finding {
    let group = ops.first().map_or(0, Op::group);
    Finding { kind, group, log, offsets: Vec::new(), count: 1, ops, sentence }
}
