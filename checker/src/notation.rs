//! Histories as text, one operation a line: how examples and tests are written.
//!
//! ```text
//! w1 append 1.0 @0 [1 2]            appended 1.0, acknowledged at offset 0, from 1 to 2
//! w1 append 1.1 ? [3 -]             unknown, no reply ever;  !  failed;  @none  acknowledged without an offset
//! c1 poll 0:1.0 1:1.1 [7 8]         handed over two records;  also corrupt, foreign, marker as values
//! c1 fetch @2 [9 10]                a fetch window from offset 2, empty
//! s1 end 2 [9 10]                   likewise start, stable, epoch
//! c1 assign [11 12]                 likewise revoke;  begin 1, commit 1, abort 1 of a transaction
//! c1 assign 3 [11 12]               in generation 3 of group 0;  store 5 3, stored 5: its position, written and read back
//! d1 drain from 0 to 2 0:1.0 [20 21]    the log's start, end and one fetch of it all, by a drain process
//! n1 disk from 0 to 2 hw 2 0:1.0    a replica's log
//! ```
//! The first letter of a process is its role (w writer, c consumer, d drain, s sampler); `append/3` is on log 3. A `?`
//! or `!` before the times is the outcome of any operation. `#` starts a comment. **Invariant:** no text makes the
//! parser panic or allocate more than the text is long, times a small factor.

use history::{
    History, Kind, LogId, Nanos, NodeId, Offset, Op, Outcome, ProcessId, ProcessName, Record, ReplicaLog,
    ReplicaRecord, Role, Value, WriterId,
};

/// Largest log number that is given a name.
const LOGS_NAMED_MAX: u32 = 1 << 10;

/// A history and the replicas' logs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// Operations.
    pub history: History,
    /// Disks.
    pub replicas: Vec<ReplicaLog>,
}

/// A line that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct NotationError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// Reads a history.
pub fn read(text: &str) -> Result<Told, NotationError> {
    let mut told = Told::default();
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            read_line(&mut told, line).map_err(|what| NotationError { line: i + 1, what })?;
        }
    }
    Ok(told)
}

/// The parts of a line.
struct Line<'a> {
    who: &'a str,
    verb: &'a str,
    log: LogId,
    words: Vec<&'a str>,
    outcome: Outcome,
    span: Option<(Nanos, Nanos)>,
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word:?} is not a number"))
}

fn parts(line: &str) -> Result<Line<'_>, String> {
    let (head, times) = match line.split_once('[') {
        Some((head, times)) => (head, Some(times.trim_end_matches(']'))),
        None => (line, None),
    };
    let mut words = head.split_whitespace();
    let who = words.next().ok_or("no process")?;
    let verb = words.next().ok_or("no verb")?;
    let (verb, log) = match verb.split_once('/') {
        Some((verb, log)) => (verb, LogId(number(log)?)),
        None => (verb, LogId(0)),
    };
    let mut words: Vec<&str> = words.collect();
    let outcome = match words.last() {
        Some(&"?") => Outcome::Unknown,
        Some(&"!") => Outcome::Fail,
        _ => Outcome::Ok,
    };
    if outcome != Outcome::Ok {
        words.pop();
    }
    Ok(Line { who, verb, log, words, outcome, span: times.map(span).transpose()? })
}

fn span(times: &str) -> Result<(Nanos, Nanos), String> {
    let (from, to) = times.trim().split_once(' ').ok_or("times are [from to]")?;
    let to = if to.trim() == "-" { Nanos::NEVER } else { Nanos(number(to.trim())?) };
    Ok((Nanos(number(from)?), to))
}

fn value(word: &str) -> Result<Value, String> {
    match word {
        "corrupt" => Ok(Value::CORRUPT),
        "foreign" => Ok(Value::FOREIGN),
        "marker" => Ok(Value::MARKER),
        _ => {
            let (writer, sequence) = word.split_once('.').ok_or_else(|| format!("{word:?} is not writer.sequence"))?;
            Ok(Value::new(WriterId(number(writer)?), number(sequence)?))
        }
    }
}

fn records(words: &[&str]) -> Result<Vec<Record>, String> {
    let record = |word: &&str| {
        let (offset, what) = word.split_once(':').ok_or_else(|| format!("{word:?} is not offset:value"))?;
        Ok(Record { offset: Offset(number(offset)?), value: value(what)? })
    };
    words.iter().map(record).collect()
}

