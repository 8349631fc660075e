//! The final read: every log from its start to its end, after everything was healed, so that "lost" and "not yet read" are
//! different words.
//!
//! Everything asked and answered is journalled under the drain's own process. **Invariant:** a log counts as complete only
//! if windows cover it from its start without a gap up to an end that was asked again after the last one and had not moved.

use crate::clock::{self, Deadline};
use crate::journal::{Answer, Journal, JournalError, Subject};
use crate::spec::LogPlace;
use crate::wire::{Cluster, Isolation, OffsetAt, Window, WireError};
use history::{Kind, LogId, Offset, Outcome, ProcessId};

/// Bytes of a window where nobody asks for fewer.
pub const WINDOW_BYTES: i32 = 1 << 20;
const WINDOW_WAIT_MS: i32 = 100;
/// So many windows in a row with nothing in them below the end: more would not be served either.
const DENIALS_MAX: u32 = 40;
const END: OffsetAt = OffsetAt::Latest(Isolation::ReadUncommitted);
const STABLE: OffsetAt = OffsetAt::Latest(Isolation::ReadCommitted);
/// How often [`settle`] asks, and how long it waits for one answer.
const SETTLE_EVERY_MS: u64 = 250;
const ANSWER_MS_MAX: u64 = 2_000;

/// What a drain read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DrainReport {
    /// Log by log, in the order asked for.
    pub logs: Vec<LogDrain>,
}

/// What a drain read of one log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogDrain {
    /// Which.
    pub log: LogId,
    /// Its first retained offset, as told.
    pub start: Offset,
    /// Its readable end, as told last.
    pub end: Offset,
    /// Records read, markers among them.
    pub records: u64,
    /// Whether that was all.
    pub reach: Reach,
}

/// How far a drain came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// From the start to the end.
    Complete,
    /// Up to this offset, and why not further.
    Stopped {
        /// The first offset not read.
        at: Offset,
        /// What was in the way.
        why: String,
    },
}

impl DrainReport {
    /// True if every log was read from its start to its end.
    pub fn is_complete(&self) -> bool {
        self.logs.iter().all(|l| l.reach == Reach::Complete)
    }
}

/// Reads every log in turn in windows of at most `window_bytes`, each until it is complete, nothing more is served below its
/// end, or its share of the time left is up. A batch that is larger than a window comes whole (KIP-74). Only a journal that cannot be
/// written is an error: everything else is part of the report.
pub fn drain(
    cluster: &mut Cluster,
    logs: &[LogPlace],
    deadline: Deadline,
    window_bytes: i32,
    (journal, process): (&Journal, ProcessId),
) -> Result<DrainReport, JournalError> {
    let mut report = DrainReport::default();
    for (n, place) in logs.iter().enumerate() {
        // So that a log without a leader does not leave the others unread.
        let deadline = deadline.share((logs.len() - n) as u32);
        report
            .logs
            .push(Reader { cluster: &mut *cluster, place, deadline, window_bytes, journal, process }.read_log()?);
    }
    Ok(report)
}

/// Asks for every log's last stable offset until it has reached the log's end, or the time is up: what is behind it is hidden from
/// readers of committed records.
pub fn settle(
    cluster: &mut Cluster,
    logs: &[LogPlace],
    deadline: Deadline,
    (journal, process): (&Journal, ProcessId),
) -> Result<(), JournalError> {
    let mut open: Vec<&LogPlace> = logs.iter().collect();
    loop {
        let mut held = Vec::new();
        for place in open {
            let patience = deadline.but_at_most_ms(ANSWER_MS_MAX);
            let mut reader =
                Reader { cluster: &mut *cluster, place, deadline: patience, window_bytes: 0, journal, process };
            let (end, stable) = (reader.ask(Kind::EndOffset, END)?, reader.ask(Kind::StableEnd, STABLE)?);
            if matches!((end, stable), (Ok(end), Ok(stable)) if stable < end) {
                held.push(place);
            }
        }
        open = held;
        if open.is_empty() || !clock::between_attempts(SETTLE_EVERY_MS, deadline) {
            return Ok(());
        }
    }
}

struct Reader<'a> {
    cluster: &'a mut Cluster,
    place: &'a LogPlace,
    deadline: Deadline,
    window_bytes: i32,
    journal: &'a Journal,
    process: ProcessId,
}

