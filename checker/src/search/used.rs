//! Sets of optional operations that a configuration has used, each once.
//!
//! A set is a sorted list of classes, one entry a use: equal operations are interchangeable, so how many of a class were
//! used is all there is to know. The empty set is 0.

use super::index::Index;
use crate::hash::{Map, hash_of};

/// Sets by number.
pub(super) struct UsedSets {
    items: Vec<u32>,
    ends: Vec<u32>,
    index: Index,
    with: Map<(u32, u32), u32>,
}

impl UsedSets {
    pub(super) fn new() -> UsedSets {
        let mut index = Index::with_room(8);
        index.insert(hash_of(&[0u32; 0][..].as_ref()), 0, |_| 0);
        UsedSets { items: Vec::new(), ends: vec![0], index, with: Map::default() }
    }

    pub(super) fn get(&self, set: u32) -> &[u32] {
        let start = if set == 0 { 0 } else { self.ends[set as usize - 1] };
        &self.items[start as usize..self.ends[set as usize] as usize]
    }

    /// How many of `class` the set holds.
    pub(super) fn count(&self, set: u32, class: u32) -> usize {
        let items = self.get(set);
        items.partition_point(|c| *c <= class) - items.partition_point(|c| *c < class)
    }

    /// The set and one more of `class`.
    pub(super) fn with(&mut self, set: u32, class: u32) -> u32 {
        if let Some(known) = self.with.get(&(set, class)) {
            return *known;
        }
        let mut items = self.get(set).to_vec();
        items.insert(items.partition_point(|c| *c <= class), class);
        let number = self.intern(&items);
        self.with.insert((set, class), number);
        number
    }

    /// The set without the classes that are over.
    pub(super) fn without(&mut self, set: u32, over: impl Fn(u32) -> bool) -> u32 {
        if !self.get(set).iter().any(|c| over(*c)) {
            return set;
        }
        let kept: Vec<u32> = self.get(set).iter().copied().filter(|c| !over(*c)).collect();
        self.intern(&kept)
    }

    /// True if `small` is contained in `large`.
    pub(super) fn contains(&self, large: u32, small: u32) -> bool {
        if large == small || small == 0 {
            return true;
        }
        let (large, small) = (self.get(large), self.get(small));
        let mut rest = large.iter();
        small.len() <= large.len() && small.iter().all(|c| rest.any(|d| d == c))
    }

    fn intern(&mut self, items: &[u32]) -> u32 {
        let hash = hash_of(&items);
        if let Some(known) = self.index.find(hash, |n| self.get(n) == items) {
            return known;
        }
        let number = self.ends.len() as u32;
        self.items.extend_from_slice(items);
        self.ends.push(self.items.len() as u32);
        self.index.insert(hash, number, |n| {
            let start = if n == 0 { 0 } else { self.ends[n as usize - 1] } as usize;
            hash_of(&&self.items[start..self.ends[n as usize] as usize])
        });
        number
    }

    pub(super) fn bytes(&self) -> usize {
        (self.items.capacity() + self.ends.capacity()) * size_of::<u32>()
            + self.index.bytes()
            + self.with.capacity() * 2 * size_of::<((u32, u32), u32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_the_same_whatever_the_order_of_its_making() {
        let mut sets = UsedSets::new();
        let make = |sets: &mut UsedSets, classes: &[u32]| classes.iter().fold(0, |set, c| sets.with(set, *c));
        let (a, b) = (make(&mut sets, &[3, 1, 3]), make(&mut sets, &[3, 3, 1]));
        assert_eq!((a, sets.get(a), sets.count(a, 3)), (b, &[1, 3, 3][..], 2));
        let one = make(&mut sets, &[3]);
        let other = make(&mut sets, &[1, 1]);
        assert!(sets.contains(a, one) && sets.contains(a, 0) && !sets.contains(a, other) && !sets.contains(one, a));
        assert_eq!(sets.without(a, |c| c == 1), make(&mut sets, &[3, 3]));
        assert_eq!(sets.without(one, |_| true), 0);
    }
}
