//! What Apache Kafka's `VerifiableProducer` and `VerifiableConsumer` print: a JSON object a line.
//!
//! ```text
//! {"name":"producer_send_success","timestamp":1,"topic":"t","partition":0,"offset":0,"key":null,"value":"0"}
//! {"name":"record_data","timestamp":2,"topic":"t","partition":0,"offset":0,"key":null,"value":"0"}
//! {"name":"records_consumed","timestamp":2,"count":1,"partitions":[{"topic":"t","partition":0,"count":1,"minOffset":0,"maxOffset":0}]}
//! ```
//! Outputs of several programs may follow each other in one file; `startup_complete` begins the next. A value is unique in
//! its topic. When a record was handed over is not told, and clocks may be several: nothing is concluded from times. Without
//! `record_data` (`--verbose`) a consumed range of as many records as offsets is taken to hold what was acknowledged there.

use super::error::ReadError;
use super::lines::{Lines, json};
use super::logs::{Builder, Start};
use super::values::Raw;
use super::{Content, Imported};
use history::{Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, Role};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

/// Most records that ranges without values may stand for.
const RANGE_RECORDS_MAX: usize = 1 << 26;

/// One event. What it does not need is passed over.
#[derive(Deserialize, Debug, Default)]
#[serde(default, rename_all = "camelCase")]
struct Event {
    name: String,
    #[serde(alias = "time_ms")]
    timestamp: i64,
    topic: Option<String>,
    partition: Option<i64>,
    offset: Option<i64>,
    value: Option<serde_json::Value>,
    exception: Option<String>,
    success: Option<bool>,
    partitions: Vec<Range>,
    offsets: Vec<Range>,
}

/// A partition and what is said of it.
#[derive(Deserialize, Debug, Default, Clone)]
#[serde(default, rename_all = "camelCase")]
struct Range {
    topic: String,
    partition: i64,
    count: i64,
    min_offset: i64,
    max_offset: i64,
    offset: i64,
}

/// Reads the events.
///
/// # Errors
/// What is malformed or too large; a file without any event that is known.
pub fn read(input: impl BufRead) -> Result<Imported, ReadError> {
    let mut lines = Lines::new(input);
    let mut reading = Reading::new();
    let mut torn = None;
    while let Some(line) = lines.next_line()? {
        if !line.bytes.starts_with(b"{") {
            reading.passed_over += u64::from(!line.bytes.is_empty());
            continue;
        }
        reading.logs.at(line.place);
        match json::<Event>(&line)? {
            Some(event) => reading.event(event)?,
            None => torn = Some(format!("the file ends in the middle of an event{}", line.place)),
        }
    }
    reading.finish(torn)
}

struct Reading {
    logs: Builder,
    /// The program that is printing: how many began before it, and when.
    program: u32,
    began: Nanos,
    last: Nanos,
    producer: Option<ProcessId>,
    consumer: Option<ProcessId>,
    /// `record_data` since the last read.
    pending: BTreeMap<LogId, Vec<(i64, Raw)>>,
    /// What was acknowledged where, for ranges without values.
    acked: HashMap<LogId, BTreeMap<i64, (u32, Raw)>>,
    topics: HashMap<String, u32>,
    failed: Vec<(u32, Raw, Option<u64>, Op)>,
    homes: HashMap<(u32, Raw), LogId>,
    events: u64,
    passed_over: u64,
    ranges: u64,
    /// Records that ranges stood for.
    records: usize,
}

impl Reading {
    fn new() -> Reading {
        let mut logs = Builder::new(Start::FirstRead);
        logs.timed = false;
        Reading {
            logs,
            program: 0,
            began: Nanos(0),
            last: Nanos(0),
            producer: None,
            consumer: None,
            pending: BTreeMap::new(),
            acked: HashMap::new(),
            topics: HashMap::new(),
            failed: Vec::new(),
            homes: HashMap::new(),
            events: 0,
            passed_over: 0,
            ranges: 0,
            records: 0,
        }
    }

