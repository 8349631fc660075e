//! What can become of a record, as a catalogue entry's side promises it and a judged run shows it.
//!
//! **Invariant:** an effect is counted from the history and its judgement, never from what a client or a fault says of
//! itself; a word that the judge has (`lost`, `duplicated` …) is the judge's count, and only what no claim forbids
//! (handed over and never reported, reported failed and gone) is counted here.

use crate::judging::Judged;
use checker::AnomalyKind;
use history::{History, Kind, LogId, Nanos, Op, Outcome, Role, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One thing that can become of records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Effect {
    /// Acknowledged, and in no log.
    Lost,
    /// Handed to the client, never reported on, and in no log.
    Unreported,
    /// Reported as failed or in doubt, and in no log: gone unless somebody sends it again.
    GivenUp,
    /// Reported as failed or in doubt, and in a log.
    Phantom,
    /// In a log twice.
    Duplicated,
    /// In a log before a record that was handed over earlier.
    Reordered,
    /// Acknowledged, then denied by an answer about the log's end, and read once all was healed.
    Hidden,
    /// One offset, two records.
    Changed,
    /// Never processed by a group that processed later ones or committed beyond.
    Skipped,
    /// Processed by a group again.
    Redelivered,
    /// A group's stored position went back, was lost, or came from nowhere.
    Unstored,
    /// Two members of a group owned a log at one time.
    TwoOwners,
    /// Aborted, and read by a consumer.
    Dirty,
    /// Part of a transaction is visible and part is not.
    Torn,
    /// Written after its transaction had ended.
    Zombie,
    /// Its bytes do not match their checksum.
    Corrupted,
}

impl Effect {
    /// Every effect, in the order it is printed.
    pub const ALL: [Effect; 16] = [
        Effect::Lost,
        Effect::Unreported,
        Effect::GivenUp,
        Effect::Phantom,
        Effect::Duplicated,
        Effect::Reordered,
        Effect::Hidden,
        Effect::Changed,
        Effect::Skipped,
        Effect::Redelivered,
        Effect::Unstored,
        Effect::TwoOwners,
        Effect::Dirty,
        Effect::Torn,
        Effect::Zombie,
        Effect::Corrupted,
    ];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Lost => "lost",
            Effect::Unreported => "unreported",
            Effect::GivenUp => "given up",
            Effect::Phantom => "phantom",
            Effect::Duplicated => "duplicated",
            Effect::Reordered => "reordered",
            Effect::Hidden => "hidden",
            Effect::Changed => "changed",
            Effect::Skipped => "skipped",
            Effect::Redelivered => "redelivered",
            Effect::Unstored => "unstored",
            Effect::TwoOwners => "two owners",
            Effect::Dirty => "dirty",
            Effect::Torn => "torn",
            Effect::Zombie => "zombie",
            Effect::Corrupted => "corrupted",
        }
    }

    /// The anomalies it is counted by; none where it is counted from the history itself.
    fn anomalies(self) -> &'static [AnomalyKind] {
        use AnomalyKind as A;
        match self {
            Effect::Duplicated => &[A::Duplicate],
            Effect::Reordered => &[A::Reordered],
            Effect::Changed => &[A::ChangedOffset, A::InconsistentOffset, A::DivergedReplicas],
            Effect::Unstored => &[A::CommitWentBack, A::CommitLost, A::CommitFromNowhere],
            Effect::TwoOwners => &[A::TwoOwners, A::GenerationShared],
            Effect::Dirty => &[A::AbortedRead, A::FailedAppendRead],
            Effect::Torn => &[A::TornTransaction, A::IntermediateRead],
            Effect::Zombie => &[A::ZombieWrite],
            Effect::Corrupted => &[A::Corrupted],
            _ => &[],
        }
    }
}

/// How often each effect was seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Effects(BTreeMap<Effect, u64>);

impl Effects {
    /// Those of a judged run.
    pub fn of(judged: &Judged) -> Effects {
        let mut effects = Effects::in_history(judged.history());
        effects.add(Effect::Lost, judged.judgement.counts.lost);
        for effect in Effect::ALL {
            let mine = judged.judgement.anomalies.iter().filter(|a| effect.anomalies().contains(&a.kind));
            effects.add(effect, mine.map(|a| a.count).sum());
        }
        effects
    }

