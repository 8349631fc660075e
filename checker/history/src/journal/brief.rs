//! Entries in brief: what a loaded producer writes most, in a word or a few.
//!
//! ```text
//! NEXT, one word: an append like the last whole invocation before it in the segment (its anchor), wanted when it was invoked
//! word 0   0xC1 u8 | sequences after the anchor u8 | log u16 | ns after the anchor u32
//!
//! RUN, six words: replies `ok` to appends of one log, told at once: details with one step between them, offsets in a row
//! word 0   0xC2 u8 | 0 u8 | 0 u16 | process u32           written last
//! word 1   returned (ns)
//! word 2   log u32 | count u32, from 2 to RUN_MAX
//! word 3   detail of the first      word 4   its offset; −1: all of them are not known
//! word 5   step between details
//! ```
//! **Invariants:** nothing is lost: what is read is the very entries that were given. An entry in brief leans on its anchor
//! alone and never on another one in brief, so that a damaged word is one wrong entry. No count is believed beyond
//! [`RUN_MAX`].
//!
//! Deliberately absent: the other kinds; they are rare.

use super::Entry;
use crate::ids::{LogId, Nanos, Offset, ProcessId, Value};
use crate::op::{Kind, Outcome};

/// Most replies in one entry.
pub const RUN_MAX: usize = 64;
/// Words of an entry for several replies.
pub const RUN_WORDS: usize = 6;

pub(super) const NEXT: u8 = 0xC1;
pub(super) const RUN: u8 = 0xC2;

/// The last whole invocation of an append in a segment. Whoever writes or reads a segment keeps one, empty at its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Anchor(Option<Invoked>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Invoked {
    process: ProcessId,
    value: Value,
    at: Nanos,
}

impl Anchor {
    /// The one word that says all of `entry`, if there is one; if not, and `entry` is an invocation that others may lean on,
    /// it is the anchor from now on and must be written whole.
    #[inline]
    pub fn brief(&mut self, entry: &Entry<'_>) -> Option<u64> {
        let word = self.word(entry);
        if word.is_none() {
            self.note(entry);
        }
        word
    }

    #[inline]
    fn word(&self, entry: &Entry<'_>) -> Option<u64> {
        let Entry::Invoke { process, kind: Kind::Append, log, detail, invoked, intended } = *entry else { return None };
        let anchor = self.0.filter(|anchor| anchor.process == process && invoked == intended)?;
        let sequences = u8::try_from(detail.checked_sub(anchor.value.0)?).ok()?;
        let elapsed = u32::try_from(invoked.0.checked_sub(anchor.at.0)?).ok()?;
        let log = u16::try_from(log.0).ok()?;
        Some(u64::from(NEXT) | u64::from(sequences) << 8 | u64::from(log) << 16 | u64::from(elapsed) << 32)
    }

    /// Notes an entry that was read whole.
    #[inline]
    pub(super) fn note(&mut self, entry: &Entry<'_>) {
        if let Entry::Invoke { process, kind: Kind::Append, detail, invoked, .. } = *entry {
            self.0 = Some(Invoked { process, value: Value(detail), at: invoked });
        }
    }

    /// What a word in brief says; `None` if it leans on nothing.
    #[inline]
    pub(super) fn entry(&self, word: u64) -> Option<Entry<'static>> {
        let anchor = self.0?;
        let detail = anchor.value.0.checked_add(word >> 8 & 0xFF)?;
        let invoked = Nanos(anchor.at.0.checked_add(word >> 32)?);
        let log = LogId((word >> 16) as u16 as u32);
        Some(Entry::Invoke { process: anchor.process, kind: Kind::Append, log, detail, invoked, intended: invoked })
    }
}

/// Replies `ok` to appends of one log that were told at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Who asked.
    pub process: ProcessId,
    /// For which log.
    pub log: LogId,
    /// When the replies had been parsed.
    pub returned: Nanos,
    /// How many there are.
    pub count: usize,
    /// The first one's detail.
    pub detail: u64,
    /// What each detail is above the one before it.
    pub step: u64,
    /// The first one's offset, or −1 for all.
    pub offset: Offset,
}

