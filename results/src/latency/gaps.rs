//! The longest time without an acknowledgement, from the first send wanted to the last one made or acknowledged.

use super::Gap;
use history::{LogId, Nanos, Op, Outcome};
use std::collections::BTreeMap;

/// When sends were wanted and when they were acknowledged.
#[derive(Default)]
struct Span {
    wanted: Option<(Nanos, Nanos)>,
    acks: Vec<Nanos>,
}

impl Span {
    fn add(&mut self, op: &Op, intended: Nanos) {
        let (first, last) = self.wanted.unwrap_or((intended, op.invoked));
        self.wanted = Some((first.min(intended), last.max(op.invoked)));
        if op.outcome() == Outcome::Ok && op.returned != Nanos::NEVER {
            self.acks.push(op.returned);
        }
    }

    fn longest(mut self) -> Option<Gap> {
        let (first, last) = self.wanted?;
        self.acks.sort_unstable();
        if self.acks.last().is_none_or(|ack| *ack < last) {
            self.acks.push(last);
        }
        let mut from = first;
        let gaps = self.acks.into_iter().map(|to| {
            let gap = Gap { from, ns: to.since(from) };
            from = from.max(to);
            gap
        });
        gaps.max_by(|a, b| (a.ns, b.from).cmp(&(b.ns, a.from)))
    }
}

/// The longest gap of all logs together, and of each.
pub fn longest<'a>(appends: impl Iterator<Item = (&'a Op, &'a Nanos)>) -> (Option<Gap>, Vec<(LogId, Gap)>) {
    let mut all = Span::default();
    let mut logs: BTreeMap<LogId, Span> = BTreeMap::new();
    for (op, intended) in appends {
        all.add(op, *intended);
        logs.entry(op.log).or_default().add(op, *intended);
    }
    let of_logs = logs.into_iter().filter_map(|(log, span)| Some((log, span.longest()?)));
    (all.longest(), of_logs.collect())
}
