//! Our own JSON Lines: one operation an object, by the schema in `history.schema.json`.
//!
//! ```text
//! {"op":"append","process":"w1","log":"orders-0","invoked_ns":1,"returned_ns":2,"offset":0,"value":"order-17"}
//! {"op":"poll","process":"c1","log":"orders-0","invoked_ns":3,"returned_ns":4,"records":[[0,"order-17"]]}
//! ```
//! A value is anything unique over the file; what we export has `writer` and `sequence` instead, so that it is read back as
//! it was. **Invariant:** what [`write`] wrote, [`read`] reads, to the same operations in the same order.

use super::error::ReadError;
use super::lines::{Line, Lines, json};
use super::logs::{Builder, Start};
use super::values::Raw;
use super::{Content, Imported};
use history::{History, Kind, LogId, Names, Nanos, NodeId, Offset, Op, Outcome, ProcessName, Role, Value, WriterId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

/// The JSON Schema of a line.
pub const SCHEMA: &str = include_str!("history.schema.json");
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize, Debug)]
struct Header {
    stormglass_history: u32,
    #[serde(default)]
    run: u64,
    #[serde(default)]
    epoch_ns: u64,
    #[serde(default)]
    logs: Vec<String>,
    #[serde(default)]
    nodes: Vec<NodeId>,
    #[serde(default)]
    processes: Vec<ProcessName>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    registers: BTreeMap<u32, String>,
}

#[derive(Serialize, Deserialize, Debug)]
struct Entry {
    op: Kind,
    process: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    log: Option<String>,
    invoked_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    returned_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    value: Option<Told>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    writer: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    records: Option<Vec<Standing>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    group: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    generation: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    transaction: Option<u64>,
}

/// A record read.
#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Standing {
    Ours(i64, u32, u64),
    Named(i64, Told),
}

/// A value.
#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Told {
    Int(i64),
    Text(Box<str>),
    Reserved { reserved: Reserved },
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
enum Reserved {
    Corrupt,
    Foreign,
    Marker,
}

impl Told {
    fn raw(self) -> Raw {
        match self {
            Told::Int(n) => Raw::Int(n),
            Told::Text(text) => Raw::Text(text),
            Told::Reserved { reserved: Reserved::Corrupt } => Raw::Own(Value::CORRUPT),
            Told::Reserved { reserved: Reserved::Foreign } => Raw::Own(Value::FOREIGN),
            Told::Reserved { reserved: Reserved::Marker } => Raw::Own(Value::MARKER),
        }
    }
}

/// Reads a history.
///
/// # Errors
/// What is malformed or too large; a file without any operation.
pub fn read(input: impl BufRead) -> Result<Imported, ReadError> {
    let mut lines = Lines::new(input);
    let mut logs = Builder::new(Start::FirstRead);
    let (mut first, mut torn) = (true, None);
    while let Some(line) = lines.next_line()? {
        if line.bytes.is_empty() {
            continue;
        }
        logs.at(line.place);
        if std::mem::take(&mut first) && header(&line, &mut logs)? {
            continue;
        }
        match json::<Entry>(&line)? {
            Some(entry) => {
                operation(entry, &mut logs)?;
                logs.operations += 1;
            }
            None => torn = Some(format!("the file ends in the middle of an operation{}", line.place)),
        }
    }
    if logs.operations == 0 {
        return Err(logs.fault("there is no operation in it"));
    }
    Ok(Imported { content: Content::Logs(Box::new(logs.finish()?)), torn })
}

/// Takes a header; false if the line is none.
fn header(line: &Line<'_>, logs: &mut Builder) -> Result<bool, ReadError> {
    if !line.bytes.windows(20).any(|bytes| bytes == b"\"stormglass_history\"") {
        return Ok(false);
    }
    let Some(header) = json::<Header>(line)? else { return Ok(true) };
    if header.stormglass_history != VERSION {
        return Err(logs.fault(format!("version {} of the format, and {VERSION} is known", header.stormglass_history)));
    }
    for name in &header.logs {
        logs.log(name);
    }
    for process in &header.processes {
        let id = logs.process(&process.name, process.role)?;
        if let Some(known) = logs.names_mut().processes.get_mut(id.0 as usize) {
            known.writer = process.writer;
        }
    }
    let names = logs.names_mut();
    (names.run, names.epoch, names.nodes) = (header.run, Nanos(header.epoch_ns), header.nodes);
    names.registers = header.registers;
    Ok(true)
}

