//! A table from 64-bit positions to small cells, dense where positions are neighbours, sparse where they are strewn.
//!
//! Positions are grouped in chunks of [`CHUNK`]; a chunk is a short sorted list until it holds [`FEW_MAX`] cells and an
//! array from then on. **Invariant:** memory is at most `CHUNK / FEW_MAX` cells for each cell touched, wherever it lies,
//! so that an offset near 2^63 costs no more than one near 0.

use crate::log::listed::Listed;

/// Positions in a chunk.
pub const CHUNK: usize = 1024;
/// Cells that a chunk holds as a list.
const FEW_MAX: usize = 64;
/// Chunks remembered since they were last used, by the low bits of their keys.
const RECENT: usize = 4;

#[derive(Clone, Debug)]
enum Chunk<T> {
    Few(Vec<(u16, T)>),
    Full(Box<[T]>),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Sparse<T> {
    chunks: Listed<u64, Chunk<T>>,
    recent: [(u64, usize); RECENT],
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Sparse { chunks: Listed::default(), recent: [(u64::MAX, 0); RECENT] }
    }
}

fn split(position: u64) -> (u64, usize) {
    (position / CHUNK as u64, (position % CHUNK as u64) as usize)
}

impl<T: Copy + Default> Chunk<T> {
    #[inline]
    fn entry(&mut self, at: usize) -> &mut T {
        match self {
            Chunk::Full(cells) => &mut cells[at],
            Chunk::Few(_) => self.entry_of_few(at),
        }
    }

    #[inline(never)]
    fn entry_of_few(&mut self, at: usize) -> &mut T {
        if matches!(self, Chunk::Few(cells) if cells.len() >= FEW_MAX) {
            self.fill();
        }
        match self {
            Chunk::Full(cells) => &mut cells[at],
            Chunk::Few(cells) => {
                let place = cells.binary_search_by_key(&(at as u16), |c| c.0).unwrap_or_else(|place| {
                    cells.insert(place, (at as u16, T::default()));
                    place
                });
                &mut cells[place].1
            }
        }
    }

    #[cold]
    fn fill(&mut self) {
        let Chunk::Few(few) = self else { return };
        let mut cells = vec![T::default(); CHUNK].into_boxed_slice();
        for &(at, cell) in few.iter() {
            cells[usize::from(at)] = cell;
        }
        *self = Chunk::Full(cells);
    }

    fn get(&self, at: usize) -> T {
        match self {
            Chunk::Full(cells) => cells[at],
            Chunk::Few(cells) => {
                cells.binary_search_by_key(&(at as u16), |c| c.0).map_or(T::default(), |place| cells[place].1)
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Chunk::Full(cells) => size_of_val::<[T]>(cells),
            Chunk::Few(cells) => cells.capacity() * size_of::<(u16, T)>(),
        }
    }
}

impl<T: Copy + Default> Sparse<T> {
    /// The cell at `position`, made if it is not there.
    #[inline]
    pub fn entry(&mut self, position: u64) -> &mut T {
        let (key, at) = split(position);
        let recent = &mut self.recent[key as usize % RECENT];
        if recent.0 != key {
            *recent = (key, self.chunks.place_or(key, || Chunk::Few(Vec::new())));
        }
        let place = recent.1;
        self.chunks.at(place).entry(at)
    }

    /// The cells from `position` to the end of its chunk, if that is dense.
    #[inline]
    pub fn neighbours(&mut self, position: u64) -> Option<&mut [T]> {
        let (key, at) = split(position);
        let recent = self.recent[key as usize % RECENT];
        if recent.0 != key {
            return None;
        }
        match self.chunks.at(recent.1) {
            Chunk::Full(cells) => Some(&mut cells[at..]),
            Chunk::Few(_) => None,
        }
    }

    /// The cell at `position`, or the default one.
    pub fn get(&self, position: u64) -> T {
        let (key, at) = split(position);
        self.chunks.place(key).map_or(T::default(), |place| self.chunks.entries()[place].1.get(at))
    }

    /// Chunks by rising key, as positions in the table's own order.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.chunks.entries().len()).collect();
        order.sort_unstable_by_key(|&i| self.chunks.entries()[i].0);
        order
    }