    /// What no claim is about, counted from the history.
    fn in_history(history: &History) -> Effects {
        let mut effects = Effects::default();
        let drained = Drained::of(history);
        for op in history.ops.iter().filter(|op| op.kind() == Kind::Append) {
            if let Some(effect) = fate(op, drained.values.contains(&op.value())) {
                effects.add(effect, 1);
            }
        }
        effects.add(Effect::Hidden, hidden(history, &drained));
        let (skipped, redelivered) = deliveries(history, &drained);
        effects.add(Effect::Skipped, skipped);
        effects.add(Effect::Redelivered, redelivered);
        effects
    }

    /// How often this one was seen.
    pub fn count(&self, effect: Effect) -> u64 {
        self.0.get(&effect).copied().unwrap_or(0)
    }

    fn add(&mut self, effect: Effect, count: u64) {
        if count > 0 {
            *self.0.entry(effect).or_default() += count;
        }
    }
}

impl FromIterator<(Effect, u64)> for Effects {
    fn from_iter<I: IntoIterator<Item = (Effect, u64)>>(counts: I) -> Effects {
        let mut effects = Effects::default();
        counts.into_iter().for_each(|(effect, count)| effects.add(effect, count));
        effects
    }
}

impl std::fmt::Display for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no damage");
        }
        let parts: Vec<String> = self.0.iter().map(|(effect, count)| format!("{} {count}", effect.name())).collect();
        f.write_str(&parts.join(", "))
    }
}

/// What became of a record that was not acknowledged.
fn fate(op: &Op, drained: bool) -> Option<Effect> {
    match (op.outcome(), op.returned == Nanos::NEVER, drained) {
        (Outcome::Ok, ..) | (_, true, true) => None,
        (_, true, false) => Some(Effect::Unreported),
        (_, false, true) => Some(Effect::Phantom),
        (_, false, false) => Some(Effect::GivenUp),
    }
}

/// What the final read found.
#[derive(Default)]
struct Drained {
    values: HashSet<Value>,
    offsets: BTreeMap<LogId, Vec<i64>>,
}

impl Drained {
    fn of(history: &History) -> Drained {
        let mut drained = Drained::default();
        for op in history.ops.iter().filter(|op| history.names.role(op.process()) == Role::Drain) {
            for record in history.records_of(op).iter().filter(|r| r.value.is_ordinary()) {
                drained.values.insert(record.value);
                drained.offsets.entry(op.log).or_default().push(record.offset.0);
            }
        }
        drained
    }
}

/// Acknowledged records that an answer asked for later denied: the end it told lay at or before them.
fn hidden(history: &History, drained: &Drained) -> u64 {
    let mut ends: BTreeMap<LogId, Vec<(Nanos, i64)>> = BTreeMap::new();
    for op in history.ops.iter().filter(|op| op.kind() == Kind::EndOffset && op.outcome() == Outcome::Ok) {
        ends.entry(op.log).or_default().push((op.invoked, op.offset.0));
    }
    for answers in ends.values_mut() {
        answers.sort_unstable();
        let mut least = i64::MAX;
        for answer in answers.iter_mut().rev() {
            least = least.min(answer.1);
            answer.1 = least;
        }
    }
    let denied = |op: &&Op| {
        let answers = ends.get(&op.log).map_or(&[][..], Vec::as_slice);
        let next = answers.partition_point(|(invoked, _)| *invoked <= op.returned);
        answers.get(next).is_some_and(|(_, least)| *least <= op.offset.0)
    };
    let acked = history.ops.iter().filter(|op| op.kind() == Kind::Append && op.outcome() == Outcome::Ok);
    acked.filter(|op| drained.values.contains(&op.value())).filter(denied).count() as u64
}

