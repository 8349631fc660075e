//! Behind the logs: which part of the way a record did not make that a reader or a group never got.
//!
//! ```text
//! assigned from A ──────────── position stored at C        o < A        C1  its reader began beyond it
//!        └ A ≤ o < C, delivered later ones, never o        A ≤ o < C    C2  its position went over it in a member's hands
//! the group processed o, and its effect (a row, an output) is not there  C3
//! nobody read o before the final read                                    L
//! ```
//! **Invariant:** what a member had fetched is not recorded, only what it processed; so C2 rests on the position that a member began
//! at and the one it stored, and where the first is not known both C1 and C2 are left.

use super::death::{Certainty, Death, Proof};
use super::stage::Stage;
use super::words::{records, row, stretch};
use history::{History, Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, Role};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What a reader or a group passed over in a log.
pub struct Passed<'a> {
    /// The log.
    pub log: LogId,
    /// The process that is known to have passed it.
    pub by: ProcessId,
    /// The offsets, in inclusive ranges; those at which no record stands do not matter.
    pub stretches: &'a [(i64, i64)],
}

/// An operation and its row.
type Row<'a> = (usize, &'a Op);

/// What tells of records that ended alike: their stage, how sure it is, and the operations.
type Alike = (Stage, Certainty, Vec<usize>);

struct Group<'a> {
    number: u32,
    /// Assignments, deliveries and commits of the group in the log, by invocation.
    rows: Vec<Row<'a>>,
}

/// Where the records that were passed over ended, offset by offset, told together where alike.
pub fn unprocessed(history: &History, passed: &Passed<'_>) -> Vec<Death> {
    let groups = groups(history, passed.log);
    let number = group_of(history, passed.by);
    let group = groups.iter().find(|group| group.number == number);
    let of_effects = group.is_some_and(|group| is_of_effects(history, group));
    let existing = existing(history, passed.log);
    let mut alike: BTreeMap<Alike, Vec<i64>> = BTreeMap::new();
    for offset in passed.stretches.iter().flat_map(|(first, last)| existing.range(*first..=*last)) {
        let told = match group {
            Some(group) if of_effects => effect(history, &groups, group, *offset),
            Some(group) => member(group, *offset),
            None => (Stage::C1, Certainty::Proven, Vec::new()),
        };
        alike.entry(told).or_default().push(*offset);
    }
    alike.iter().map(|(told, offsets)| death(history, passed, told, offsets)).collect()
}

/// A group's number, 0 for a reader of its own.
fn group_of(history: &History, process: ProcessId) -> u32 {
    let tells = |op: &&Op| op.process() == process && matches!(op.kind(), Kind::Assign | Kind::Commit);
    history.ops.iter().filter(tells).map(Op::group).find(|group| *group > 0).unwrap_or(0)
}

fn groups(history: &History, log: LogId) -> Vec<Group<'_>> {
    let mut of: HashMap<ProcessId, u32> = HashMap::new();
    let tells = |op: &&Op| matches!(op.kind(), Kind::Assign | Kind::Commit) && op.group() > 0;
    for op in history.ops.iter().filter(tells) {
        of.entry(op.process()).or_insert_with(|| op.group());
    }
    let mut rows: BTreeMap<u32, Vec<Row<'_>>> = BTreeMap::new();
    let matters = |op: &Op| matches!(op.kind(), Kind::Assign | Kind::Commit | Kind::Poll) && op.log == log;
    for row in history.ops.iter().enumerate().filter(|(_, op)| matters(op)) {
        if let Some(group) = of.get(&row.1.process()) {
            rows.entry(*group).or_default().push(row);
        }
    }
    rows.values_mut().for_each(|rows| rows.sort_by_key(|(_, op)| op.invoked));
    rows.into_iter().map(|(number, rows)| Group { number, rows }).collect()
}

/// Effects are read once everything is over: nothing of such a group is older than the final read.
fn is_of_effects(history: &History, group: &Group<'_>) -> bool {
    let drained = history.ops.iter().filter(|op| history.names.role(op.process()) == Role::Drain);
    let began = drained.map(|op| op.invoked).min().unwrap_or(Nanos::NEVER);
    group.rows.iter().all(|(_, op)| op.invoked >= began)
}

/// Offsets of a log at which somebody read a record.
fn existing(history: &History, log: LogId) -> BTreeSet<i64> {
    let reads = history.ops.iter().filter(|op| op.log == log && op.kind().reads_records());
    let records = reads.flat_map(|op| history.records_of(op)).filter(|record| record.value.is_ordinary());
    records.map(|record| record.offset.0).collect()
}

