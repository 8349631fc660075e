//! The configurations visited, each with the way to it, and the question whether a new one is needed.
//!
//! A configuration is needed unless one equal but for the optional operations it used has used no others.

use super::index::Index;
use super::plan::NONE;
use super::used::UsedSets;
use crate::hash::hash_of;

/// Which live operations have been placed, by slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mask<const W: usize>([u64; W]);

impl<const W: usize> Mask<W> {
    pub(super) const EMPTY: Mask<W> = Mask([0; W]);

    pub(super) fn has(&self, slot: u32) -> bool {
        self.0[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, slot: u32) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    pub(super) fn clear(&mut self, slot: u32) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }

    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(|w| w.count_ones()).sum()
    }
}

/// Where a search stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Config<const W: usize> {
    /// The next return.
    pub(super) event: u32,
    pub(super) state: u32,
    pub(super) mask: Mask<W>,
    pub(super) used: u32,
}

impl<const W: usize> Config<W> {
    fn key(&self) -> (u32, u32, Mask<W>) {
        (self.event, self.state, self.mask)
    }
}

/// A configuration and how it was reached.
pub(super) struct Node<const W: usize> {
    pub(super) config: Config<W>,
    /// The configuration before, [`NONE`] at the root.
    pub(super) parent: u32,
    /// What was placed there to come here.
    pub(super) via: u32,
    /// Another one equal but for what it used.
    sibling: u32,
}

/// All configurations visited.
pub(super) struct Visited<const W: usize> {
    nodes: Vec<Node<W>>,
    index: Index,
}

impl<const W: usize> Visited<W> {
    /// With room for so many before it grows.
    pub(super) fn with_room(nodes: usize) -> Visited<W> {
        Visited { nodes: Vec::with_capacity(nodes), index: Index::with_room(nodes) }
    }

    pub(super) fn get(&self, node: u32) -> &Node<W> {
        &self.nodes[node as usize]
    }

    /// The number of the configuration as a new node, unless it is not needed.
    pub(super) fn add(&mut self, config: Config<W>, parent: u32, via: u32, used: &UsedSets) -> Option<u32> {
        let key = config.key();
        let hash = hash_of(&key);
        let head = self.index.find(hash, |n| self.nodes[n as usize].config.key() == key);
        if head.is_some_and(|head| self.dominated(head, config.used, used)) {
            return None;
        }
        let number = self.nodes.len() as u32;
        self.nodes.push(Node { config, parent, via, sibling: NONE });
        match head {
            Some(head) => {
                self.nodes[number as usize].sibling = self.nodes[head as usize].sibling;
                self.nodes[head as usize].sibling = number;
            }
            None => self.index.insert(hash, number, |n| hash_of(&self.nodes[n as usize].config.key())),
        }
        Some(number)
    }

    /// Whether one of the siblings has used no more than `used`; those that used more are taken out on the way.
    fn dominated(&mut self, head: u32, used: u32, sets: &UsedSets) -> bool {
        let (mut before, mut at) = (NONE, head);
        while at != NONE {
            let node = &self.nodes[at as usize];
            let next = node.sibling;
            if sets.contains(used, node.config.used) {
                return true;
            }
            if before != NONE && sets.contains(node.config.used, used) {
                self.nodes[before as usize].sibling = next;
            } else {
                before = at;
            }
            at = next;
        }
        false
    }

    /// Memory, bytes, after the next growth if one is due.
    pub(super) fn bytes(&self) -> usize {
        let due = if self.nodes.len() == self.nodes.capacity() { 2 } else { 1 };
        self.nodes.capacity() * due * size_of::<Node<W>>() + self.index.bytes()
    }
}
