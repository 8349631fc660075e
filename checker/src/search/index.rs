//! An open-addressed index from hashes to positions in somebody else's table.
//!
//! Slots hold a position and 32 bits of the hash; equality is always the owner's to decide, so that a collision costs a
//! comparison and never a wrong answer. Nothing is ever removed.

const EMPTY: u32 = u32::MAX;

/// Positions by hash.
pub(super) struct Index {
    slots: Vec<(u32, u32)>,
    len: usize,
}

impl Index {
    /// With room for so many before it grows.
    pub(super) fn with_room(positions: usize) -> Index {
        Index { slots: vec![(EMPTY, 0); (positions * 2).next_power_of_two().max(2)], len: 0 }
    }

    /// The position under `hash` that `is_it` accepts.
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                (EMPTY, _) => return None,
                (position, tag) if tag == tag_of(hash) && is_it(position) => return Some(position),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Adds a position that is not there; `hash_of` gives the hash of any that is.
    pub(super) fn insert(&mut self, hash: u64, position: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.len + 1) * 2 > self.slots.len() {
            let doubled = vec![(EMPTY, 0); self.slots.len() * 2];
            for (old, _) in std::mem::replace(&mut self.slots, doubled) {
                if old != EMPTY {
                    self.put(hash_of(old), old);
                }
            }
        }
        self.put(hash, position);
        self.len += 1;
    }

    fn put(&mut self, hash: u64, position: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].0 != EMPTY {
            at = (at + 1) & mask;
        }
        self.slots[at] = (position, tag_of(hash));
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.len() * size_of::<(u32, u32)>()
    }
}

fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hash_of;

    #[test]
    fn what_was_put_in_is_found_even_where_all_hashes_agree() {
        for hash in [|n: u32| hash_of(&n), |_| 7] {
            let mut index = Index::with_room(8);
            for n in 0..500 {
                assert_eq!(index.find(hash(n), |p| p == n), None);
                index.insert(hash(n), n, hash);
            }
            assert!((0..500).all(|n| index.find(hash(n), |p| p == n) == Some(n)));
        }
    }
}