impl Run {
    /// How many of `replies` (detail, offset), from the first on, one entry can say, and the step between their details.
    pub fn reach(replies: impl IntoIterator<Item = (u64, Offset)>) -> (usize, u64) {
        let mut replies = replies.into_iter().take(RUN_MAX);
        let Some(first) = replies.next() else { return (0, 0) };
        let (mut last, mut step, mut count) = (first, None, 1);
        for reply in replies {
            let this = reply.0.checked_sub(last.0).filter(|this| step.is_none_or(|step| step == *this));
            if this.is_none() || reply.1 != after(last.1, 1) {
                break;
            }
            (last, step, count) = (reply, this, count + 1);
        }
        (count, step.unwrap_or(0))
    }

    /// Writes the entry into `out`, [`RUN_WORDS`] long, except for word 0, which is returned, to be stored last.
    pub fn encode(&self, out: &mut [u64]) -> u64 {
        let place = u64::from(self.log.0) | (self.count as u64) << 32;
        out[1..RUN_WORDS].copy_from_slice(&[self.returned.0, place, self.detail, self.offset.0 as u64, self.step]);
        u64::from(RUN) | u64::from(self.process.0) << 32
    }

    /// The run that starts `words`, if it is one.
    pub(super) fn decode(words: &[u64]) -> Option<Run> {
        let [head, returned, place, detail, offset, step, ..] = *words else { return None };
        let count = (place >> 32) as usize;
        let last = step.checked_mul(count as u64)?.checked_add(detail);
        let sound = (2..=RUN_MAX).contains(&count) && last.is_some() && head & 0xFFFF_FF00 == 0;
        let (process, log) = (ProcessId((head >> 32) as u32), LogId(place as u32));
        let (returned, offset) = (Nanos(returned), Offset(offset as i64));
        (sound && offset.0 >= -1).then_some(Run { process, log, returned, count, detail, step, offset })
    }

    /// Its replies, one by one.
    pub(super) fn entries(self) -> impl Iterator<Item = Entry<'static>> {
        let Run { process, log, returned, .. } = self;
        (0..self.count as u64).map(move |n| Entry::Return {
            process,
            kind: Kind::Append,
            log,
            detail: self.detail + n * self.step,
            returned,
            outcome: Outcome::Ok,
            error: 0,
            offset: after(self.offset, n as i64),
        })
    }
}

