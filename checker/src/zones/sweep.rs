//! Zones, and the sweep over them.

use super::{Access, Action, Span, Violation};

/// A time and the access it belongs to. The initial value is from before all time.
type Mark = (i128, Option<usize>);

const BEFORE_ALL: Mark = (-1, None);

/// A value's zone: earliest return and latest call.
#[derive(Clone, Copy)]
struct Zone {
    finish: Mark,
    start: Mark,
}

impl Zone {
    fn is_forward(&self) -> bool {
        self.finish.0 < self.start.0
    }

    fn span(&self) -> Span {
        Span { early: self.finish.1, late: self.start.1 }
    }
}

/// Every value that contradicts itself, and for every other one a value that contradicts it, if any does. Empty iff the
/// accesses can be put in order (or some value was written twice, which is then said). `initial`: the value before the
/// first write.
pub fn check(accesses: &[Access], initial: Option<u64>) -> Vec<Violation> {
    let told = |at: &usize| accesses[*at].action == Action::Write || accesses[*at].ret.is_some();
    let mut order: Vec<usize> = (0..accesses.len()).filter(told).collect();
    order.sort_unstable_by_key(|at| (accesses[*at].value, accesses[*at].action, accesses[*at].call, *at));
    let mut violations = Vec::new();
    let mut zones = Vec::new();
    for group in order.chunk_by(|a, b| accesses[*a].value == accesses[*b].value) {
        let initial = initial == Some(accesses[group[0]].value);
        match zone(accesses, group, initial, &mut violations) {
            Some(zone) => zones.push(zone),
            None => continue,
        }
    }
    sweep(zones, &mut violations);
    violations
}

/// The zone of one value's accesses, writes first; none if the value contradicts itself or need not have been there.
fn zone(accesses: &[Access], group: &[usize], initial: bool, violations: &mut Vec<Violation>) -> Option<Zone> {
    let (writes, reads) = group.split_at(group.partition_point(|at| accesses[*at].action == Action::Write));
    let write = match (writes, initial) {
        ([], true) => None,
        ([], false) => {
            violations.extend(reads.iter().map(|read| Violation::NeverWritten { read: *read }));
            return None;
        }
        ([write], false) => Some(*write),
        ([first, second, ..], _) => {
            violations.push(Violation::WrittenTwice { first: *first, second: *second });
            return None;
        }
        ([write], true) => {
            violations.push(Violation::WrittenTwice { first: *write, second: *write });
            return None;
        }
    };
    let call = |at: usize| (i128::from(accesses[at].call), Some(at));
    let ret = |at: usize| accesses[at].ret.map(|ret| (i128::from(ret.max(accesses[at].call)), Some(at)));
    let called = write.map_or(BEFORE_ALL, call);
    let too_early = reads.iter().copied().filter(|read| ret(*read).is_some_and(|ret| ret.0 < called.0));
    let early: Vec<usize> = too_early.collect();
    if let (Some(write), false) = (write, early.is_empty()) {
        violations.extend(early.iter().map(|read| Violation::ReadBeforeWrite { read: *read, write }));
        return None;
    }
    let finish = match write {
        None => Some(BEFORE_ALL),
        Some(write) => {
            group.iter().filter_map(|at| ret(*at)).min().filter(|_| !reads.is_empty() || ret(write).is_some())
        }
    };
    let start = reads.iter().map(|read| call(*read)).chain([called]).max()?;
    Some(Zone { finish: finish?, start })
}

/// Finds, for each zone, a forward zone that it contradicts.
fn sweep(zones: Vec<Zone>, violations: &mut Vec<Violation>) {
    let (mut forward, backward): (Vec<Zone>, Vec<Zone>) = zones.into_iter().partition(Zone::is_forward);
    forward.sort_unstable_by_key(|zone| zone.finish);
    // The zone that lasts longest of those that finish no later, at each place.
    let mut lasting: Vec<Zone> = Vec::with_capacity(forward.len());
    for zone in &forward {
        let before = lasting.last().copied();
        if let Some(other) = before.filter(|other| zone.finish.0 < other.start.0) {
            violations.push(Violation::Returned { value: other.span(), other: zone.span() });
        }
        lasting.push(before.filter(|other| other.start >= zone.start).unwrap_or(*zone));
    }
    for zone in &backward {
        let begun = forward.partition_point(|other| other.finish.0 < zone.start.0);
        let around = begun.checked_sub(1).map(|at| lasting[at]).filter(|other| zone.finish.0 < other.start.0);
        violations.extend(around.map(|other| Violation::Returned { value: other.span(), other: zone.span() }));
    }
}