    fn event(&mut self, event: Event) -> Result<(), ReadError> {
        let told = u64::try_from(event.timestamp).unwrap_or(0).saturating_mul(1_000_000).min(u64::MAX >> 1);
        // Events of one program follow each other, and each ended within its millisecond.
        let now = Nanos(told.max(self.last.0.saturating_add(1)));
        self.events += 1;
        self.logs.operations += u64::from(event.name.starts_with("producer_send") || event.name == "records_consumed");
        if event.name != "record_data" && event.name != "records_consumed" {
            self.flush(now)?;
        }
        match event.name.as_str() {
            "startup_complete" => {
                self.program += u32::from(self.producer.is_some() || self.consumer.is_some());
                (self.producer, self.consumer) = (None, None);
                (self.began, self.last) = (Nanos(told), Nanos(told));
                return Ok(());
            }
            "producer_send_success" => self.sent(&event, now, Outcome::Ok)?,
            "producer_send_error" => {
                let outcome = outcome(event.exception.as_deref().unwrap_or_default());
                self.sent(&event, now, outcome)?;
            }
            "record_data" => self.record(&event)?,
            "records_consumed" => self.consumed(&event.partitions, now)?,
            "partitions_assigned" => self.given(Kind::Assign, &event.partitions, now)?,
            "partitions_revoked" => self.given(Kind::Revoke, &event.partitions, now)?,
            "offsets_committed" => self.committed(&event, now)?,
            "shutdown_complete" | "tool_data" | "" => {}
            _ => self.passed_over += 1,
        }
        self.last = now;
        Ok(())
    }

    /// The producer of a value: its prefix tells it from others that print to the same file.
    fn producer(&mut self, value: &serde_json::Value) -> Result<ProcessId, ReadError> {
        if let Some((prefix, _)) = value.as_str().and_then(|text| text.rsplit_once('.')) {
            return self.logs.process(&format!("producer {prefix:?}"), Role::Producer);
        }
        match self.producer {
            Some(process) => Ok(process),
            None => {
                let process = self.logs.process(&format!("producer {}", self.program + 1), Role::Producer)?;
                Ok(*self.producer.insert(process))
            }
        }
    }

    fn consumer(&mut self) -> Result<ProcessId, ReadError> {
        match self.consumer {
            Some(process) => Ok(process),
            None => {
                let process = self.logs.process(&format!("consumer {}", self.program + 1), Role::Consumer)?;
                Ok(*self.consumer.insert(process))
            }
        }
    }

    fn log(&mut self, topic: &str, partition: i64) -> (LogId, u32) {
        let next = self.topics.len() as u32;
        let domain = *self.topics.entry(topic.to_owned()).or_insert(next);
        (self.logs.log(&format!("{topic}-{partition}")), domain)
    }

    fn sent(&mut self, event: &Event, now: Nanos, outcome: Outcome) -> Result<(), ReadError> {
        let (Some(topic), Some(value)) = (&event.topic, &event.value) else {
            return Err(self.logs.fault(format!("{} without a topic and a value", event.name)));
        };
        let (raw, sequence) = named(value);
        let process = self.producer(value)?;
        let (log, domain) = self.log(topic, event.partition.unwrap_or(0));
        let append = Op::invoke(Kind::Append, process, log, self.began);
        if outcome != Outcome::Ok {
            let returned = if outcome == Outcome::Fail { now } else { Nanos::NEVER };
            self.failed.push((domain, raw, sequence, append.complete(outcome, returned, Offset::UNKNOWN)));
            return Ok(());
        }
        let offset = event.offset.unwrap_or(-1);
        self.acked.entry(log).or_default().insert(offset, (domain, raw.clone()));
        let append = append.complete(outcome, now, Offset(offset));
        self.logs.append(append, (domain, raw), sequence, true)
    }

    fn record(&mut self, event: &Event) -> Result<(), ReadError> {
        let (Some(topic), Some(partition), Some(offset)) = (&event.topic, event.partition, event.offset) else {
            return Err(self.logs.fault("record_data without a topic, a partition and an offset"));
        };
        let (log, domain) = self.log(topic, partition);
        let raw = event.value.as_ref().map_or(Raw::Text("null".into()), |value| named(value).0);
        self.homes.insert((domain, raw.clone()), log);
        self.pending.entry(log).or_default().push((offset, raw));
        Ok(())
    }