/// Records that groups which processed any never processed though they processed or committed beyond them, and those processed again.
fn deliveries(history: &History, drained: &Drained) -> (u64, u64) {
    let mut groups: HashMap<_, u32> = HashMap::new();
    let mut reach: BTreeMap<(u32, LogId), i64> = BTreeMap::new();
    for op in history.ops.iter().filter(|op| op.group() > 0 && matches!(op.kind(), Kind::Assign | Kind::Commit)) {
        groups.insert(op.process(), op.group());
        if op.kind() == Kind::Commit && op.outcome() == Outcome::Ok {
            let reach = reach.entry((op.group(), op.log)).or_default();
            *reach = op.offset.0.max(*reach);
        }
    }
    let mut given: BTreeMap<(u32, LogId), HashMap<i64, u64>> = BTreeMap::new();
    for op in history.ops.iter().filter(|op| op.kind() == Kind::Poll) {
        let Some(group) = groups.get(&op.process()) else { continue };
        for record in history.records_of(op).iter().filter(|r| r.value.is_ordinary()) {
            *given.entry((*group, op.log)).or_default().entry(record.offset.0).or_default() += 1;
            let reach = reach.entry((*group, op.log)).or_default();
            *reach = (record.offset.0 + 1).max(*reach);
        }
    }
    let again = given.values().flat_map(HashMap::values).map(|times| times - 1).sum();
    let missed = |((group, log), reach): (&(u32, LogId), &i64)| {
        if !given.keys().any(|(processing, _)| processing == group) {
            return 0;
        }
        let given = given.get(&(*group, *log));
        let existing = drained.offsets.get(log).map_or(&[][..], Vec::as_slice);
        let passed = existing.iter().filter(|offset| *offset < reach);
        passed.filter(|offset| given.is_none_or(|g| !g.contains_key(offset))).count() as u64
    };
    (reach.iter().map(missed).sum(), again)
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{Offset, ProcessId, ProcessName, Record, WriterId};

    /// Process 0 produces, 1 consumes, 2 drains.
    fn history() -> History {
        let mut history = History::default();
        let process = |role| ProcessName { name: "p".into(), role, writer: None };
        history.names.processes = [Role::Producer, Role::Consumer, Role::Drain].map(process).to_vec();
        history
    }

    fn record(offset: i64) -> Record {
        Record { offset: Offset(offset), value: Value::new(WriterId(1), offset as u64) }
    }

    fn op(kind: Kind, process: u32, at: u64) -> Op {
        Op::invoke(kind, ProcessId(process), LogId(0), Nanos(at))
    }

    fn append(to: &mut History, offset: i64, answer: Option<Outcome>) {
        let op = op(Kind::Append, 0, 1).with_detail(record(offset).value.0);
        to.ops.push(answer.map_or(op, |outcome| op.complete(outcome, Nanos(2), Offset(offset))));
    }

    fn read(to: &mut History, kind: Kind, process: u32, offsets: &[i64]) {
        let records: Vec<Record> = offsets.iter().map(|o| record(*o)).collect();
        to.push_read(op(kind, process, 50).complete(Outcome::Ok, Nanos(60), Offset(0)), &records);
    }

    #[test]
    fn what_was_not_acknowledged_is_told_apart_by_its_report_and_by_the_log() {
        let mut history = history();
        for (offset, answer) in [
            (0, None),
            (1, None),
            (2, Some(Outcome::Fail)),
            (3, Some(Outcome::Unknown)),
            (4, Some(Outcome::Unknown)),
            (5, Some(Outcome::Ok)),
        ] {
            append(&mut history, offset, answer);
        }
        read(&mut history, Kind::Fetch, 2, &[1, 4]);
        let effects = Effects::in_history(&history);
        assert_eq!(
            effects.to_string(),
            "unreported 1, given up 2, phantom 1",
            "5 was acknowledged: that is the judge's"
        );
    }

    #[test]
    fn a_record_denied_after_its_acknowledgement_was_hidden_and_one_denied_before_was_not() {
        for (asked, expected) in [(1, 0), (2, 0), (3, 1)] {
            let mut history = history();
            append(&mut history, 7, Some(Outcome::Ok));
            history.ops.push(op(Kind::EndOffset, 1, asked).complete(Outcome::Ok, Nanos(4), Offset(7)));
            read(&mut history, Kind::Fetch, 2, &[7]);
            assert_eq!(Effects::in_history(&history).count(Effect::Hidden), expected, "asked at {asked}");
        }
    }

    #[test]
    fn a_group_skips_what_it_passed_and_not_what_is_still_to_come() {
        let mut history = history();
        (0..6).for_each(|offset| append(&mut history, offset, Some(Outcome::Ok)));
        read(&mut history, Kind::Fetch, 2, &[0, 1, 2, 3, 4, 5]);
        history.ops.push(op(Kind::Assign, 1, 3).complete(Outcome::Ok, Nanos(4), Offset(1)).with_group(1, 1));
        read(&mut history, Kind::Poll, 1, &[1, 3]);
        read(&mut history, Kind::Poll, 1, &[3]);
        let effects = Effects::in_history(&history);
        assert_eq!((effects.count(Effect::Skipped), effects.count(Effect::Redelivered)), (2, 1), "0 and 2; 3 again");
    }
}
