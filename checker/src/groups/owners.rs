//! Two owners of one log at one time.
//!
//! A member surely owns a log from the return of its assignment to the call of its revocation or, without one, to the call
//! of its last poll that returned records of it.
//!
//! ```text
//! a assign [0 1]   a poll [2 3]   a poll [8 9]
//! b                assign [4 5]                      caught: a still read at 8 what b owned from 5 on
//! a revoke [2 3]                                     innocent with this in place of a's last poll
//! ```

use super::finding::{Finding, FindingKind};
use super::gather::Stream;
use history::{History, Kind, Nanos, Op};

/// One member's surely owning a log.
#[derive(Clone, Copy)]
struct Reign {
    assign: Op,
    last: Op,
}

impl Reign {
    fn from(&self) -> Nanos {
        self.assign.returned
    }

    fn to(&self) -> Nanos {
        self.last.invoked.max(self.from())
    }
}

/// One finding for each reign that began during another's, with the one of those that lasted longest.
pub(super) fn find(history: &History, stream: &Stream) -> Vec<Finding> {
    let mut reigns = reigns(&stream.steps);
    reigns.sort_by_key(Reign::from);
    let mut findings = Vec::new();
    let mut longest: Option<Reign> = None;
    for reign in reigns {
        if let Some(other) = longest.filter(|other| other.to() > reign.from())
            && other.assign.process() != reign.assign.process()
        {
            findings.push(finding(history, stream, other, reign));
        }
        if longest.is_none_or(|other| other.to() < reign.to()) {
            longest = Some(reign);
        }
    }
    findings
}

/// `steps` are by process and time.
fn reigns(steps: &[Op]) -> Vec<Reign> {
    let mut reigns: Vec<Reign> = Vec::new();
    let mut open: Option<Reign> = None;
    for op in steps {
        let own = open.filter(|reign| reign.assign.process() == op.process());
        match (op.kind(), own) {
            (Kind::Assign, _) => {
                reigns.extend(open.replace(Reign { assign: *op, last: *op }));
            }
            (Kind::Revoke, Some(reign)) => {
                reigns.push(Reign { last: *op, ..reign });
                open = None;
            }
            (Kind::Poll, Some(reign)) => open = Some(Reign { last: *op, ..reign }),
            _ => (),
        }
    }
    reigns.extend(open);
    reigns
}

fn finding(history: &History, stream: &Stream, one: Reign, other: Reign) -> Finding {
    let (a, b) = (one.assign.generation(), other.assign.generation());
    let shared = a == b && a != 0;
    let kind = if shared { FindingKind::GenerationShared } else { FindingKind::TwoOwners };
    let sentence = format!(
        "{} owned {} for group {} in generation {a} for {:.3} s after {} had been given it in generation {b}",
        history.names.process(one.assign.process()),
        history.names.log(stream.log),
        stream.group,
        one.to().since(other.from()) as f64 / 1e9,
        history.names.process(other.assign.process()),
    );
    let ops = vec![one.assign, other.assign, one.last];
    Finding { kind, group: stream.group, log: stream.log, offsets: Vec::new(), count: 1, ops, sentence }
}
