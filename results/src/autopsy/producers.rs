//! Where records ended that nobody promised: handed over, not acknowledged, and in no log.
//!
//! ```text
//! refused by the client's own call          P0   nothing was given to the client, and no report will come
//! a delivery report with an error           P1   the client gave up
//! no report                                 P2   the process ended, or the load did
//! ```
//! The client cannot know whether a broker has appended what it gave up: the search of all logs decides. **Invariant:** what is in a
//! log is not told here, however it was reported.

use super::death::{Certainty, Death, Proof};
use super::stage::Stage;
use super::words::{records, row};
use crate::merge::Recording;
use history::{Kind, LogId, Nanos, Offset, Op, Outcome, ReplicaLog, Role, Value};
use std::collections::{BTreeMap, HashSet};

/// The code of librdkafka for a queue without room: an answer to the call, never a report.
const QUEUE_FULL: i16 = -184;
const PROOFS_MAX: usize = 6;

/// Every record that is in some log, as far as anybody looked.
pub struct InLogs(HashSet<(LogId, Value)>);

impl InLogs {
    /// What the final read found, and what is on the replicas' disks.
    pub fn of(recording: &Recording, replicas: &[ReplicaLog]) -> InLogs {
        let history = &recording.history;
        let read = history.ops.iter().filter(|op| history.names.role(op.process()) == Role::Drain);
        let read = read.flat_map(|op| history.records_of(op).iter().map(|record| (op.log, record.value)));
        let held = replicas.iter().flat_map(|r| r.records.iter().map(|record| (r.log, record.value)));
        InLogs(read.chain(held).collect())
    }

    /// True if it is.
    pub fn has(&self, op: &Op) -> bool {
        self.0.contains(&(op.log, op.value()))
    }
}

/// What the records have in common that are told together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    stage: Stage,
    log: LogId,
    code: i16,
}

/// Records that were not acknowledged and are in no log, by stage, log and error.
pub fn unreported(recording: &Recording, in_logs: &InLogs) -> Vec<Death> {
    let mut groups: BTreeMap<Alike, Vec<usize>> = BTreeMap::new();
    let mut found: BTreeMap<LogId, u64> = BTreeMap::new();
    for (index, op) in recording.history.ops.iter().enumerate() {
        if op.kind() != Kind::Append || op.outcome() == Outcome::Ok {
            continue;
        }
        if in_logs.has(op) {
            *found.entry(op.log).or_default() += 1;
            continue;
        }
        let code = recording.error(index);
        groups.entry(Alike { stage: stage(op, code), log: op.log, code }).or_default().push(index);
    }
    groups.iter().map(|(alike, of)| death(recording, *alike, of, found.get(&alike.log).copied().unwrap_or(0))).collect()
}

fn stage(op: &Op, code: i16) -> Stage {
    match (op.returned == Nanos::NEVER, code) {
        (true, _) => Stage::P2,
        (false, QUEUE_FULL) => Stage::P0,
        (false, _) => Stage::P1,
    }
}

fn death(recording: &Recording, alike: Alike, of: &[usize], found: u64) -> Death {
    let names = &recording.history.names;
    let why = match alike.stage {
        Stage::P0 => format!("the client's own call refused them (error {}) and the application went on", alike.code),
        Stage::P1 => format!("delivery reports with error {}", alike.code),
        _ => "no report came".to_owned(),
    };
    let others = match (alike.stage, found) {
        (Stage::P0, _) | (_, 0) => String::new(),
        _ => format!("; {found} others that were not acknowledged are in the log"),
    };
    let sentence = format!(
        "{} of {}: {}. {why}, and no log has them{others}",
        records(of.len()),
        names.log(alike.log),
        alike.stage
    );
    let proof: Vec<Proof> = of.iter().take(PROOFS_MAX).map(|index| told(recording, *index)).collect();
    let (offsets, records) = ((Offset::UNKNOWN, Offset::UNKNOWN), of.len() as u64);
    let certainty = Certainty::Proven;
    Death { stage: alike.stage, certainty, records, offsets, sentence, copies: Vec::new(), proof }
}

fn told(recording: &Recording, index: usize) -> Proof {
    let op = &recording.history.ops[index];
    let who = recording.history.names.process(op.process());
    let at = |nanos: Nanos| nanos.since(recording.history.names.epoch) as f64 / 1e9;
    let ended = match op.returned {
        Nanos::NEVER => "nothing was reported".to_owned(),
        returned => format!("error {} at {:.3} s", recording.error(index), at(returned)),
    };
    row(index, format!("{who} handed {} over at {:.3} s: {ended}", op.value(), at(op.invoked)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::{ProcessId, ProcessName, Record, WriterId};

    fn recording(answers: &[Option<(Outcome, i16)>], drained: &[u64]) -> Recording {
        let mut recording = Recording::default();
        let process = |role| ProcessName { name: "p".into(), role, writer: None };
        recording.history.names.processes = [Role::Producer, Role::Drain].map(process).to_vec();
        recording.history.names.logs = vec!["q-0".into()];
        for (n, answer) in answers.iter().enumerate() {
            let op = Op::invoke(Kind::Append, ProcessId(0), LogId(0), Nanos(1));
            let op = op.with_detail(Value::new(WriterId(0), n as u64).0);
            recording.history.ops.push(match answer {
                Some((outcome, _)) => op.complete(*outcome, Nanos(2), Offset::UNKNOWN),
                None => op,
            });
            recording.errors.extend(answer.filter(|(_, code)| *code != 0).map(|(_, code)| (n as u32, code)));
        }
        let records: Vec<Record> =
            drained.iter().map(|n| Record { offset: Offset(*n as i64), value: Value::new(WriterId(0), *n) }).collect();
        let read = Op::invoke(Kind::Fetch, ProcessId(1), LogId(0), Nanos(8)).complete(Outcome::Ok, Nanos(9), Offset(0));
        recording.history.push_read(read, &records);
        recording
    }

    fn told(answers: &[Option<(Outcome, i16)>], drained: &[u64]) -> Vec<(Stage, u64)> {
        let recording = recording(answers, drained);
        let in_logs = InLogs::of(&recording, &[]);
        unreported(&recording, &in_logs).iter().map(|death| (death.stage, death.records)).collect()
    }

    #[test]
    fn what_was_refused_given_up_and_never_reported_is_told_apart() {
        let answers = [
            Some((Outcome::Fail, QUEUE_FULL)),
            Some((Outcome::Fail, 10)),
            Some((Outcome::Unknown, -192)),
            Some((Outcome::Unknown, -192)),
            None,
        ];
        assert_eq!(
            told(&answers, &[]),
            [(Stage::P0, 1), (Stage::P1, 2), (Stage::P1, 1), (Stage::P2, 1)],
            "by error, too"
        );
    }

    #[test]
    fn what_is_in_a_log_or_was_acknowledged_is_not_told() {
        let answers = [Some((Outcome::Unknown, -192)), None, Some((Outcome::Ok, 0))];
        assert_eq!(told(&answers, &[0, 1]), []);
        assert_eq!(told(&answers, &[0]), [(Stage::P2, 1)]);
    }
}