    fn consumed(&mut self, ranges: &[Range], now: Nanos) -> Result<(), ReadError> {
        if !self.pending.is_empty() {
            return self.flush(now);
        }
        for range in ranges.iter().filter(|range| range.count > 0) {
            let span = range.max_offset.checked_sub(range.min_offset).and_then(|span| span.checked_add(1));
            self.ranges += 1;
            if span != Some(range.count) {
                continue;
            }
            let (log, _) = self.log(&range.topic, range.partition);
            let known = self.acked.entry(log).or_default().range(range.min_offset..=range.max_offset);
            let records: Vec<_> = known.map(|(offset, (_, raw))| (*offset, raw.clone())).collect();
            self.records += records.len();
            if self.records > RANGE_RECORDS_MAX {
                return Err(self.logs.fault("the ranges consumed overlap too often"));
            }
            self.pending.insert(log, records);
        }
        self.flush(now)
    }

    /// Ends a read.
    fn flush(&mut self, now: Nanos) -> Result<(), ReadError> {
        for (log, records) in std::mem::take(&mut self.pending) {
            let process = self.consumer()?;
            let first = Offset(records.first().map_or(-1, |r| r.0));
            let name = self.logs.names_mut().log(log);
            let topic = name.rsplit_once('-').map_or("", |(topic, _)| topic);
            let domain = self.topics.get(topic).copied().unwrap_or(0);
            let read = Op::invoke(Kind::Poll, process, log, self.last).complete(Outcome::Ok, now, first);
            self.logs.read(read, domain, records, true)?;
        }
        Ok(())
    }

    fn given(&mut self, kind: Kind, partitions: &[Range], now: Nanos) -> Result<(), ReadError> {
        let process = self.consumer()?;
        for at in partitions {
            let (log, _) = self.log(&at.topic, at.partition);
            self.logs.ways().reset(process, log);
            self.logs.reset(kind, process, log, (self.last, now))?;
        }
        Ok(())
    }

    fn committed(&mut self, event: &Event, now: Nanos) -> Result<(), ReadError> {
        let process = self.consumer()?;
        let outcome = if event.success == Some(false) { Outcome::Unknown } else { Outcome::Ok };
        for at in &event.offsets {
            let (log, _) = self.log(&at.topic, at.partition);
            let commit = Op::invoke(Kind::Commit, process, log, self.last).complete(outcome, now, Offset(at.offset));
            self.logs.push(commit.with_group(1, 0))?;
        }
        Ok(())
    }

    fn finish(mut self, torn: Option<String>) -> Result<Imported, ReadError> {
        if self.events == 0 {
            return Err(self.logs.fault("there is no event of a verifiable client in it"));
        }
        let now = Nanos(self.last.0.saturating_add(1));
        self.flush(now)?;
        // Of a record that was not acknowledged the partition is known only if somebody read it.
        for (domain, raw, sequence, mut op) in std::mem::take(&mut self.failed) {
            op.log = self.homes.get(&(domain, raw.clone())).copied().unwrap_or(op.log);
            self.logs.append(op, (domain, raw), sequence, false)?;
        }
        let mut notes =
            vec!["the times of these files enclose no operation: nothing is concluded from them".to_owned()];
        if self.ranges > 0 {
            notes.push(format!(
                "{} reads tell offsets and no values (no --verbose): values read are taken to be those acknowledged there",
                self.ranges
            ));
        }
        if self.passed_over > 0 {
            notes.push(format!("{} lines of other sorts were passed over", self.passed_over));
        }
        self.logs.notes.extend(notes);
        Ok(Imported { content: Content::Logs(Box::new(self.logs.finish()?)), torn })
    }
}

/// What an error says of its record: only these are known to have kept it from being sent.
fn outcome(exception: &str) -> Outcome {
    const DEFINITE: [&str; 6] = [
        "RecordTooLargeException",
        "SerializationException",
        "TopicAuthorizationException",
        "ClusterAuthorizationException",
        "InvalidTopicException",
        "UnknownTopicOrPartitionException",
    ];
    if DEFINITE.iter().any(|name| exception.ends_with(name)) { Outcome::Fail } else { Outcome::Unknown }
}

/// A value's name, and its number in its producer's order: `17`, `prefix.17`.
fn named(value: &serde_json::Value) -> (Raw, Option<u64>) {
    match value {
        serde_json::Value::String(text) => {
            let number = text.rsplit_once('.').map_or(text.as_str(), |(_, number)| number);
            let sequence = number.parse().ok().filter(|n| *n <= history::Value::SEQUENCE_MAX);
            (Raw::Text(text.as_str().into()), sequence)
        }
        other => (Raw::Text(other.to_string().into()), other.as_u64()),
    }
}
