//! What is read after the load beside the logs: stored positions, and what became of a group's records outside the logs.
//!
//! An *effect* is what processing a record left behind: a record of an output log, a row of a sink. Effects are journalled as
//! deliveries of the record they stem from to a group of their own, so that "every record has its effect, and one" is the
//! same claim as "a group is handed every record, and once". **Invariant:** only what can be read after everything was healed
//! counts as an effect; what could not be read is journalled as no answer or not at all, and is told ([`Reader::unread`]), so that
//! nobody takes it for judged.

use crate::admin;
use crate::clock::{self, Deadline};
use crate::journal::{Answer, Journal, JournalError, Subject};
use crate::sink::Sink;
use crate::spec::LogPlace;
use crate::wire::{Cluster, ConfigOf, Isolation, OffsetAt, Window, WireError};
use history::{Kind, LogId, Offset, Outcome, ProcessId, Record, Value};
use kafka_protocol::ResponseError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

const WINDOW_BYTES: i32 = 1 << 20;
const WINDOW_WAIT_MS: i32 = 100;
const WINDOW_RECORDS_MAX: usize = 1000;
const LOOKS: u32 = 5;
const BETWEEN_LOOKS_MS: u64 = 50;
/// What a register is that nobody wrote.
const NO_VERSION: i64 = -1;
/// A sequence of an output: the input log (8 bits), the input's offset (32 bits).
const OFFSET_BITS: u32 = 32;

/// A log as a reader of committed records is given it.
struct Committed {
    start: Offset,
    records: Vec<Record>,
    /// No transaction was open in it: there is nothing else to come.
    whole: bool,
}

/// Something read after the load.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Final {
    /// A group's stored positions.
    Positions {
        /// Who reads, in the history.
        reader: ProcessId,
        /// The group's number.
        group: u32,
        /// Its id.
        id: String,
        /// In these logs.
        logs: Vec<LogId>,
    },
    /// The committed records of output logs, each the effect of an input's record.
    Outputs {
        /// Who reads, in the history.
        reader: ProcessId,
        /// The number of the group that effects are delivered to.
        group: u32,
        /// The id of the group that reads the inputs: what it has passed must have had its effect.
        source: String,
        /// Input and output logs.
        logs: Vec<(LogId, LogId)>,
    },
    /// Logs as readers of committed records are given them.
    Visible {
        /// Who reads, in the history.
        reader: ProcessId,
        /// These logs.
        logs: Vec<LogId>,
    },
    /// The rows of a sink.
    Rows {
        /// Who reads, in the history.
        reader: ProcessId,
        /// The number of the group that effects are delivered to.
        group: u32,
        /// The id of the group that reads the inputs, unless the sink keeps its position.
        source: Option<String>,
        /// The sink's file.
        sink: PathBuf,
        /// The logs it is fed from.
        logs: Vec<LogId>,
    },
    /// How many partitions an operator's topics have, and how they are configured.
    Topics {
        /// Who reads, in the history.
        reader: ProcessId,
        /// The number of the first topic's register.
        group: u32,
        /// What the topics' names begin with.
        prefix: String,
    },
}

/// The value of an output that stems from the record at `offset` of input number `log`, as `attempt` writes it.
pub fn output(attempt: history::WriterId, log: LogId, offset: Offset) -> Value {
    Value::new(attempt, u64::from(log.0) << OFFSET_BITS | offset.0 as u64 & ((1 << OFFSET_BITS) - 1))
}

/// The input record that an output stems from.
pub fn input(output: Value) -> (LogId, Offset) {
    let sequence = output.sequence();
    (LogId((sequence >> OFFSET_BITS) as u32), Offset((sequence & ((1 << OFFSET_BITS) - 1)) as i64))
}

/// Reads what is to be read last.
pub struct Reader<'a> {
    /// Whom to ask.
    pub cluster: &'a mut Cluster,
    /// Where every log lies.
    pub logs: &'a [LogPlace],
    /// Where to write it down.
    pub journal: &'a Journal,
    /// When to give up.
    pub deadline: Deadline,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