/// `n` offsets on, if it is known where.
fn after(offset: Offset, n: i64) -> Offset {
    if offset == Offset::UNKNOWN { offset } else { Offset(offset.0.saturating_add(n)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::WriterId;

    fn invoke(process: u32, detail: u64, log: u32, at: u64) -> Entry<'static> {
        let (process, invoked) = (ProcessId(process), Nanos(at));
        Entry::Invoke { process, kind: Kind::Append, log: LogId(log), detail, invoked, intended: invoked }
    }

    #[test]
    fn an_invocation_in_brief_is_read_as_it_was_given() {
        let mut anchor = Anchor::default();
        let base = Value::new(WriterId(7), 900).0;
        assert_eq!(anchor.brief(&invoke(3, base, 0, 1_000)), None);
        for (detail, log, at) in [(base, 0, 1_000), (base + 1, 5, 1_000), (base + 255, 0xFFFF, 1_000 + 0xFFFF_FFFF)] {
            let given = invoke(3, detail, log, at);
            let word = anchor.brief(&given).unwrap();
            assert_eq!((word as u8, anchor.entry(word)), (NEXT, Some(given)));
        }
    }

    #[test]
    fn what_one_word_cannot_say_is_written_whole_and_leaned_on() {
        let base = Value::new(WriterId(7), 900).0;
        let late = Entry::Invoke {
            process: ProcessId(3),
            kind: Kind::Append,
            log: LogId(0),
            detail: base + 1,
            invoked: Nanos(1_001),
            intended: Nanos(1_000),
        };
        let far = [
            invoke(4, base + 1, 0, 1_000),
            invoke(3, base + 256, 0, 1_000),
            invoke(3, base - 1, 0, 1_000),
            invoke(3, base + 1, 0x1_0000, 1_000),
            invoke(3, base + 1, 0, 999),
            invoke(3, base + 1, 0, 1_001 + 0xFFFF_FFFF),
            late,
        ];
        for entry in far {
            let mut anchor = Anchor::default();
            assert_eq!(anchor.brief(&invoke(3, base, 0, 1_000)), None);
            assert_eq!(anchor.brief(&entry), None, "{entry:?}");
            let Entry::Invoke { process, detail, invoked, .. } = entry else { panic!("all are invocations") };
            let next = invoke(process.0, detail + 1, 1, invoked.0 + 1);
            let word = anchor.brief(&next).unwrap();
            assert_eq!(anchor.entry(word), Some(next));
        }
        let commit = Entry::Invoke {
            process: ProcessId(3),
            kind: Kind::Commit,
            log: LogId(0),
            detail: base,
            invoked: Nanos(1_000),
            intended: Nanos(1_000),
        };
        let mut anchor = Anchor::default();
        anchor.brief(&invoke(3, base, 0, 1_000));
        let before = anchor;
        assert_eq!((anchor.brief(&commit), anchor), (None, before));
    }

    #[test]
    fn a_run_reaches_as_far_as_it_says_the_same() {
        let known = |details: &[u64], offsets: &[i64]| {
            Run::reach(details.iter().copied().zip(offsets.iter().map(|offset| Offset(*offset))))
        };
        assert_eq!(known(&[], &[]), (0, 0));
        assert_eq!(known(&[5], &[9]), (1, 0));
        assert_eq!(known(&[5, 8, 11], &[9, 10, 11]), (3, 3));
        assert_eq!(known(&[5, 8, 12], &[9, 10, 11]), (2, 3));
        assert_eq!(known(&[5, 8, 11], &[9, 11, 12]), (1, 0));
        assert_eq!(known(&[5, 4], &[9, 10]), (1, 0));
        assert_eq!(known(&[5, 6, 7], &[-1, -1, -1]), (3, 1));
        assert_eq!(known(&[5, 6, 7], &[-1, 0, 1]), (1, 0));
        let many: Vec<u64> = (0..100).collect();
        let offsets: Vec<i64> = (0..100).collect();
        assert_eq!(known(&many, &offsets), (RUN_MAX, 1));
    }

    #[test]
    fn a_run_gives_back_its_replies_and_a_damaged_one_nothing() {
        let (process, log, returned) = (ProcessId(3), LogId(1), Nanos(20));
        for (offset, offsets) in [(Offset(9), [9, 10, 11]), (Offset(-1), [-1; 3])] {
            let run = Run { process, log, returned, count: 3, detail: 5, step: 3, offset };
            let mut words = [0; RUN_WORDS];
            words[0] = run.encode(&mut words);
            let told: Vec<_> = Run::decode(&words).unwrap().entries().collect();
            let expected = [5, 8, 11].into_iter().zip(offsets).map(|(detail, offset)| {
                let (kind, outcome, error, offset) = (Kind::Append, Outcome::Ok, 0, Offset(offset));
                Entry::Return { process, kind, log, detail, returned, outcome, error, offset }
            });
            assert_eq!(told, expected.collect::<Vec<_>>());
            for (at, wrong) in
                [(0, words[0] | 0x100), (2, 1 | 1 << 32), (2, 65 << 32), (4, -2i64 as u64), (5, u64::MAX / 2)]
            {
                let mut damaged = words;
                damaged[at] = wrong;
                assert_eq!(Run::decode(&damaged), None, "word {at}");
            }
            assert_eq!(Run::decode(&words[..5]), None);
        }
    }
}
