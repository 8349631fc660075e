//! The journal's entries as words: what a client process writes before and after each request, readable after SIGKILL.
//!
//! A segment is a header of [`HEADER_WORDS`] and then entries, each a run of little-endian 64-bit words:
//!
//! ```text
//! word 0   kind u8 | outcome u8 | error i16 | process u32     written last; 0 = nothing (more) was written here
//! word 1   invoked (ns)
//! word 2   log u32 | count u32
//! word 3   detail, as in `op::Kind` (append: the value)
//! word 4   Invoke: intended time, of a commit its offset; Return: offset; Read, Observe: returned
//! word 5…  Read: count × (offset, value). Observe: one word, the offset told
//! ```
//! An effect is two entries, `Invoke` and `Return`, matched by (process, kind, log, detail); a read or an observation is
//! one, written after its reply. Two more forms say the same entries in fewer words ([`brief`]); version 1 had none of
//! them and is read as well. **Invariant:** decoding never fails and never allocates by what an entry claims: it
//! stops at the first entry that is not whole, and says where.

mod brief;
#[cfg(test)]
mod tests;

pub use brief::{Anchor, RUN_MAX, RUN_WORDS, Run};

use crate::ids::{LogId, Nanos, Offset, ProcessId, Value};
use crate::op::{Kind, Outcome, Record};

/// Words of an entry without records.
pub const ENTRY_WORDS: usize = 5;
/// Words of a segment's header: magic, version, run, process count hint, monotonic and wall time of its creation.
pub const HEADER_WORDS: usize = 8;
/// First word of a segment: version 2.
pub const MAGIC: u64 = u64::from_le_bytes(*b"SGJRNL\x02\x00");
/// Without entries in brief.
const VERSION_1: u64 = u64::from_le_bytes(*b"SGJRNL\x01\x00");

const RETURN: u8 = 0x40;
const OBSERVE: u8 = 0x80;

/// What a segment says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The run it belongs to.
    pub run: u64,
    /// CLOCK_MONOTONIC at creation.
    pub mono: Nanos,
    /// CLOCK_REALTIME at creation, ns since 1970.
    pub wall: u64,
}

impl Header {
    /// The words of the header.
    pub fn encode(&self) -> [u64; HEADER_WORDS] {
        [MAGIC, self.run, self.mono.0, self.wall, 0, 0, 0, 0]
    }

    /// The header at the start of a segment, if it is one.
    pub fn decode(words: &[u64]) -> Option<Header> {
        match words {
            [MAGIC | VERSION_1, run, mono, wall, _, _, _, _, ..] => {
                Some(Header { run: *run, mono: Nanos(*mono), wall: *wall })
            }
            _ => None,
        }
    }
}

/// One journal entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry<'a> {
    /// An effect is about to be asked for.
    Invoke {
        /// Who asks.
        process: ProcessId,
        /// What for.
        kind: Kind,
        /// Of which log.
        log: LogId,
        /// See [`Kind`].
        detail: u64,
        /// Now.
        invoked: Nanos,
        /// When the load's plan wanted it; of a commit the offset it asks for, so that one without reply is known too.
        intended: Nanos,
    },
    /// The reply to an effect.
    Return {
        /// Who asked.
        process: ProcessId,
        /// What for.
        kind: Kind,
        /// Of which log.
        log: LogId,
        /// As in its `Invoke`.
        detail: u64,
        /// When the reply had been parsed.
        returned: Nanos,
        /// What is known now.
        outcome: Outcome,
        /// The client's error code, 0 none.
        error: i16,
        /// The offset told.
        offset: Offset,
    },
    /// A read with its records.
    Read {
        /// Who read.
        process: ProcessId,
        /// Poll or fetch.
        kind: Kind,
        /// Which log.
        log: LogId,
        /// The offset asked for (fetch) or first delivered (poll).
        from: Offset,
        /// Before the request.
        invoked: Nanos,
        /// After the reply.
        returned: Nanos,
        /// What is known: `Ok`, or `Unknown` with the error.
        outcome: Outcome,
        /// The client's error code, 0 none.
        error: i16,
        /// Pairs of (offset, value) words.
        records: &'a [u64],
    },
    /// A question answered with one number: an end offset, an epoch, an assignment.
    Observe {
        /// Who asked.
        process: ProcessId,
        /// What for.
        kind: Kind,
        /// Of which log.
        log: LogId,
        /// See [`Kind`].
        detail: u64,
        /// Before the request.
        invoked: Nanos,
        /// After the reply.
        returned: Nanos,
        /// What is known.
        outcome: Outcome,
        /// The client's error code, 0 none.
        error: i16,
        /// The answer.
        offset: Offset,
    },
}

fn head(kind: u8, outcome: u8, error: i16, process: ProcessId) -> u64 {
    u64::from(kind) | u64::from(outcome) << 8 | u64::from(error as u16) << 16 | u64::from(process.0) << 32
}

fn place(log: LogId, count: usize) -> u64 {
    u64::from(log.0) | (count as u64) << 32
}

