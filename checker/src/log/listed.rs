//! A map that is a list while it is short: most logs have one chunk and one reader, some have a million.

use crate::hash::Map;
use std::hash::Hash;

/// Entries that are looked for one by one.
const LISTED_MAX: usize = 16;

/// Keys and values in the order of their arrival.
#[derive(Clone, Debug)]
pub struct Listed<K, T> {
    entries: Vec<(K, T)>,
    places: Option<Map<K, usize>>,
}

impl<K, T> Default for Listed<K, T> {
    fn default() -> Self {
        Listed { entries: Vec::new(), places: None }
    }
}

impl<K: Copy + Eq + Hash, T> Listed<K, T> {
    /// The place of `key`, if it has one.
    #[inline]
    pub fn place(&self, key: K) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&key).copied(),
            None => self.entries.iter().position(|e| e.0 == key),
        }
    }

    /// The place of `key`, which is given one with `value` if it has none.
    #[inline]
    pub fn place_or(&mut self, key: K, value: impl FnOnce() -> T) -> usize {
        match self.place(key) {
            Some(place) => place,
            None => self.push(key, value()),
        }
    }

    #[cold]
    fn push(&mut self, key: K, value: T) -> usize {
        let place = self.entries.len();
        self.entries.push((key, value));
        match &mut self.places {
            Some(places) => drop(places.insert(key, place)),
            None if place >= LISTED_MAX => {
                self.places = Some(self.entries.iter().enumerate().map(|(i, e)| (e.0, i)).collect());
            }
            None => {}
        }
        place
    }

    /// The value at a place.
    #[inline]
    pub fn at(&mut self, place: usize) -> &mut T {
        &mut self.entries[place].1
    }

    /// Every entry, in the order of arrival.
    pub fn entries(&self) -> &[(K, T)] {
        &self.entries
    }

    /// Bytes held, without what values hold themselves.
    pub fn bytes(&self) -> usize {
        let places = self.places.as_ref().map_or(0, |p| p.capacity() * (size_of::<(K, usize)>() + 1));
        self.entries.capacity() * size_of::<(K, T)>() + places
    }
}