fn processed(history: &History, group: &Group<'_>, offset: i64) -> Option<usize> {
    let holds = |op: &Op| history.records_of(op).iter().any(|record| record.offset.0 == offset);
    group.rows.iter().find(|(_, op)| op.kind() == Kind::Poll && holds(op)).map(|(row, _)| *row)
}

/// An effect that is missing: of a record that a member processed, or of one that the members' group lost before.
fn effect(history: &History, groups: &[Group<'_>], of: &Group<'_>, offset: i64) -> Alike {
    let mut sources = groups.iter().filter(|group| group.number != of.number);
    match sources.clone().find_map(|group| processed(history, group, offset)) {
        Some(row) => (Stage::C3, Certainty::Proven, vec![row]),
        None => match sources.next() {
            Some(group) => member(group, offset),
            None => (Stage::C3, Certainty::Candidate, Vec::new()),
        },
    }
}

/// A record that a group never processed, by the positions its members began at and stored.
fn member(group: &Group<'_>, offset: i64) -> Alike {
    let over = |op: &Op| match op.kind() {
        Kind::Commit => op.outcome() != Outcome::Fail && op.offset.0 > offset,
        Kind::Poll => op.offset.0 > offset,
        _ => false,
    };
    // A stored position says more than a later delivery: it is what the next member begins at.
    let passed = |kind: Kind| group.rows.iter().find(|(_, op)| op.kind() == kind && over(op));
    let Some((passed, op)) = passed(Kind::Commit).or_else(|| passed(Kind::Poll)) else {
        return (Stage::C1, Certainty::Candidate, Vec::new());
    };
    let mut began = group.rows.iter().filter(|(_, o)| o.kind() == Kind::Assign && o.process() == op.process());
    match began.rfind(|(_, assigned)| assigned.invoked <= op.invoked) {
        Some((row, assigned)) if assigned.offset.0 > offset => (Stage::C1, Certainty::Proven, vec![*row, *passed]),
        Some((row, assigned)) if assigned.offset.0 >= 0 => (Stage::C2, Certainty::Proven, vec![*row, *passed]),
        // Where it began is not told; what it processed before tells that it was not beyond.
        Some((row, assigned)) => match group.rows.iter().rfind(|(_, o)| is_before(o, assigned, op, offset)) {
            Some((below, _)) => (Stage::C2, Certainty::Proven, vec![*below, *passed]),
            None => (Stage::C2, Certainty::Candidate, vec![*row, *passed]),
        },
        None => (Stage::C2, Certainty::Candidate, vec![*passed]),
    }
}

/// True for a delivery from below `offset` to who passed it, between the assignment and the passing.
fn is_before(delivery: &Op, assigned: &Op, passed: &Op, offset: i64) -> bool {
    let at = (assigned.invoked..=passed.invoked).contains(&delivery.invoked);
    let same = delivery.process() == passed.process() && delivery.kind() == Kind::Poll;
    at && same && (0..offset).contains(&delivery.offset.0)
}

/// Records that exist before where a group began: of nobody's concern to the claims, and never fetched.
pub fn before_groups(history: &History) -> Vec<Death> {
    let logs = (0..history.names.logs.len() as u32).map(LogId);
    logs.flat_map(|log| {
        let existing = existing(history, log);
        let groups = groups(history, log).into_iter().filter(|group| !is_of_effects(history, group));
        groups.filter_map(|group| before_group(history, log, &group, &existing)).collect::<Vec<_>>()
    })
    .collect()
}

fn before_group(history: &History, log: LogId, group: &Group<'_>, existing: &BTreeSet<i64>) -> Option<Death> {
    let begins = group.rows.iter().filter(|(_, op)| op.kind() != Kind::Commit && op.offset.0 >= 0);
    let (row, first) = begins.min_by_key(|(_, op)| op.offset)?;
    let offsets: Vec<i64> = existing.range(..first.offset.0).copied().collect();
    let passed = Passed { log, by: first.process(), stretches: &[] };
    (!offsets.is_empty()).then(|| death(history, &passed, &(Stage::C1, Certainty::Proven, vec![*row]), &offsets))
}

fn death(history: &History, passed: &Passed<'_>, (stage, certainty, rows): &Alike, offsets: &[i64]) -> Death {
    let span = (Offset(offsets[0]), Offset(offsets[offsets.len() - 1]));
    let proof: Vec<Proof> = rows.iter().map(|at| row(*at, says(history, &history.ops[*at]))).collect();
    let doubt = match (certainty, stage) {
        (Certainty::Candidate, Stage::C1 | Stage::C2) => {
            "; where its reader began is not recorded, and would tell C1 from C2"
        }
        (Certainty::Candidate, _) => "; what the members did is not recorded",
        _ => "",
    };
    let told: Vec<&str> = proof.iter().map(|proof| proof.says.as_str()).collect();
    let told = if told.is_empty() { "its reader's next read began beyond them".to_owned() } else { told.join("; ") };
    let (log, many) = (history.names.log(passed.log), records(offsets.len()));
    let sentence = format!("{many} of {log}, {}: {stage}. {told}{doubt}", stretch(span));
    let (stage, certainty, records) = (*stage, *certainty, offsets.len() as u64);
    Death { stage, certainty, records, offsets: span, sentence, copies: Vec::new(), proof }
}

fn says(history: &History, op: &Op) -> String {
    let who = history.names.process(op.process());
    let at = op.invoked.since(history.names.epoch) as f64 / 1e9;
    match op.kind() {
        Kind::Assign if op.offset.0 < 0 => format!("{who} was given the log at {at:.3} s, from where is not told"),
        Kind::Assign => format!("{who} was given the log at {at:.3} s from offset {}", op.offset.0),
        Kind::Commit => format!("{who} stored position {} at {at:.3} s", op.offset.0),
        _ => format!("{who} processed from offset {} on at {at:.3} s", op.offset.0),
    }
}

/// Acknowledged records that no consumer had read when the load ended, log by log: beyond everything that any had come to, and
/// read at last.
pub fn late(history: &History) -> Vec<Death> {
    let of = |role: Role| move |op: &&Op| history.names.role(op.process()) == role && op.kind().reads_records();
    let drained: HashSet<_> = {
        let read = history.ops.iter().filter(of(Role::Drain));
        read.flat_map(|op| history.records_of(op).iter().map(|record| (op.log, record.value))).collect()
    };
    let began = history.ops.iter().filter(of(Role::Drain)).map(|op| op.invoked).min().unwrap_or(Nanos::NEVER);
    let mut reach: BTreeMap<LogId, (i64, usize)> = BTreeMap::new();
    for (row, op) in history.ops.iter().enumerate().filter(|(_, op)| of(Role::Consumer)(op) && op.invoked < began) {
        if let Some(last) = history.records_of(op).last() {
            let reached = reach.entry(op.log).or_insert((-1, row));
            *reached = (*reached).max((last.offset.0, row));
        }
    }
    let mut late: BTreeMap<LogId, Vec<Offset>> = BTreeMap::new();
    let acked = history.ops.iter().filter(|op| op.kind() == Kind::Append && op.outcome() == Outcome::Ok);
    for op in acked.filter(|op| drained.contains(&(op.log, op.value()))) {
        if reach.get(&op.log).is_some_and(|(reached, _)| op.offset.0 > *reached) {
            late.entry(op.log).or_default().push(op.offset);
        }
    }
    let told = |(log, offsets): (LogId, Vec<Offset>)| {
        let (reached, at) = reach.get(&log).copied()?;
        let span = (*offsets.iter().min()?, *offsets.iter().max()?);
        let who = history.names.process(history.ops[at].process());
        let says = format!("{who} had come to offset {reached} and nobody farther");
        let (log, many) = (history.names.log(log), records(offsets.len()));
        let sentence = format!("{many} of {log}, {}: {}. {says}", stretch(span), Stage::L);
        let (stage, certainty, copies) = (Stage::L, Certainty::Proven, Vec::new());
        let records = offsets.len() as u64;
        Some(Death { stage, certainty, records, offsets: span, sentence, copies, proof: vec![row(at, says)] })
    };
    late.into_iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{ProcessName, Record, Value, WriterId};

    /// Process 0 is a member, 1 the final read, 2 reads effects.
    fn history() -> History {
        let mut history = History::default();
        let process = |role| ProcessName { name: "p".into(), role, writer: None };
        history.names.processes = [Role::Consumer, Role::Drain, Role::Consumer].map(process).to_vec();
        history.names.logs = vec!["q-0".into()];
        read(&mut history, 1, 100, 0..10);
        history
    }

    fn op(kind: Kind, process: u32, at: u64, offset: i64) -> Op {
        Op::invoke(kind, ProcessId(process), LogId(0), Nanos(at)).complete(Outcome::Ok, Nanos(at + 1), Offset(offset))
    }

    fn of_group(history: &mut History, kind: Kind, (process, group): (u32, u32), at: u64, offset: i64) {
        history.ops.push(op(kind, process, at, offset).with_group(group, 1));
    }

    fn read(history: &mut History, process: u32, at: u64, offsets: std::ops::Range<i64>) {
        let kind = if process == 1 { Kind::Fetch } else { Kind::Poll };
        let record = |n| Record { offset: Offset(n), value: Value::new(WriterId(7), n as u64) };
        let records: Vec<Record> = offsets.clone().map(record).collect();
        history.push_read(op(kind, process, at, offsets.start), &records);
    }

    fn told(history: &History, by: u32, stretch: (i64, i64)) -> Vec<(Stage, Certainty, u64)> {
        let passed = Passed { log: LogId(0), by: ProcessId(by), stretches: &[stretch] };
        unprocessed(history, &passed).iter().map(|d| (d.stage, d.certainty, d.records)).collect()
    }

    #[test]
    fn what_a_member_went_over_was_fetched_and_what_it_began_beyond_was_not() {
        let mut over = history();
        of_group(&mut over, Kind::Assign, (0, 1), 1, 0);
        read(&mut over, 0, 3, 0..4);
        of_group(&mut over, Kind::Commit, (0, 1), 5, 8);
        assert_eq!(told(&over, 0, (4, 7)), [(Stage::C2, Certainty::Proven, 4)]);
        let mut beyond = history();
        of_group(&mut beyond, Kind::Assign, (0, 1), 1, 8);
        read(&mut beyond, 0, 3, 8..10);
        of_group(&mut beyond, Kind::Commit, (0, 1), 5, 10);
        assert_eq!(told(&beyond, 0, (0, 7)), [(Stage::C1, Certainty::Proven, 8)]);
        let mut unknown = history();
        of_group(&mut unknown, Kind::Assign, (0, 1), 1, -1);
        of_group(&mut unknown, Kind::Commit, (0, 1), 5, 10);
        assert_eq!(told(&unknown, 0, (2, 3)), [(Stage::C2, Certainty::Candidate, 2)]);
        read(&mut unknown, 0, 3, 0..2);
        assert_eq!(told(&unknown, 0, (2, 3)), [(Stage::C2, Certainty::Proven, 2)], "what it processed tells");
    }

    #[test]
    fn an_effect_is_missing_though_its_record_was_processed_or_because_it_was_not() {
        let mut history = history();
        of_group(&mut history, Kind::Assign, (0, 1), 1, 0);
        read(&mut history, 0, 3, 0..4);
        of_group(&mut history, Kind::Commit, (0, 1), 5, 8);
        of_group(&mut history, Kind::Assign, (2, 2), 120, 0);
        read(&mut history, 2, 121, 0..2);
        of_group(&mut history, Kind::Commit, (2, 2), 122, 8);
        assert_eq!(told(&history, 2, (2, 5)), [(Stage::C2, Certainty::Proven, 2), (Stage::C3, Certainty::Proven, 2)]);
    }

    #[test]
    fn what_lies_before_a_groups_beginning_was_never_fetched() {
        let mut history = history();
        of_group(&mut history, Kind::Assign, (0, 1), 1, -1);
        read(&mut history, 0, 3, 6..10);
        let told = before_groups(&history);
        assert_eq!((told.len(), told[0].stage, told[0].records), (1, Stage::C1, 6));
        of_group(&mut history, Kind::Assign, (0, 1), 0, 0);
        assert_eq!(before_groups(&history), []);
    }

    #[test]
    fn a_reader_of_its_own_that_jumped_never_fetched_what_lies_between() {
        let mut history = history();
        read(&mut history, 0, 3, 0..2);
        read(&mut history, 0, 5, 6..8);
        assert_eq!(told(&history, 0, (2, 5)), [(Stage::C1, Certainty::Proven, 4)]);
    }

    #[test]
    fn what_lies_beyond_every_consumer_and_was_read_at_last_is_late_and_the_rest_is_not() {
        let mut history = history();
        for offset in 0..12 {
            let append = op(Kind::Append, 0, 1, offset).with_detail(Value::new(WriterId(7), offset as u64).0);
            history.ops.push(append);
        }
        assert_eq!(late(&history), [], "nobody reads: nobody is late");
        read(&mut history, 0, 3, 0..4);
        read(&mut history, 2, 150, 0..10);
        let late = late(&history);
        assert_eq!((late.len(), late[0].records, late[0].offsets), (1, 6, (Offset(4), Offset(9))));
    }
}
