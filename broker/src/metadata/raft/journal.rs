//! The lines of a voter's log file and what they add up to.
//!
//! One append-only file of text holds everything a voter must remember: entries, votes, what was cut off, how far the log is committed.
//! A line is the length of its JSON in 8 hex digits, the JSON's CRC-32C in 8 hex digits, and the JSON, separated by one space and ended
//! by one newline: `cut -c19- FILE | jq .` reads it.
//!
//! ```text
//! 0000006a 4f3c19d2 {"Entry":{"log_id":{"leader_id":{"term":1,"node_id":100},"index":2},"payload":{"Normal":{"base":1,…
//! 00000053 09b1aa70 {"Committed":{"leader_id":{"term":1,"node_id":100},"index":2}}
//! ```
//!
//! An entry counts for the history of a run once a later line says `Committed` with its index or a larger one.
//!
//! Pure: bytes in, state out. Reading and cutting files is [`super::files`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Entry, LogId, Vote};

/// Longest JSON of one line.
pub const LINE_BYTES_MAX: usize = 64 << 20;

const FRAME_BYTES: usize = 18;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Line {
    /// First line of every segment: what earlier segments add up to beside their entries.
    Head(Head),
    /// The voter has voted.
    Vote(Vote),
    /// An entry was appended.
    Entry(Entry),
    /// Entries from this index on are void: another leader wrote others.
    Truncate {
        /// First one.
        since: u64,
    },
    /// The log is committed up to here.
    Committed(LogId),
    /// Entries up to here are in a snapshot.
    Purge(LogId),
}

/// See [`Line::Head`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last vote.
    pub vote: Option<Vote>,
    /// The last commit.
    pub committed: Option<LogId>,
    /// The last purge.
    pub purged: Option<LogId>,
}

/// Why bytes are no journal. Offsets are bytes from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JournalError {
    /// A line is cut short or damaged, and nothing sound follows it.
    #[error("torn at byte {at}")]
    Torn {
        /// Where the damaged line begins.
        at: usize,
    },
    /// A line is damaged, and sound ones follow: this is no torn end.
    #[error("damaged at byte {at}")]
    Damaged {
        /// Where the damaged line begins.
        at: usize,
    },
    /// A sound line holds what this version does not know.
    #[error("unknown line at byte {at}: {why}")]
    Foreign {
        /// Where it begins.
        at: usize,
        /// What is wrong.
        why: String,
    },
    /// Entries are missing between those that were purged and the last one.
    #[error("entry {0} is missing")]
    Gap(u64),
}

/// The bytes of a line.
///
/// # Errors
/// When the line has no JSON form or is longer than [`LINE_BYTES_MAX`].
pub fn encode(line: &Line) -> Result<Vec<u8>, serde_json::Error> {
    frame(&serde_json::to_vec(line)?)
}

/// Puts length and checksum before a JSON.
///
/// # Errors
/// When it is longer than [`LINE_BYTES_MAX`].
pub fn frame(json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    if json.len() > LINE_BYTES_MAX {
        return Err(serde::ser::Error::custom("line is too long"));
    }
    let mut bytes = format!("{:08x} {:08x} ", json.len(), crc32c::crc32c(json)).into_bytes();
    bytes.extend_from_slice(json);
    bytes.push(b'\n');
    Ok(bytes)
}

/// The JSON of the frame at the start of the bytes and the frame's length; `None` if there is no whole and sound one.
pub fn unframe(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let head = bytes.get(..FRAME_BYTES)?;
    if head[8] != b' ' || head[17] != b' ' {
        return None;
    }
    let length = hex(&head[..8])?;
    let crc = hex(&head[9..17])?;
    let end = FRAME_BYTES.checked_add(length)?;
    let json = bytes.get(FRAME_BYTES..end)?;
    let sound = bytes.get(end) == Some(&b'\n') && usize::try_from(crc32c::crc32c(json)).ok() == Some(crc);
    sound.then_some((json, end + 1))
}

/// All lines of a segment, each with the byte where it begins.
///
/// # Errors
/// [`JournalError::Torn`], [`JournalError::Damaged`] or [`JournalError::Foreign`], after the sound lines before it.
pub fn lines(bytes: &[u8]) -> (Vec<Line>, Result<(), JournalError>) {
    let mut lines = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let Some((json, length)) = unframe(&bytes[at..]) else {
            let error =
                if sound_after(&bytes[at..]) { JournalError::Damaged { at } } else { JournalError::Torn { at } };
            return (lines, Err(error));
        };
        match serde_json::from_slice(json) {
            Ok(line) => lines.push(line),
            Err(error) => return (lines, Err(JournalError::Foreign { at, why: error.to_string() })),
        }
        at += length;
    }
    (lines, Ok(()))
}

fn sound_after(bytes: &[u8]) -> bool {
    (1..bytes.len()).any(|at| unframe(&bytes[at..]).is_some())
}

