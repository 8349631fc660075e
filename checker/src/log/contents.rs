//! What stands where: one value and a few bits an offset, 9 bytes. The first to say what an offset holds is believed
//! until somebody better informed disagrees; every disagreement is remembered with both values.
//!
//! **Invariant:** every value that was ever said of an offset and is not in its cell is in `disagreements`.

use crate::log::sparse::{CHUNK, Sparse};
use history::{Offset, Record, Value};

/// Who said that a value stands at an offset; bits of a cell.
pub mod by {
    /// The acknowledgement of its append.
    pub const ACK: u8 = 1;
    /// A replica's log, where it is committed.
    pub const REPLICA: u8 = 2;
    /// A reader while the load ran.
    pub const READ: u8 = 4;
    /// The drain.
    pub const DRAIN: u8 = 8;
    /// Any of them.
    pub const ANYBODY: u8 = ACK | REPLICA | READ | DRAIN;
    /// Those that saw the record itself.
    pub const EYES: u8 = REPLICA | READ | DRAIN;
    /// A reader passed over the offset.
    pub const SKIPPED: u8 = 16;
    /// It was seen more than once.
    pub const AGAIN: u8 = 32;
}

/// One offset.
#[derive(Clone, Copy, Default)]
#[repr(C, packed)]
pub struct Content {
    value: u64,
    bits: u8,
}

impl Content {
    /// What stands there, if anybody said so.
    pub fn value(self) -> Option<Value> {
        (self.bits & by::ANYBODY != 0).then_some(Value(self.value))
    }

    /// Whether any of `bits` is set.
    pub fn is(self, bits: u8) -> bool {
        self.bits & bits != 0
    }
}

/// An offset of which two values were said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Disagreement {
    /// The offset.
    pub offset: Offset,
    /// One value.
    pub one: Value,
    /// The other.
    pub other: Value,
}

/// See the module.
#[derive(Clone, Default)]
pub struct Contents {
    cells: Sparse<Content>,
    disagreements: Vec<Disagreement>,
    strange: Strange,
}

/// Which of the reserved values that should not be there were seen.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Strange {
    /// [`Value::CORRUPT`] or an undefined value.
    pub corrupt: bool,
    /// [`Value::FOREIGN`].
    pub foreign: bool,
}

/// Offsets keep their order as table positions.
const SIGN: u64 = 1 << 63;

fn position(offset: i64) -> u64 {
    offset as u64 ^ SIGN
}

/// A value as it is judged: what is neither ordinary nor reserved is taken for corrupt.
pub fn judged(value: Value) -> Value {
    match value {
        v if v.is_ordinary() || v == Value::MARKER || v == Value::FOREIGN => v,
        _ => Value::CORRUPT,
    }
}

fn rank(bits: u8) -> u8 {
    match () {
        () if bits & by::DRAIN != 0 => 3,
        () if bits & by::EYES != 0 => 2,
        () => 1,
    }
}

impl Contents {
    /// Somebody says that `value` stands at `offset`.
    #[inline(always)]
    pub fn claim(&mut self, offset: i64, value: Value, bit: u8) {
        if !value.is_ordinary() {
            return self.claim_reserved(offset, judged(value), bit);
        }
        let cell = self.cells.entry(position(offset));
        let (held, bits) = (cell.value, cell.bits);
        if bits & by::ANYBODY == 0 {
            (cell.value, cell.bits) = (value.0, bits | bit);
        } else if held == value.0 {
            let again = bits & by::EYES != 0 && bit & by::EYES != 0;
            cell.bits = bits | bit | if again { by::AGAIN } else { 0 };
        } else {
            self.disagree(offset, value, bit);
        }
    }

    /// A reader says that `records` stand where they say; true if each is the neighbour of the one before. Neighbours
    /// that all agree are the rule.
    #[inline]
    pub fn claim_all(&mut self, records: &[Record], bit: u8) -> bool {
        let (mut at, mut neighbours) = (0, true);
        let in_line = |at: usize| records[at].offset.0.wrapping_sub(records[0].offset.0) == at as i64;
        while at < records.len() {
            neighbours &= in_line(at);
            at += self.agree(&records[at..], records[at].offset.0, bit);
            if let Some(other) = records.get(at) {
                neighbours &= in_line(at);
                self.claim(other.offset.0, other.value, bit);
                at += 1;
            }
        }
        neighbours
    }

