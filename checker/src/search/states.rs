//! The states met so far, each once, and the transitions between them.
//!
//! A transition is looked up in a table if there are few classes, remembered in a map if states are costly to make, and
//! computed anew otherwise.

use super::index::Index;
use super::model::Model;
use super::plan::{Class, NONE};
use crate::hash::{Map, hash_of};

const CLASSES_IN_TABLE_MAX: usize = 256;
const UNKNOWN: u32 = u32::MAX;
const ILLEGAL: u32 = u32::MAX - 1;
/// Any state whose label nobody wants any more, where states are their labels.
pub(super) const FORGOTTEN: u32 = u32::MAX - 2;

/// States by number. The initial one is 0.
pub(super) struct States<'a, M: Model> {
    model: &'a M,
    states: Vec<M::State>,
    /// The label renewed by the operation that first led to each state.
    labels: Vec<u32>,
    index: Index,
    heap_bytes: usize,
    memory: Memory,
}

enum Memory {
    Table { classes: usize, next: Vec<u32> },
    Map(Map<u64, u32>),
    None,
}

impl<'a, M: Model> States<'a, M> {
    pub(super) fn new(model: &'a M, classes: usize) -> States<'a, M> {
        let memory = match classes {
            0..=CLASSES_IN_TABLE_MAX => Memory::Table { classes, next: Vec::new() },
            _ if std::mem::needs_drop::<M::State>() => Memory::Map(Map::default()),
            _ => Memory::None,
        };
        let mut states =
            States { model, states: Vec::new(), labels: Vec::new(), index: Index::with_room(8), heap_bytes: 0, memory };
        states.intern(model.initial(), NONE);
        states
    }

    pub(super) fn get(&self, state: u32) -> &M::State {
        &self.states[state as usize]
    }

    /// The label renewed when the state first came about: what is lost by leaving it, or a good guess.
    pub(super) fn label(&self, state: u32) -> u32 {
        self.labels.get(state as usize).copied().unwrap_or(NONE)
    }

    /// The state after an operation of `class`, numbered `number`; `None` if it is not legal.
    pub(super) fn step(&mut self, state: u32, number: u32, class: &Class<'_, M>) -> Option<u32> {
        if state == FORGOTTEN {
            return self.step_from_forgotten(number, class);
        }
        let key = u64::from(state) << 32 | u64::from(number);
        let known = match &self.memory {
            Memory::Table { classes, next } => next[state as usize * classes + number as usize],
            Memory::Map(map) => map.get(&key).copied().unwrap_or(UNKNOWN),
            Memory::None => UNKNOWN,
        };
        match known {
            UNKNOWN => self.compute(state, number, class),
            ILLEGAL => None,
            next => Some(next),
        }
    }

    /// What wants a label is not legal; what wants none is legal wherever it is.
    fn step_from_forgotten(&mut self, number: u32, class: &Class<'_, M>) -> Option<u32> {
        match (class.wants, class.pure) {
            (NONE, true) => Some(FORGOTTEN),
            (NONE, false) => self.step(0, number, class),
            _ => None,
        }
    }

    fn compute(&mut self, state: u32, number: u32, class: &Class<'_, M>) -> Option<u32> {
        let next =
            self.model.step(self.get(state), class.input, class.output).map(|next| self.intern(next, class.renews));
        let entry = next.unwrap_or(ILLEGAL);
        match &mut self.memory {
            Memory::Table { classes, next } => next[state as usize * *classes + number as usize] = entry,
            Memory::Map(map) => _ = map.insert(u64::from(state) << 32 | u64::from(number), entry),
            Memory::None => (),
        }
        next
    }

    fn intern(&mut self, state: M::State, label: u32) -> u32 {
        let hash = hash_of(&state);
        if let Some(known) = self.index.find(hash, |n| self.states[n as usize] == state) {
            return known;
        }
        let number = self.states.len() as u32;
        self.heap_bytes += self.model.heap_bytes(&state);
        self.states.push(state);
        self.labels.push(label);
        if let Memory::Table { classes, next } = &mut self.memory {
            next.resize(self.states.len() * *classes, UNKNOWN);
        }
        self.index.insert(hash, number, |n| hash_of(&self.states[n as usize]));
        number
    }

    pub(super) fn bytes(&self) -> usize {
        let memory = match &self.memory {
            Memory::Table { next, .. } => next.capacity() * size_of::<u32>(),
            Memory::Map(map) => map.capacity() * 2 * size_of::<(u64, u32)>(),
            Memory::None => 0,
        };
        self.states.capacity() * (size_of::<M::State>() + 4) + self.heap_bytes + self.index.bytes() + memory
    }
}