/// `keyword number` pairs at the front of the words, then the rest.
fn labelled<'a>(mut words: &'a [&'a str], labels: &[&str]) -> Result<(Vec<Option<i64>>, &'a [&'a str]), String> {
    let mut found = vec![None; labels.len()];
    while let [label, n, rest @ ..] = words {
        let Some(at) = labels.iter().position(|l| l == label) else { break };
        found[at] = Some(number(n)?);
        words = rest;
    }
    Ok((found, words))
}

fn process(told: &mut Told, who: &str) -> Result<ProcessId, String> {
    let processes = &mut told.history.names.processes;
    if let Some(at) = processes.iter().position(|p| p.name == who) {
        return Ok(ProcessId(at as u32));
    }
    let role = match who.as_bytes().first() {
        Some(b'w') => Role::Producer,
        Some(b'c') => Role::Consumer,
        Some(b'd') => Role::Drain,
        Some(b's') => Role::Sampler,
        _ => return Err(format!("{who:?} has no role: w, c, d or s first")),
    };
    processes.push(ProcessName { name: who.to_owned(), role, writer: None });
    Ok(ProcessId(processes.len() as u32 - 1))
}

fn read_line(told: &mut Told, line: &str) -> Result<(), String> {
    let line = parts(line)?;
    let logs = &mut told.history.names.logs;
    if line.log.0 < LOGS_NAMED_MAX && line.log.0 as usize >= logs.len() {
        logs.extend((logs.len()..=line.log.0 as usize).map(|i| format!("log-{i}")));
    }
    if line.verb == "disk" {
        told.replicas.push(disk(&line)?);
        return Ok(());
    }
    let by = process(told, line.who)?;
    let (from, to) = line.span.ok_or("no [from to]")?;
    let (words, history) = (line.words.as_slice(), &mut told.history);
    let op = |kind, offset| Op::invoke(kind, by, line.log, from).complete(line.outcome, to, Offset(offset));
    let plain = |kind| match words {
        [] => Ok(op(kind, -1)),
        [detail] => Ok(op(kind, -1).with_detail(number(detail)?)),
        _ => Err(format!("too many words after {:?}", line.verb)),
    };
    let answer = |kind| number(words.first().ok_or("no answer")?).map(|told| op(kind, told));
    match line.verb {
        "append" => {
            let detail = value(words.first().ok_or("no value")?)?.0;
            history.ops.push(op(Kind::Append, offset(words.get(1))?).with_detail(detail));
        }
        "poll" => {
            let read = records(words)?;
            history.push_read(op(Kind::Poll, read.first().map_or(-1, |r| r.offset.0)), &read);
        }
        "fetch" | "visible" => {
            let kind = if line.verb == "fetch" { Kind::Fetch } else { Kind::CommittedFetch };
            history.push_read(op(kind, offset(words.first())?), &records(&words[1.min(words.len())..])?);
        }
        "drain" => {
            let (labels, rest) = labelled(words, &["from", "to"])?;
            let read = records(rest)?;
            let start = labels[0].unwrap_or(0);
            let end = labels[1].or(read.last().map(|r| r.offset.0.saturating_add(1))).unwrap_or(start);
            history.ops.extend([op(Kind::LogStart, start), op(Kind::EndOffset, end)]);
            history.push_read(op(Kind::Fetch, start), &read);
        }
        "end" => history.ops.push(answer(Kind::EndOffset)?),
        "stable" => history.ops.push(answer(Kind::StableEnd)?),
        "start" => history.ops.push(answer(Kind::LogStart)?),
        "epoch" => history.ops.push(answer(Kind::Epoch)?),
        "store" => history.ops.push(answer(Kind::Commit)?.with_group(0, words.get(1).map_or(Ok(0), |g| number(g))?)),
        "stored" => history.ops.push(answer(Kind::Committed)?.with_group(0, 0)),
        "assign" => history.ops.push(plain(Kind::Assign)?),
        "revoke" => history.ops.push(plain(Kind::Revoke)?),
        "begin" => history.ops.push(plain(Kind::TxnBegin)?),
        "commit" => history.ops.push(plain(Kind::TxnCommit)?),
        "abort" => history.ops.push(plain(Kind::TxnAbort)?),
        verb => return Err(format!("no verb is called {verb:?}")),
    }
    Ok(())
}

fn offset(word: Option<&&str>) -> Result<i64, String> {
    match word {
        None | Some(&"@none") => Ok(-1),
        Some(word) => number(word.strip_prefix('@').ok_or_else(|| format!("{word:?} is not @offset"))?),
    }
}

fn disk(line: &Line<'_>) -> Result<ReplicaLog, String> {
    let node = line.who.strip_prefix('n').ok_or("a disk belongs to a node, e.g. n1")?;
    let (labels, rest) = labelled(&line.words, &["from", "to", "hw"])?;
    let records = records(rest)?;
    let of = |r: &Record| ReplicaRecord { offset: r.offset, value: r.value, epoch: history::LeaderEpoch(0) };
    let end = records.last().map_or(0, |r| r.offset.0.saturating_add(1));
    Ok(ReplicaLog {
        repeats: Vec::new(),
        node: NodeId(number(node)?),
        log: line.log,
        start: Offset(labels[0].unwrap_or(0)),
        end: Offset(labels[1].unwrap_or(end)),
        high_watermark: labels[2].map(Offset),
        epochs: Vec::new(),
        records: records.iter().map(of).collect(),
    })
}
