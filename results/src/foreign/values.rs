//! From the values of a foreign history, whatever they are, to ours: (writer, sequence) by a table.
//!
//! A value belongs to a domain (a log, a topic, or the whole file), within which it is said to be unique. One appended once
//! becomes its writer's next; one that nobody appended becomes a phantom's, unless it was appended in exactly one other
//! domain and never read there: then it went astray and keeps that name. One appended twice cannot be told apart: it is
//! counted as ambiguous and becomes a marker. **Invariant:** two values of one domain never become one of ours.

use super::known::Known;
use history::{ProcessId, Value, WriterId};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A value as the file has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Raw {
    /// A number.
    Int(i64),
    /// Anything else, as written.
    Text(Box<str>),
    /// One of ours already.
    Own(Value),
}

impl Raw {
    /// As printed.
    pub fn name(&self) -> String {
        match self {
            Raw::Int(n) => n.to_string(),
            Raw::Text(text) => text.to_string(),
            Raw::Own(value) => value.to_string(),
        }
    }
}

/// A value's place in the table.
pub type SlotId = u32;

/// Who appended a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody, as far as was read.
    Nobody,
    /// One append.
    Append {
        /// Its place among the operations.
        op: u32,
        /// Its writer.
        process: ProcessId,
        /// Its place in the writer's order.
        sequence: u64,
    },
    /// Several.
    Several,
}

/// All that is known of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Who appended it.
    pub origin: Origin,
    /// Whether its append was acknowledged for good.
    pub acked: bool,
    /// Whether a successful read returned it.
    pub read: bool,
}

/// The table.
#[derive(Debug, Default)]
pub struct Values {
    known: Known,
    /// By place.
    pub slots: Vec<Slot>,
    sequences: HashMap<ProcessId, u64>,
    /// Some writer numbers its values itself, so that two may have one number.
    own_numbers: bool,
}

/// The table once everything was read.
#[derive(Debug, Default)]
pub struct Named {
    known: Known,
    /// Ours, by slot.
    pub values: Vec<Value>,
    /// How many values were appended more than once.
    pub ambiguous: u64,
}

impl Values {
    /// The slot of a value.
    pub fn slot(&mut self, domain: u32, raw: Raw) -> SlotId {
        let next = self.slots.len() as SlotId;
        let slot = self.known.place_or(domain, raw, next);
        if slot == next {
            self.slots.push(Slot { origin: Origin::Nobody, acked: false, read: false });
        }
        slot
    }

    /// Notes that the operation at `op` appended a value; `sequence`: its writer's own number for it, if it has one.
    pub fn appended(&mut self, slot: SlotId, op: u32, process: ProcessId, sequence: Option<u64>) {
        self.own_numbers |= sequence.is_some();
        let counted = self.sequences.entry(process).or_default();
        let sequence = sequence.unwrap_or(*counted);
        *counted = sequence.saturating_add(1);
        let origin = &mut self.slots[slot as usize].origin;
        *origin = if *origin == Origin::Nobody { Origin::Append { op, process, sequence } } else { Origin::Several };
    }

    /// Gives every value one of ours. Writers are numbered as processes, from `writers_from` on; phantoms come
    /// after them, and then those that `part_equal` renames.
    pub fn name(self, processes: u32, writers_from: u32) -> (Named, Vec<Slot>) {
        let phantoms = WriterId(writers_from + processes);
        let (mut values, mut unknown) = (Vec::with_capacity(self.slots.len()), 0);
        for slot in &self.slots {
            values.push(match slot.origin {
                Origin::Append { process, sequence, .. } => Value::new(WriterId(writers_from + process.0), sequence),
                Origin::Several => Value::MARKER,
                Origin::Nobody => Value::new(phantoms, unknown),
            });
            unknown += u64::from(slot.origin == Origin::Nobody);
        }
        for (raw, slot) in self.known.iter() {
            if let Raw::Own(value) = *raw {
                values[slot as usize] = value;
            }
        }
        if self.own_numbers {
            self.part_equal(&mut values, WriterId(phantoms.0 + 1));
        }
        let ambiguous =
            values.iter().zip(&self.slots).filter(|(v, s)| **v == Value::MARKER && s.origin == Origin::Several);
        let ambiguous = ambiguous.count() as u64;
        for (slot, value) in self.strayed(&values) {
            values[slot as usize] = value;
        }
        (Named { known: self.known, values, ambiguous }, self.slots)
    }