impl Reader<'_> {
    fn read_log(mut self) -> Result<LogDrain, JournalError> {
        let mut drained = LogDrain {
            log: self.place.id,
            start: Offset::UNKNOWN,
            end: Offset::UNKNOWN,
            records: 0,
            reach: Reach::Complete,
        };
        let told = match self.ask(Kind::LogStart, OffsetAt::Earliest)? {
            Ok(start) => self.ask(Kind::EndOffset, END)?.map(|end| (start, end)),
            Err(error) => Err(error),
        };
        match told {
            Ok((start, end)) => (drained.start, drained.end) = (start, end),
            Err(error) => {
                drained.reach = Reach::Stopped { at: Offset::UNKNOWN, why: error.to_string() };
                return Ok(drained);
            }
        }
        self.read_windows(&mut drained)?;
        Ok(drained)
    }

    fn read_windows(&mut self, drained: &mut LogDrain) -> Result<(), JournalError> {
        let (mut at, mut known, mut denials) = (drained.start, drained.start, 0);
        loop {
            let step = self.window(at, &mut known)?.map(|(next, records)| {
                drained.records += records;
                next
            });
            let at_end = matches!(step, Ok(next) if next >= drained.end);
            let step = match step {
                Ok(next) if at_end => self.ask(Kind::EndOffset, END)?.map(|end| (next, end)),
                Ok(next) => Ok((next, drained.end)),
                Err(error) => Err(error),
            };
            match step {
                Ok((next, end)) if at_end && end == drained.end => {
                    debug_assert!(next >= end);
                    return Ok(());
                }
                Ok((next, end)) => {
                    denials = if next > at { 0 } else { denials + 1 };
                    (at, drained.end) = (next, end);
                }
                Err(error) => return stop(drained, at, error.to_string()),
            }
            if denials >= DENIALS_MAX {
                return stop(drained, at, "nothing is served there".into());
            }
            if self.deadline.passed() {
                return stop(drained, at, "the drain's time was up".into());
            }
        }
    }

    fn ask(&mut self, kind: Kind, what: OffsetAt) -> Result<Result<Offset, WireError>, JournalError> {
        let invoked = clock::now();
        let told = self.cluster.list_offset(&self.place.topic, self.place.partition, what, self.deadline);
        let answer = match &told {
            Ok(offset) => Answer::ok(*offset),
            Err(error) => Answer::error(Outcome::Unknown, error.code()),
        };
        let subject = Subject { process: self.process, kind, log: self.place.id, detail: 0 };
        self.journal.observe(subject, invoked, answer)?;
        Ok(told)
    }

    /// One window: what comes next, and how many records it had. Compaction leaves batches behind whose last records are gone, and
    /// such as have none: what is journalled begins where the records `known` so far end, for in between there is nothing.
    fn window(&mut self, from: Offset, known: &mut Offset) -> Result<Result<(Offset, u64), WireError>, JournalError> {
        let window = Window {
            from,
            bytes_max: self.window_bytes,
            wait_ms: WINDOW_WAIT_MS,
            isolation: Isolation::ReadUncommitted,
        };
        let subject = |from: Offset| Subject {
            process: self.process,
            kind: Kind::Fetch,
            log: self.place.id,
            detail: from.0 as u64,
        };
        let invoked = clock::now();
        match self.cluster.fetch(&self.place.topic, self.place.partition, window, self.deadline) {
            Ok(fetched) => {
                let records = fetched.read(self.journal.run());
                match records.last() {
                    Some(last) => {
                        self.journal.read(subject(*known), invoked, &records)?;
                        *known = Offset(last.offset.0 + 1);
                    }
                    None if fetched.is_hollow(&records) => {}
                    None => self.journal.read(subject(from), invoked, &[])?,
                }
                Ok(Ok((fetched.next, records.len() as u64)))
            }
            Err(error) => {
                self.journal.read_failed(subject(from), invoked, error.code())?;
                Ok(Err(error))
            }
        }
    }
}

fn stop(drained: &mut LogDrain, at: Offset, why: String) -> Result<(), JournalError> {
    drained.reach = Reach::Stopped { at, why };
    Ok(())
}
