//! From a value as the file has it, within its domain, to its place: an array where a domain counts up from 0, as Jepsen's
//! keys do, and a map for everything else.
//!
//! **Invariant:** an array is at most a few times as long as the values that stand in it.

use super::values::{Raw, SlotId};
use std::borrow::Cow;
use std::collections::HashMap;

/// Domains that have an array.
const DOMAINS_MAX: u32 = 1 << 16;
const NONE: SlotId = SlotId::MAX;

/// See the module.
#[derive(Debug, Default)]
pub struct Known {
    counted: Vec<Counted>,
    rest: HashMap<(u32, Raw), SlotId>,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    slots: Vec<SlotId>,
    count: u64,
}

impl Known {
    /// The place of a value, which is `next` if it has none yet.
    pub fn place_or(&mut self, domain: u32, raw: Raw, next: SlotId) -> SlotId {
        match raw {
            Raw::Int(n) if n >= 0 && domain < DOMAINS_MAX => self.counted(domain, n as u64, next),
            raw => *self.rest.entry((domain, raw)).or_insert(next),
        }
    }

    #[inline]
    fn counted(&mut self, domain: u32, n: u64, next: SlotId) -> SlotId {
        let at = domain as usize;
        if at >= self.counted.len() {
            self.counted.resize_with(at + 1, Counted::default);
        }
        let counted = &mut self.counted[at];
        if let Some(slot) = counted.slots.get(n as usize).filter(|slot| **slot != NONE) {
            return *slot;
        }
        self.uncounted(domain, n, next)
    }

    /// A number that is not in the array: it may be in the map, or have no place yet.
    fn uncounted(&mut self, domain: u32, n: u64, next: SlotId) -> SlotId {
        let key = (domain, Raw::Int(n as i64));
        if let Some(slot) = self.rest.get(&key) {
            return *slot;
        }
        let counted = &mut self.counted[domain as usize];
        if n >= 4 * counted.count + 64 {
            self.rest.insert(key, next);
            return next;
        }
        if counted.slots.len() as u64 <= n {
            counted.slots.resize(n as usize + 1, NONE);
        }
        counted.count += 1;
        counted.slots[n as usize] = next;
        next
    }

    /// Every value and its place, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, Raw>, SlotId)> {
        let numbers = self.counted.iter().flat_map(|counted| counted.slots.iter().enumerate());
        let numbers = numbers.filter(|(_, slot)| **slot != NONE);
        let numbers = numbers.map(|(n, slot)| (Cow::Owned(Raw::Int(n as i64)), *slot));
        numbers.chain(self.rest.iter().map(|((_, raw), slot)| (Cow::Borrowed(raw), *slot)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_place_whatever_comes_between() {
        let (mut known, mut map, mut x) = (Known::default(), HashMap::new(), 1u64);
        for next in 0..20_000 {
            x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let number = [(x >> 32) % 300, (x >> 32) % 40_000, u64::from(next)][(x >> 20) as usize % 3] as i64;
            let domain = [0, 1, DOMAINS_MAX + 1, u32::MAX][(x >> 16) as usize % 4];
            let raw = if x >> 63 == 1 { Raw::Int(-number) } else { Raw::Int(number) };
            let place = *map.entry((domain, raw.clone())).or_insert(next);
            assert_eq!(known.place_or(domain, raw, next), place);
        }
        let mut all: Vec<_> = known.iter().map(|(raw, slot)| (slot, raw.into_owned())).collect();
        let mut want: Vec<_> = map.into_iter().map(|((_, raw), slot)| (slot, raw)).collect();
        all.sort_by_key(|a| a.0);
        want.sort_by_key(|a| a.0);
        assert_eq!(all, want);
    }
}