impl Reader<'_> {
    /// Reads it and writes it down.
    pub fn read(&mut self, last: &Final) -> Result<(), JournalError> {
        match last {
            Final::Positions { reader, group, id, logs } => {
                for log in logs {
                    self.position((*reader, *group), id, *log)?;
                }
                Ok(())
            }
            Final::Outputs { reader, group, source, logs } => {
                for (input, output) in logs {
                    // What could not be read whole proves neither that an effect is missing nor that there is one.
                    let (effects, name) = (self.effects(*input, *output), self.name(*input));
                    let Some(effects) = self.told(effects, || format!("the effects of {name}")) else { continue };
                    self.deliver((*reader, *group), *input, &effects)?;
                    self.passed((*reader, *group), source, *input)?;
                }
                Ok(())
            }
            Final::Visible { reader, logs } => {
                for log in logs {
                    let (read, name) = (self.visible(*reader, *log)?, self.name(*log));
                    self.told(read, || format!("what is committed in {name}"));
                }
                Ok(())
            }
            Final::Rows { reader, group, source, sink, logs } => {
                let Some(sink) = self.told(Sink::open(sink), || "the sink".into()) else { return Ok(()) };
                for log in logs {
                    let name = self.name(*log);
                    let Some(rows) = self.told(sink.rows(*log), || format!("the rows of {name}")) else { continue };
                    self.deliver((*reader, *group), *log, &rows)?;
                    match (source, sink.position(*log)) {
                        (Some(source), _) => self.passed((*reader, *group), source, *log)?,
                        (None, Ok(Some(next))) => self.store((*reader, *group), *log, next)?,
                        (None, _) => {}
                    }
                }
                Ok(())
            }
            Final::Topics { reader, group, prefix } => {
                let whole = self.deadline;
                for topic in 0..admin::TOPICS_MAX {
                    let name = admin::topic_name(prefix, topic);
                    let left = admin::REGISTERS - 2 * topic;
                    self.deadline = whole.share(left);
                    self.partitions((*reader, *group + topic), &name)?;
                    self.deadline = whole.share(left - 1);
                    self.config((*reader, *group + admin::TOPICS_MAX + topic), &name)?;
                }
                Ok(())
            }
        }
    }

    /// What was told; that nothing was is noted.
    fn told<T, E: std::fmt::Display>(&mut self, told: Result<T, E>, what: impl FnOnce() -> String) -> Option<T> {
        told.map_err(|error| self.unread.push(format!("{} could not be read after the load: {error}", what()))).ok()
    }

    /// The most partitions that any of a few answers tells: a broker that is behind has forgotten nothing.
    fn partitions(&mut self, of: (ProcessId, u32), topic: &str) -> Result<(), JournalError> {
        self.register(of, &format!("the number of partitions of {topic}"), |cluster, deadline| {
            let view = cluster.metadata(Some(&[topic]), deadline)?;
            let Some(told) = view.topics.iter().find(|t| t.name == topic) else { return Ok(NO_VERSION) };
            match WireError::check("Metadata", told.error) {
                Err(error) if is_unknown(&error) => Ok(NO_VERSION),
                checked => checked.map(|()| told.partitions.len() as i64),
            }
        })
    }

    /// The latest version of a topic's config that any of a few answers tells.
    fn config(&mut self, of: (ProcessId, u32), topic: &str) -> Result<(), JournalError> {
        let config = ConfigOf::Topic(topic.to_owned());
        self.register(of, &format!("{} of {topic}", admin::CONFIG), |cluster, deadline| {
            // A topic that there is not has no version either; whoever asks on for one that was never made has no time for others.
            let configs = cluster.anybody(deadline, |c, d| match c.describe_configs(&config, d) {
                Err(error) if is_unknown(&error) => Ok(BTreeMap::new()),
                told => told,
            })?;
            let value = configs.get(admin::CONFIG).and_then(|config| config.value.as_deref());
            Ok(value.and_then(admin::config_version).unwrap_or(NO_VERSION))
        })
    }

    /// The latest version of a register of a few that `ask` is told; none at all is journalled as no answer, and noted.
    fn register(
        &mut self,
        (reader, group): (ProcessId, u32),
        what: &str,
        ask: impl Fn(&mut Cluster, Deadline) -> Result<i64, WireError>,
    ) -> Result<(), JournalError> {
        let invoked = clock::now();
        let mut latest: Option<i64> = None;
        let mut refused: Option<WireError> = None;
        for _ in 0..LOOKS {
            match ask(self.cluster, self.deadline) {
                Ok(version) => latest = latest.max(Some(version)),
                Err(error) => refused = Some(error),
            }
            if !clock::between_attempts(BETWEEN_LOOKS_MS, self.deadline) {
                break;
            }
        }
        let answer = match (latest, refused) {
            (Some(latest), _) => Answer::ok(Offset(latest)),
            (None, Some(error)) => self.unanswered(what, &error),
            (None, None) => return Ok(()),
        };
        let subject = Subject { process: reader, kind: Kind::Committed, log: LogId(0), detail: of_group(group) };
        self.journal.observe(subject, invoked, answer)
    }

    fn unanswered(&mut self, what: &str, error: &WireError) -> Answer {
        self.unread.push(format!("{what} could not be read after the load: {error}"));
        Answer::error(Outcome::Unknown, error.code())
    }

    fn place(&self, log: LogId) -> Option<&LogPlace> {
        self.logs.iter().find(|place| place.id == log)
    }

    /// As printed.
    fn name(&self, log: LogId) -> String {
        self.place(log).map_or_else(|| format!("log {}", log.0), |place| format!("{}-{}", place.topic, place.partition))
    }

    fn ask(&mut self, id: &str, log: LogId) -> Option<Result<Offset, WireError>> {
        let (topic, partition) = self.place(log).map(|place| (place.topic.clone(), place.partition))?;
        Some(self.cluster.committed(id, &topic, partition, self.deadline))
    }

    fn position(&mut self, (reader, group): (ProcessId, u32), id: &str, log: LogId) -> Result<(), JournalError> {
        let invoked = clock::now();
        let answer = match self.ask(id, log) {
            Some(Ok(offset)) => Answer::ok(offset),
            Some(Err(error)) => self.unanswered(&format!("the position of {id} in {}", self.name(log)), &error),
            None => return Ok(()),
        };
        let subject = Subject { process: reader, kind: Kind::Committed, log, detail: of_group(group) };
        self.journal.observe(subject, invoked, answer)
    }

    /// The group of effects has passed what its source has passed.
    fn passed(&mut self, of: (ProcessId, u32), source: &str, log: LogId) -> Result<(), JournalError> {
        match self.ask(source, log) {
            Some(Ok(offset)) if offset >= Offset(0) => self.store(of, log, offset),
            Some(Err(error)) => {
                self.unanswered(&format!("the position of {source} in {}", self.name(log)), &error);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn store(&self, (reader, group): (ProcessId, u32), log: LogId, next: Offset) -> Result<(), JournalError> {
        let subject = Subject { process: reader, kind: Kind::Commit, log, detail: of_group(group) };
        self.journal.observe(subject, clock::now(), Answer::ok(next))
    }

    /// The committed records of an output log, as records of its input. One that stems from none keeps its own value: nobody
    /// appended it there, and that is for the judge to see.
    fn effects(&mut self, from: LogId, output: LogId) -> Result<Vec<Record>, WireError> {
        let (_, inputs) = self.records(from, Isolation::ReadUncommitted)?;
        let inputs: HashMap<Offset, Value> = inputs.into_iter().map(|record| (record.offset, record.value)).collect();
        let (_, outputs) = self.records(output, Isolation::ReadCommitted)?;
        let outputs = outputs.into_iter().filter(|r| r.value.is_ordinary());
        let stems = outputs.map(|record| (input(record.value), record.value)).filter(|((log, _), _)| *log == from);
        let effect = |((_, offset), own): ((LogId, Offset), Value)| Record {
            offset,
            value: inputs.get(&offset).copied().unwrap_or(own),
        };
        Ok(stems.map(effect).collect())
    }

    /// Where a log starts, and every record of it that is read under an isolation.
    fn records(&mut self, log: LogId, isolation: Isolation) -> Result<(Offset, Vec<Record>), WireError> {
        let Some(LogPlace { topic, partition, .. }) = self.place(log).cloned() else {
            return Ok((Offset::UNKNOWN, Vec::new()));
        };
        let (start, end) = (self.bound(log, OffsetAt::Earliest)?, self.bound(log, OffsetAt::Latest(isolation))?);
        let (mut at, mut records) = (start, Vec::new());
        while at < end {
            let window = Window { from: at, bytes_max: WINDOW_BYTES, wait_ms: WINDOW_WAIT_MS, isolation };
            let fetched = self.cluster.fetch(&topic, partition, window, self.deadline)?;
            records.extend(match isolation {
                Isolation::ReadCommitted => fetched.committed(self.journal.run()),
                Isolation::ReadUncommitted => fetched.read(self.journal.run()),
            });
            if fetched.next <= at {
                if clock::between_attempts(BETWEEN_LOOKS_MS, self.deadline) {
                    continue;
                }
                let what = format!("{topic}-{partition} ends at {} of {}", at.0, end.0);
                return Err(WireError::Protocol { address: topic, what });
            }
            at = fetched.next;
        }
        Ok((start, records))
    }

    /// Every committed record of a log, and that there are no more behind the last one where no transaction is open.
    fn visible(&mut self, reader: ProcessId, log: LogId) -> Result<Result<(), WireError>, JournalError> {
        let invoked = clock::now();
        let read = match self.committed(log) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        let subject =
            |from: Offset| Subject { process: reader, kind: Kind::CommittedFetch, log, detail: from.0 as u64 };
        let mut from = read.start;
        for records in read.records.chunks(WINDOW_RECORDS_MAX) {
            self.journal.read(subject(from), invoked, records)?;
            from = records.last().map_or(from, |last| Offset(last.offset.0 + 1));
        }
        if read.whole {
            self.journal.read(subject(from), invoked, &[])?;
        }
        Ok(Ok(()))
    }

    fn committed(&mut self, log: LogId) -> Result<Committed, WireError> {
        let (start, mut records) = self.records(log, Isolation::ReadCommitted)?;
        records.retain(|record| record.value.is_ordinary());
        let ends = [Isolation::ReadCommitted, Isolation::ReadUncommitted].map(OffsetAt::Latest);
        let [stable, end] = ends.map(|at| self.bound(log, at));
        Ok(Committed { start, records, whole: stable? == end? })
    }

    fn bound(&mut self, log: LogId, at: OffsetAt) -> Result<Offset, WireError> {
        let Some(LogPlace { topic, partition, .. }) = self.place(log).cloned() else { return Ok(Offset::UNKNOWN) };
        self.cluster.list_offset(&topic, partition, at, self.deadline)
    }

    /// Journals effects as deliveries: from the log's beginning, each that does not follow its predecessor as a new beginning,
    /// for nobody read the log in between.
    fn deliver(&self, of: (ProcessId, u32), log: LogId, effects: &[Record]) -> Result<(), JournalError> {
        let (reader, group) = of;
        let mut from = Offset(0);
        let runs = runs(effects);
        let adjacent = |a: &Record, b: &Record| a.offset.0 + 1 == b.offset.0;
        for run in runs.iter().flat_map(|run| run.chunk_by(adjacent)) {
            let subject = Subject { process: reader, kind: Kind::Assign, log, detail: of_group(group) };
            self.journal.observe(subject, clock::now(), Answer::ok(from))?;
            let first = run[0].offset;
            let subject = Subject { process: reader, kind: Kind::Poll, log, detail: first.0 as u64 };
            self.journal.read(subject, clock::now(), run)?;
            from = Offset::UNKNOWN;
        }
        Ok(())
    }
}

/// True if there is no such topic.
fn is_unknown(error: &WireError) -> bool {
    error.broker() == Some(ResponseError::UnknownTopicOrPartition)
}

/// The effects in rising order, the second ones of a record apart from the first ones, the third ones apart from these …
fn runs(effects: &[Record]) -> Vec<Vec<Record>> {
    let mut times: BTreeMap<Offset, usize> = BTreeMap::new();
    let mut runs: Vec<Vec<Record>> = Vec::new();
    for effect in effects {
        let time = times.entry(effect.offset).or_default();
        if runs.len() <= *time {
            runs.push(Vec::new());
        }
        runs[*time].push(*effect);
        *time += 1;
    }
    runs.iter_mut().for_each(|run| run.sort_unstable());
    runs
}

/// The detail of an operation of a group whose generation is not known.
pub(crate) fn of_group(group: u32) -> u64 {
    u64::from(group) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::WriterId;

    #[test]
    fn an_output_says_which_record_it_stems_from() {
        for (log, offset) in [(0, 0), (255, (1 << OFFSET_BITS) - 1), (3, 77)] {
            assert_eq!(input(output(WriterId(9), LogId(log), Offset(offset))), (LogId(log), Offset(offset)));
        }
    }

    #[test]
    fn a_second_effect_is_told_apart_and_everything_else_is_one_rising_run() {
        let effect = |offset, attempt| {
            let value = output(WriterId(attempt), LogId(0), Offset(offset));
            Record { offset: Offset(offset), value }
        };
        let runs = runs(&[effect(2, 1), effect(0, 1), effect(2, 2), effect(1, 1)]);
        let offsets: Vec<Vec<i64>> = runs.iter().map(|run| run.iter().map(|r| r.offset.0).collect()).collect();
        assert_eq!(offsets, [vec![0, 1, 2], vec![2]]);
    }
}
