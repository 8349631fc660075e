//! An open-addressed index from hashes to positions in somebody else's table, and the hash that goes with it.
//!
//! Slots hold a position and 32 bits of the hash; equality is always the owner's to decide, so that a collision costs a
//! comparison and never a wrong answer. Nothing is ever removed.

use std::hash::{BuildHasherDefault, Hash, Hasher};

const EMPTY: u32 = u32::MAX;
const SEED: u64 = 0xF39C_C060_5CED_C835;
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Positions by hash.
pub(super) struct Index {
    slots: Vec<(u32, u32)>,
    len: usize,
}

impl Index {
    pub(super) fn new() -> Index {
        Index { slots: vec![(EMPTY, 0); 16], len: 0 }
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

/// The hash of any value, for [`Index`].
pub(super) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = Mix::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A map with that hash.
pub(super) type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Mix>>;

/// Multiply and fold, 64 bits at a time. Not meant to withstand an adversary: a bad case costs time, and that is budgeted.
#[derive(Default)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word) ^ chunk.len() as u64);
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        let product = u128::from(self.0.rotate_left(23) ^ n ^ SEED) * u128::from(FACTOR);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        (self.0 ^ self.0 >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_even_where_all_hashes_agree() {
        for hash in [|n: u32| hash_of(&n), |_| 7] {
            let mut index = Index::new();
            for n in 0..500 {
                assert_eq!(index.find(hash(n), |p| p == n), None);
                index.insert(hash(n), n, hash);
            }
            assert!((0..500).all(|n| index.find(hash(n), |p| p == n) == Some(n)));
        }
    }
}