fn operation(entry: Entry, logs: &mut Builder) -> Result<(), ReadError> {
    let role = entry.role.unwrap_or(if entry.op == Kind::Append { Role::Producer } else { Role::Consumer });
    let process = logs.process(&entry.process, role)?;
    let log = match (&entry.log, entry.op) {
        (Some(name), _) => logs.log(name),
        (None, Kind::TxnBegin | Kind::TxnCommit | Kind::TxnAbort) => LogId(0),
        (None, _) => return Err(logs.fault("an operation without a log")),
    };
    let returned = entry.returned_ns.map_or(Nanos::NEVER, Nanos);
    if returned.0 < entry.invoked_ns {
        return Err(logs.fault("an operation that returned before it was invoked"));
    }
    let silent = if returned == Nanos::NEVER { Outcome::Unknown } else { Outcome::Ok };
    let outcome = entry.outcome.unwrap_or(silent);
    let first = entry.records.as_ref().and_then(|records| records.first()).map(Standing::offset);
    let offset = Offset(entry.offset.or(first).unwrap_or(-1));
    let op = Op::invoke(entry.op, process, log, Nanos(entry.invoked_ns)).complete(outcome, returned, offset);
    match entry.op {
        Kind::Append => append(entry, op, logs),
        Kind::Poll | Kind::Fetch | Kind::CommittedFetch => {
            let mut records = Vec::new();
            for standing in entry.records.unwrap_or_default() {
                records.push((standing.offset(), raw_of(standing, logs)?));
            }
            logs.read(op, 0, records, outcome == Outcome::Ok)
        }
        Kind::Assign | Kind::Revoke | Kind::Commit | Kind::Committed => {
            if matches!(entry.op, Kind::Assign | Kind::Revoke) {
                logs.ways().reset(process, log);
            }
            logs.push(op.with_group(entry.group.unwrap_or(0), entry.generation.unwrap_or(0)))
        }
        _ => logs.push(op.with_detail(entry.transaction.unwrap_or(0))),
    }
}

impl Standing {
    fn offset(&self) -> i64 {
        match self {
            Standing::Ours(offset, ..) | Standing::Named(offset, _) => *offset,
        }
    }
}

fn raw_of(standing: Standing, logs: &Builder) -> Result<Raw, ReadError> {
    match standing {
        Standing::Ours(_, writer, sequence) => own(writer, sequence, logs),
        Standing::Named(_, told) => Ok(told.raw()),
    }
}

fn own(writer: u32, sequence: u64, logs: &Builder) -> Result<Raw, ReadError> {
    if writer > Value::WRITER_MAX || sequence > Value::SEQUENCE_MAX {
        return Err(logs.fault(format!("writer {writer} or sequence {sequence} is beyond what there is")));
    }
    Ok(Raw::Own(Value::new(WriterId(writer), sequence)))
}

fn append(entry: Entry, op: Op, logs: &mut Builder) -> Result<(), ReadError> {
    let raw = match (entry.value, entry.writer, entry.sequence) {
        (None, Some(writer), Some(sequence)) => own(writer, sequence, logs)?,
        (Some(value), _, _) => value.raw(),
        (None, _, _) => return Err(logs.fault("an append without a value")),
    };
    match raw {
        Raw::Own(value) if !value.is_ordinary() => Err(logs.fault("an append of a reserved value")),
        raw => logs.append(op, (0, raw), entry.sequence, true),
    }
}

/// Writes a history.
///
/// # Errors
/// As the writer has them.
pub fn write(history: &History, out: &mut impl Write) -> io::Result<()> {
    let Names { run, logs, processes, nodes, epoch, registers } = history.names.clone();
    let header = Header { stormglass_history: VERSION, run, epoch_ns: epoch.0, logs, nodes, processes, registers };
    line(&header, out)?;
    history.ops.iter().try_for_each(|op| line(&entry_of(history, op), out))
}

fn line(object: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    out.write_all(b"\n")
}

fn entry_of(history: &History, op: &Op) -> Entry {
    let (kind, names) = (op.kind(), &history.names);
    let append = (kind == Kind::Append).then(|| op.value());
    let grouped = matches!(kind, Kind::Commit | Kind::Committed | Kind::Assign | Kind::Revoke);
    let transactional = matches!(kind, Kind::TxnBegin | Kind::TxnCommit | Kind::TxnAbort);
    let named = names.processes.len() > op.process().0 as usize;
    Entry {
        op: kind,
        process: names.process(op.process()),
        role: (!named).then(|| names.role(op.process())),
        log: (!transactional).then(|| names.log(op.log)),
        invoked_ns: op.invoked.0,
        returned_ns: (op.returned != Nanos::NEVER).then_some(op.returned.0),
        outcome: Some(op.outcome()),
        offset: Some(op.offset.0),
        value: None,
        writer: append.map(|value| value.writer().0),
        sequence: append.map(Value::sequence),
        records: kind.reads_records().then(|| history.records_of(op).iter().map(standing).collect()),
        group: grouped.then(|| op.group()),
        generation: grouped.then(|| op.generation()),
        transaction: transactional.then_some(op.detail),
    }
}

fn standing(record: &history::Record) -> Standing {
    let reserved = |reserved| Standing::Named(record.offset.0, Told::Reserved { reserved });
    match record.value {
        Value::FOREIGN => reserved(Reserved::Foreign),
        Value::MARKER => reserved(Reserved::Marker),
        value if value.is_ordinary() => Standing::Ours(record.offset.0, value.writer().0, value.sequence()),
        _ => reserved(Reserved::Corrupt),
    }
}