    fn cells(&self, chunk: usize) -> Cells<'_, T> {
        let (key, chunk) = &self.chunks.entries()[chunk];
        let base = key * CHUNK as u64;
        match chunk {
            Chunk::Full(cells) => Cells { base, few: [].iter(), full: cells.iter().enumerate() },
            Chunk::Few(cells) => Cells { base, few: cells.iter(), full: [].iter().enumerate() },
        }
    }

    /// Every cell that was made, and some that were not (default ones), by rising position.
    pub fn rising(&self) -> impl Iterator<Item = (u64, T)> + '_ {
        self.order().into_iter().flat_map(|chunk| self.cells(chunk))
    }

    /// The same by falling position.
    pub fn falling(&self) -> impl Iterator<Item = (u64, T)> + '_ {
        self.order().into_iter().rev().flat_map(|chunk| self.cells(chunk).rev())
    }

    /// The same by rising position from `from` on.
    pub fn rising_from(&self, from: u64) -> impl Iterator<Item = (u64, T)> + '_ {
        let key = split(from).0;
        let order = self.order().into_iter().filter(move |&i| self.chunks.entries()[i].0 >= key);
        order.flat_map(|chunk| self.cells(chunk)).filter(move |c| c.0 >= from)
    }

    /// Folds every cell of `other` into the one at its position.
    pub fn merge(&mut self, other: &Sparse<T>, mut into: impl FnMut(&mut T, T)) {
        for (position, cell) in other.rising() {
            into(self.entry(position), cell);
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.chunks.bytes() + self.chunks.entries().iter().map(|c| c.1.bytes()).sum::<usize>()
    }
}

/// The cells of one chunk; one of the two iterators is empty.
struct Cells<'a, T> {
    base: u64,
    few: std::slice::Iter<'a, (u16, T)>,
    full: std::iter::Enumerate<std::slice::Iter<'a, T>>,
}

impl<T: Copy> Iterator for Cells<'_, T> {
    type Item = (u64, T);

    #[inline]
    fn next(&mut self) -> Option<(u64, T)> {
        if let Some((at, cell)) = self.full.next() {
            return Some((self.base + at as u64, *cell));
        }
        self.few.next().map(|(at, cell)| (self.base + u64::from(*at), *cell))
    }
}

impl<T: Copy> DoubleEndedIterator for Cells<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<(u64, T)> {
        if let Some((at, cell)) = self.full.next_back() {
            return Some((self.base + at as u64, *cell));
        }
        self.few.next_back().map(|(at, cell)| (self.base + u64::from(*at), *cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_table_is_a_sorted_map() {
        let (mut table, mut map) = (Sparse::<u64>::default(), BTreeMap::new());
        let mut x = 1u64;
        for i in 1..20_000u64 {
            x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let position = [x % 5_000, u64::MAX - x % 300, x][(x >> 60) as usize % 3];
            *table.entry(position) = i;
            map.insert(position, i);
        }
        let kept = |cells: Vec<(u64, u64)>| cells.into_iter().filter(|c| c.1 != 0).collect::<Vec<_>>();
        let want: Vec<_> = map.clone().into_iter().collect();
        assert_eq!(kept(table.rising().collect()), want);
        assert_eq!(kept(table.falling().collect()), want.iter().rev().copied().collect::<Vec<_>>());
        let from = want[want.len() / 2].0;
        assert_eq!(kept(table.rising_from(from).collect()), want[want.len() / 2..].to_vec());
        assert!(map.iter().all(|(&p, &i)| table.get(p) == i));
    }

    #[test]
    fn strewn_positions_cost_what_they_are_and_dense_ones_hardly_more() {
        let mut strewn = Sparse::<[u64; 2]>::default();
        (0..10_000u64).for_each(|i| strewn.entry(i << 40)[0] = 1);
        assert!(strewn.bytes() < 10_000 * 250, "{}", strewn.bytes());
        let mut dense = Sparse::<[u64; 2]>::default();
        (0..1_000_000u64).for_each(|i| dense.entry(i)[0] = 1);
        assert!(dense.bytes() < 1_000_000 * 17, "{}", dense.bytes());
    }
}
