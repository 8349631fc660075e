//! Where an acknowledged record stood whose acknowledgement did not say: an `acks=0` report, or the answer to an attempt that
//! the broker knew already.
//!
//! ```text
//! writer 3   .11 @40   .12 ?   .13 ?   .14 @43        .12 stood at 41, or beyond: records of other writers may lie between
//! ```
//! **Invariant:** an offset that was told is never replaced, and one that was inferred is never called proven.

use history::{History, Kind, LogId, Offset, Op, Outcome, Value, WriterId};
use std::collections::{BTreeMap, HashMap, HashSet};

/// An acknowledged record that is missing, at the offset it was told at or placed at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Its append.
    pub op: Op,
    /// By which record of its writer it was placed, if no offset was told.
    pub placed_by: Option<Neighbour>,
}

/// A record of the same writer in the same log whose offset is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// The record.
    pub value: Value,
    /// Where it stood.
    pub offset: Offset,
    /// The row of the operation that says so.
    pub row: usize,
}

/// What is known of a writer's records in a log: by sequence, where each stood.
type Line = BTreeMap<u64, Option<Neighbour>>;

/// The same appends, those without an offset placed by their writer's other records.
pub fn place(ops: &[Op], history: &History) -> Vec<Missing> {
    let of = |op: &Op| (op.value().writer(), op.log);
    let wanted: HashSet<(WriterId, LogId)> = ops.iter().filter(|op| op.offset < Offset(0)).map(of).collect();
    let lines = if wanted.is_empty() { HashMap::new() } else { lines(history, &wanted) };
    let placed = |op: &Op| match lines.get(&of(op)).filter(|_| op.offset < Offset(0)).and_then(|l| beside(l, *op)) {
        Some((offset, by)) => {
            let mut op = *op;
            op.offset = offset;
            Missing { op, placed_by: Some(by) }
        }
        None => Missing { op: *op, placed_by: None },
    };
    ops.iter().map(placed).collect()
}

fn lines(history: &History, wanted: &HashSet<(WriterId, LogId)>) -> HashMap<(WriterId, LogId), Line> {
    let mut lines: HashMap<(WriterId, LogId), Line> = HashMap::new();
    let mut know = |log: LogId, value: Value, offset: Offset, row: usize| {
        if wanted.contains(&(value.writer(), log)) {
            let known = (offset >= Offset(0)).then_some(Neighbour { value, offset, row });
            let entry = lines.entry((value.writer(), log)).or_default().entry(value.sequence()).or_default();
            *entry = entry.or(known);
        }
    };
    for (row, op) in history.ops.iter().enumerate().filter(|(_, op)| op.kind() == Kind::Append) {
        know(op.log, op.value(), if op.outcome() == Outcome::Ok { op.offset } else { Offset::UNKNOWN }, row);
    }
    for (row, op) in history.ops.iter().enumerate().filter(|(_, op)| op.kind().reads_records()) {
        for record in history.records_of(op).iter().filter(|record| record.value.is_ordinary()) {
            know(op.log, record.value, record.offset, row);
        }
    }
    lines
}

/// So many offsets behind the nearest earlier record as there are records from it on, else as many before the nearest later.
fn beside(line: &Line, op: Op) -> Option<(Offset, Neighbour)> {
    let sequence = op.value().sequence();
    let earlier = line.range(..sequence).rev().enumerate();
    let earlier = earlier.filter_map(|(n, (_, known))| Some((n as i64 + 1, (*known)?)));
    let later = line.range(sequence + 1..).enumerate();
    let later = later.filter_map(|(n, (_, known))| Some((-(n as i64) - 1, (*known)?)));
    let (distance, by) = { earlier }.next().or_else(|| { later }.next())?;
    Some((Offset((by.offset.0 + distance).max(0)), by))
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{Nanos, ProcessId, Record};

    fn append(writer: u32, sequence: u64, offset: i64) -> Op {
        let op = Op::invoke(Kind::Append, ProcessId(writer), LogId(0), Nanos(1));
        op.complete(Outcome::Ok, Nanos(2), Offset(offset)).with_detail(Value::new(WriterId(writer), sequence).0)
    }

    fn placed(history: &History, op: Op) -> (i64, Option<i64>) {
        let placed = place(&[op], history)[0];
        (placed.op.offset.0, placed.placed_by.map(|by| by.offset.0))
    }

    #[test]
    fn a_record_stands_behind_its_writers_last_and_before_its_next() {
        let ops = vec![append(3, 11, 40), append(3, 12, -1), append(3, 13, -1), append(3, 14, 43), append(3, 15, -1)];
        let history = History { ops: ops.clone(), ..History::default() };
        assert_eq!(placed(&history, ops[1]), (41, Some(40)));
        assert_eq!(placed(&history, ops[2]), (42, Some(40)));
        assert_eq!(placed(&history, ops[4]), (44, Some(43)));
        let first = History { ops: ops[1..4].to_vec(), ..History::default() };
        assert_eq!(placed(&first, ops[1]), (41, Some(43)), "by the later one where there is no earlier");
    }

    #[test]
    fn an_offset_that_was_told_stays_and_one_nobody_knows_stays_unknown() {
        let history = History { ops: vec![append(3, 1, 7), append(4, 1, -1), append(3, 2, 30)], ..History::default() };
        assert_eq!(placed(&history, history.ops[2]), (30, None));
        assert_eq!(placed(&history, history.ops[1]), (-1, None), "another writer's records tell nothing");
    }

    #[test]
    fn a_record_that_was_read_tells_where_it_stood() {
        let mut history = History { ops: vec![append(3, 1, -1), append(3, 2, -1)], ..History::default() };
        let read = Op::invoke(Kind::Fetch, ProcessId(9), LogId(0), Nanos(5)).complete(Outcome::Ok, Nanos(6), Offset(8));
        history.push_read(read, &[Record { offset: Offset(8), value: Value::new(WriterId(3), 1) }]);
        assert_eq!(placed(&history, history.ops[1]), (9, Some(8)));
    }
}