    /// Gives values that one writer numbered alike others of a writer of their own: their order is not known.
    fn part_equal(&self, values: &mut [Value], other: WriterId) {
        let (mut seen, mut parted) = (HashSet::new(), 0);
        for (value, slot) in values.iter_mut().zip(&self.slots) {
            if matches!(slot.origin, Origin::Append { .. }) && !seen.insert(*value) {
                *value = Value::new(other, parted);
                parted += 1;
            }
        }
    }

    /// Values read where nobody appended them, and appended in exactly one other domain where nobody read them.
    fn strayed(&self, values: &[Value]) -> Vec<(SlotId, Value)> {
        let at = |slot: SlotId| &self.slots[slot as usize];
        let lost = |slot: SlotId| at(slot).origin == Origin::Nobody;
        if self.slots.iter().all(|slot| slot.origin != Origin::Nobody) {
            return Vec::new();
        }
        let homeless: HashSet<Cow<'_, Raw>> =
            self.known.iter().filter(|(_, slot)| lost(*slot)).map(|(raw, _)| raw).collect();
        let mut homes: HashMap<Cow<'_, Raw>, Vec<SlotId>> = HashMap::new();
        for (raw, slot) in self.known.iter().filter(|(raw, slot)| !lost(*slot) && homeless.contains(raw)) {
            homes.entry(raw).or_default().push(slot);
        }
        let home = |raw: &Cow<'_, Raw>| match homes.get(raw)?[..] {
            [only] if !at(only).read && matches!(at(only).origin, Origin::Append { .. }) => Some(values[only as usize]),
            _ => None,
        };
        let strays = self.known.iter().filter(|(_, slot)| lost(*slot));
        strays.filter_map(|(raw, slot)| Some((slot, home(&raw)?))).collect()
    }
}

impl Named {
    /// How the file calls those of `wanted` that are not its own, by our name of them.
    pub fn names(&self, wanted: &HashSet<Value>) -> HashMap<String, String> {
        if wanted.is_empty() {
            return HashMap::new();
        }
        let known = self.known.iter().filter(|(raw, _)| !matches!(**raw, Raw::Own(_)));
        let named = known.map(|(raw, slot)| (self.values[slot as usize], raw));
        named.filter(|(value, _)| wanted.contains(value)).map(|(v, raw)| (v.to_string(), raw.name())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_read_elsewhere_is_astray_only_if_its_home_is_known_and_did_not_get_it() {
        let mut values = Values::default();
        let homes = [(0, 7), (0, 8), (0, 9), (2, 9)].map(|(domain, n)| values.slot(domain, Raw::Int(n)));
        for (op, home) in (0..).zip(homes) {
            values.appended(home, op, ProcessId(4), None);
        }
        values.slots[homes[1] as usize].read = true;
        let strays = [7, 8, 9, 10].map(|n| values.slot(1, Raw::Int(n)) as usize);
        let (named, _) = values.name(5, 0);
        let of = |slot: usize| (named.values[slot].writer().0, named.values[slot].sequence());
        assert_eq!(of(strays[0]), (4, 0), "sent to one other log only, and not there");
        assert_eq!(strays[1..].iter().map(|s| of(*s).0).collect::<Vec<_>>(), [5, 5, 5], "phantoms");
    }

    #[test]
    fn a_value_appended_twice_is_ambiguous_and_named_by_nobody() {
        let mut values = Values::default();
        let slot = values.slot(0, Raw::Int(1));
        values.appended(slot, 0, ProcessId(0), None);
        values.appended(slot, 1, ProcessId(1), None);
        let (named, slots) = values.name(2, 0);
        assert_eq!((named.values[0], named.ambiguous, slots[0].origin), (Value::MARKER, 1, Origin::Several));
    }
}