    /// How many of `records`, the first at `offset`, are neighbours within one chunk and stand there already.
    #[inline]
    fn agree(&mut self, records: &[Record], offset: i64, bit: u8) -> usize {
        let mut position = position(offset);
        let Some(cells) = self.cells.neighbours(position) else { return 0 };
        for (n, (record, cell)) in records.iter().zip(cells).enumerate() {
            let (held, bits) = (cell.value, cell.bits);
            if self::position(record.offset.0) != position || held != record.value.0 || bits & by::ANYBODY == 0 {
                return n;
            }
            cell.bits = bits | bit | if bits & by::EYES != 0 { by::AGAIN } else { 0 };
            position = position.wrapping_add(1);
        }
        records.len().min(CHUNK - (offset as u64 % CHUNK as u64) as usize)
    }

    #[cold]
    fn disagree(&mut self, offset: i64, value: Value, bit: u8) {
        let cell = self.cells.entry(position(offset));
        let (held, bits) = (Value(cell.value), cell.bits);
        if !held.is_ordinary() {
            (cell.value, cell.bits) = (value.0, bits & by::SKIPPED | bit);
            return;
        }
        if (rank(bit), value) > (rank(bits), held) {
            (cell.value, cell.bits) = (value.0, bits & by::SKIPPED | by::AGAIN | bit);
        } else {
            cell.bits |= by::AGAIN;
        }
        let found = Disagreement { offset: Offset(offset), one: held.min(value), other: held.max(value) };
        if self.disagreements.last() != Some(&found) {
            self.disagreements.push(found);
        }
    }

    /// A reserved value never contradicts: a record may be removed by policy, and damage is a finding of its own.
    #[cold]
    fn claim_reserved(&mut self, offset: i64, value: Value, bit: u8) {
        self.strange.corrupt |= value == Value::CORRUPT;
        self.strange.foreign |= value == Value::FOREIGN;
        let cell = self.cells.entry(position(offset));
        if cell.bits & by::ANYBODY == 0 {
            (cell.value, cell.bits) = (value.0, cell.bits | bit);
        }
    }

    /// Notes that a replica has `value` at an offset where it need not be committed; true if it is what stands there.
    pub fn corroborate(&mut self, offset: i64, value: Value) {
        let found = self.cells.get(position(offset));
        if found.value() == Some(value) {
            self.cells.entry(position(offset)).bits |= by::REPLICA;
        }
    }

    /// A reader passed over `offset`.
    pub fn skip(&mut self, offset: i64) {
        self.cells.entry(position(offset)).bits |= by::SKIPPED;
    }

    /// What is known of `offset`.
    pub fn at(&self, offset: i64) -> Content {
        self.cells.get(position(offset))
    }

    /// Every offset that something is known of, rising.
    pub fn rising(&self) -> impl Iterator<Item = (i64, Content)> + '_ {
        self.cells.rising().filter(|c| c.1.bits != 0).map(|(p, c)| ((p ^ SIGN) as i64, c))
    }

    /// Whether an ordinary record is known in `[from, to)`.
    pub fn any_within(&self, from: i64, to: i64) -> bool {
        let cells = self.cells.rising_from(position(from)).take_while(|c| c.0 < position(to));
        cells.filter_map(|c| c.1.value()).any(Value::is_ordinary)
    }

    /// Offsets of which two values were said, in no order, perhaps repeated.
    pub fn disagreements(&self) -> &[Disagreement] {
        &self.disagreements
    }

    /// Reserved values that should not be there.
    pub fn strange(&self) -> Strange {
        self.strange
    }

    /// Takes the contents of another shard.
    pub fn merge(&mut self, other: Contents) {
        self.strange.corrupt |= other.strange.corrupt;
        self.strange.foreign |= other.strange.foreign;
        for (offset, content) in other.rising() {
            let marks = content.bits & (by::SKIPPED | by::AGAIN);
            for bit in [by::ACK, by::REPLICA, by::READ, by::DRAIN] {
                if content.is(bit) {
                    self.claim(offset, Value(content.value), bit);
                }
            }
            self.cells.entry(position(offset)).bits |= marks;
        }
        self.disagreements.extend(other.disagreements);
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.cells.bytes() + self.disagreements.capacity() * size_of::<Disagreement>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use history::WriterId;

    #[test]
    fn a_cell_costs_9_bytes() {
        assert_eq!(size_of::<Content>(), 9);
    }

    #[test]
    fn the_drain_is_believed_over_an_acknowledgement_whoever_comes_first() {
        let [a, b] = [0, 1].map(|s| Value::new(WriterId(0), s));
        for first in [true, false] {
            let mut contents = Contents::default();
            if first {
                contents.claim(5, a, by::ACK);
            }
            contents.claim(5, b, by::DRAIN);
            contents.claim(5, a, by::ACK);
            assert_eq!(contents.at(5).value(), Some(b));
            assert_eq!(contents.disagreements()[0], Disagreement { offset: Offset(5), one: a, other: b });
        }
    }
}