fn hex(digits: &[u8]) -> Option<usize> {
    let lower = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(digits).ok()?;
    if lower { usize::from_str_radix(text, 16).ok() } else { None }
}

/// What the lines add up to.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Vote, commit and purge.
    pub head: Head,
    /// By index.
    pub entries: BTreeMap<u64, Entry>,
}

impl Journal {
    /// Takes one more line in.
    pub fn take(&mut self, line: Line) {
        match line {
            Line::Head(head) => {
                self.forget(head.purged);
                self.head = head;
            }
            Line::Vote(vote) => self.head.vote = Some(vote),
            Line::Entry(entry) => {
                self.entries.insert(entry.log_id.index, entry);
            }
            Line::Truncate { since } => {
                self.entries.split_off(&since);
            }
            Line::Committed(log_id) => self.head.committed = Some(log_id),
            Line::Purge(log_id) => {
                self.forget(Some(log_id));
                self.head.purged = Some(log_id);
            }
        }
    }

    fn forget(&mut self, purged: Option<LogId>) {
        if let Some(purged) = purged {
            self.entries = self.entries.split_off(&purged.index.saturating_add(1));
        }
    }

    /// Refuses a journal with holes.
    ///
    /// # Errors
    /// [`JournalError::Gap`].
    pub fn check(&self) -> Result<(), JournalError> {
        let first = self.head.purged.map_or(0, |purged| purged.index.saturating_add(1));
        let gap = (first..).zip(self.entries.keys()).find(|(expected, found)| expected != *found);
        gap.map_or(Ok(()), |(missing, _)| Err(JournalError::Gap(missing)))
    }

    /// The last entry's place, or the last purged one's.
    pub fn last(&self) -> Option<LogId> {
        self.entries.values().next_back().map(|entry| entry.log_id).or(self.head.purged)
    }
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, EntryPayload};

    use super::*;
    use crate::metadata::ids::ControllerId;

    fn log_id(index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(1, ControllerId(100)), index)
    }

    fn entry(index: u64) -> Line {
        Line::Entry(Entry { log_id: log_id(index), payload: EntryPayload::Blank })
    }

    fn text(lines: &[Line]) -> Vec<u8> {
        lines.iter().flat_map(|line| encode(line).unwrap()).collect()
    }

    fn added_up(lines: &[Line]) -> Journal {
        let mut journal = Journal::default();
        lines.iter().cloned().for_each(|line| journal.take(line));
        journal
    }

    #[test]
    fn lines_read_back_as_they_were_written() {
        let vote = Line::Vote(Vote::new(3, ControllerId(101)));
        let written = [Line::Head(Head::default()), vote, entry(0), Line::Committed(log_id(0))];
        assert_eq!(lines(&text(&written)), (written.to_vec(), Ok(())));
    }

    #[test]
    fn every_cut_of_the_last_line_is_torn_and_keeps_the_lines_before_it() {
        let whole = text(&[entry(0), entry(1)]);
        let first = text(&[entry(0)]).len();
        for cut in first + 1..whole.len() {
            assert_eq!(lines(&whole[..cut]), (vec![entry(0)], Err(JournalError::Torn { at: first })), "{cut}");
        }
        assert_eq!(lines(&whole[..first]), (vec![entry(0)], Ok(())));
    }

    #[test]
    fn a_flipped_bit_in_the_last_line_is_torn_and_in_an_earlier_one_damaged() {
        let whole = text(&[entry(0), entry(1)]);
        let first = text(&[entry(0)]).len();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            let expected = if at < first { JournalError::Damaged { at: 0 } } else { JournalError::Torn { at: first } };
            assert_eq!(lines(&flipped).1, Err(expected), "{at}");
        }
    }

    #[test]
    fn garbage_is_an_error_and_no_panic() {
        for garbage in [&b"\n\n\n"[..], b"ffffffff ffffffff ", &[0xff; 100], b"00000002 00000000 {}\n"] {
            assert!(lines(garbage).1.is_err());
        }
        let foreign = frame(b"{\"Later\":1}").unwrap();
        assert!(matches!(lines(&foreign).1, Err(JournalError::Foreign { at: 0, .. })));
    }

    #[test]
    fn a_truncation_voids_what_came_before_it_and_not_what_comes_after() {
        let journal = added_up(&[entry(0), entry(1), entry(2), Line::Truncate { since: 1 }, entry(1)]);
        assert_eq!(journal.entries.keys().copied().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(journal.check(), Ok(()));
    }

    #[test]
    fn what_was_purged_may_be_missing_and_nothing_else() {
        let purged = Line::Head(Head { purged: Some(log_id(4)), ..Head::default() });
        assert_eq!(added_up(&[purged.clone(), entry(5), entry(6)]).check(), Ok(()));
        assert_eq!(added_up(&[purged, entry(6)]).check(), Err(JournalError::Gap(5)));
        assert_eq!(added_up(&[entry(0), entry(1), Line::Purge(log_id(1))]).last(), Some(log_id(1)));
    }
}