impl Entry<'_> {
    /// Words the entry takes.
    pub fn words(&self) -> usize {
        match self {
            Entry::Invoke { .. } | Entry::Return { .. } => ENTRY_WORDS,
            Entry::Read { records, .. } => ENTRY_WORDS + records.len(),
            Entry::Observe { .. } => ENTRY_WORDS + 1,
        }
    }

    /// Writes the entry into `out`, which must be [`Entry::words`] long, except for word 0, which is returned: the writer
    /// stores it last, and with release order, so that a reader never sees half an entry.
    pub fn encode(&self, out: &mut [u64]) -> u64 {
        match *self {
            Entry::Invoke { process, kind, log, detail, invoked, intended } => {
                out[1..5].copy_from_slice(&[invoked.0, place(log, 0), detail, intended.0]);
                head(kind as u8, 0, 0, process)
            }
            Entry::Return { process, kind, log, detail, returned, outcome, error, offset } => {
                out[1..5].copy_from_slice(&[returned.0, place(log, 0), detail, offset.0 as u64]);
                head(kind as u8 | RETURN, outcome as u8, error, process)
            }
            Entry::Read { process, kind, log, from, invoked, returned, outcome, error, records } => {
                let fixed = [invoked.0, place(log, records.len() / 2), from.0 as u64, returned.0];
                out[1..5].copy_from_slice(&fixed);
                out[5..].copy_from_slice(records);
                head(kind as u8, outcome as u8, error, process)
            }
            Entry::Observe { process, kind, log, detail, invoked, returned, outcome, error, offset } => {
                out[1..6].copy_from_slice(&[invoked.0, place(log, 0), detail, returned.0, offset.0 as u64]);
                head(kind as u8 | OBSERVE, outcome as u8, error, process)
            }
        }
    }
}

/// Why a segment's decoding ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// At a zero word or the segment's last one: everything that was written has been read.
    Whole,
    /// At an entry that is not one, at this word.
    Torn {
        /// Index of the word in the segment.
        word: usize,
    },
}

/// Walks the entries of a segment (header included), calling `each` for every whole one.
pub fn decode<'a>(words: &'a [u64], each: impl FnMut(Entry<'a>)) -> End {
    match decode_from(words, HEADER_WORDS, &mut Anchor::default(), each) {
        (_, true) => End::Whole,
        (word, false) => End::Torn { word },
    }
}

/// Walks entries from the word `at`, which starts one; says at which word it stopped, and whether everything before
/// that is whole and nothing (yet) written there. A live segment, or one read in pieces, is followed by going on from where
/// it stopped with the same anchor.
pub fn decode_from<'a>(
    words: &'a [u64],
    mut at: usize,
    anchor: &mut Anchor,
    mut each: impl FnMut(Entry<'a>),
) -> (usize, bool) {
    while let Some(&first) = words.get(at).filter(|first| **first != 0) {
        let next = match first as u8 {
            brief::NEXT => anchor.entry(first).map(|entry| {
                each(entry);
                at + 1
            }),
            brief::RUN => Run::decode(&words[at..]).map(|run| {
                for entry in run.entries() {
                    each(entry);
                }
                at + RUN_WORDS
            }),
            _ => entry_at(words, at, first).map(|(entry, next)| {
                anchor.note(&entry);
                each(entry);
                next
            }),
        };
        let Some(next) = next else { return (at, false) };
        at = next;
    }
    (at, true)
}

fn entry_at(words: &[u64], at: usize, first: u64) -> Option<(Entry<'_>, usize)> {
    let fixed = words.get(at..at + ENTRY_WORDS)?;
    let (code, outcome, error) = (first as u8, Outcome::from_code((first >> 8) as u8), (first >> 16) as u16 as i16);
    let (process, log, count) = (ProcessId((first >> 32) as u32), LogId(fixed[2] as u32), (fixed[2] >> 32) as usize);
    let kind = Kind::from_code(code & !(RETURN | OBSERVE))?;
    let (time, detail, last) = (Nanos(fixed[1]), fixed[3], fixed[4]);
    let next = at + ENTRY_WORDS;
    let entry = match code & (RETURN | OBSERVE) {
        RETURN => {
            let offset = Offset(last as i64);
            Entry::Return { process, kind, log, detail, returned: time, outcome: outcome?, error, offset }
        }
        OBSERVE => {
            let offset = Offset(*words.get(next)? as i64);
            let (invoked, returned, outcome) = (time, Nanos(last), outcome?);
            let entry = Entry::Observe { process, kind, log, detail, invoked, returned, outcome, error, offset };
            return Some((entry, next + 1));
        }
        0 if kind.reads_records() => {
            let records = words.get(next..next.checked_add(count.checked_mul(2)?)?)?;
            let (from, invoked, returned, outcome) = (Offset(detail as i64), time, Nanos(last), outcome?);
            let entry = Entry::Read { process, kind, log, from, invoked, returned, outcome, error, records };
            return Some((entry, next + records.len()));
        }
        0 => Entry::Invoke { process, kind, log, detail, invoked: time, intended: Nanos(last) },
        _ => return None,
    };
    Some((entry, next))
}

/// The records of a [`Entry::Read`].
pub fn records(words: &[u64]) -> impl Iterator<Item = Record> + '_ {
    words.chunks_exact(2).map(|w| Record { offset: Offset(w[0] as i64), value: Value(w[1]) })
}
