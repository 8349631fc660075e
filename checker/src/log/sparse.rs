//! A table from 64-bit positions to small cells, dense where positions are neighbours, sparse where they are strewn.
//!
//! Positions are grouped in chunks of [`CHUNK`]; a chunk is a short sorted list until it holds [`FEW_MAX`] cells and a
//! stretch of one big array from then on. **Invariant:** memory is at most `CHUNK / FEW_MAX` cells for each cell touched,
//! wherever it lies, so that an offset near 2^63 costs no more than one near 0.

use crate::log::listed::Listed;

/// Positions in a chunk.
pub const CHUNK: usize = 1024;
/// Cells that a chunk holds as a list.
const FEW_MAX: usize = 32;
/// Dense chunks remembered since they were last used, by the low bits of their keys.
const RECENT: usize = 4;

#[derive(Clone, Debug)]
enum Chunk<T> {
    /// Cells by rising place in the chunk.
    Few(Vec<(u16, T)>),
    /// Where it begins in the big array.
    Dense(usize),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Sparse<T> {
    chunks: Listed<u64, Chunk<T>>,
    dense: Vec<T>,
    recent: [(u64, usize); RECENT],
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Sparse { chunks: Listed::default(), dense: Vec::new(), recent: [(u64::MAX, 0); RECENT] }
    }
}

#[inline]
fn split(position: u64) -> (u64, usize) {
    (position / CHUNK as u64, (position % CHUNK as u64) as usize)
}

impl<T: Copy + Default> Sparse<T> {
    /// The cell at `position`, made if it is not there.
    #[inline(always)]
    pub fn entry(&mut self, position: u64) -> &mut T {
        let (key, at) = split(position);
        let recent = self.recent[key as usize % RECENT];
        if recent.0 == key {
            return &mut self.dense[recent.1 + at];
        }
        self.look_up(key, at)
    }

    #[inline(never)]
    fn look_up(&mut self, key: u64, at: usize) -> &mut T {
        let place = self.chunks.place_or(key, || Chunk::Few(Vec::new()));
        if let Chunk::Few(cells) = self.chunks.at(place) {
            let found = cells.binary_search_by_key(&(at as u16), |c| c.0);
            if found.is_ok() || cells.len() < FEW_MAX {
                return self.few(place, at, found);
            }
        }
        let base = self.spread(place);
        self.recent[key as usize % RECENT] = (key, base);
        &mut self.dense[base + at]
    }

    fn few(&mut self, place: usize, at: usize, found: Result<usize, usize>) -> &mut T {
        match self.chunks.at(place) {
            Chunk::Dense(base) => &mut self.dense[*base + at],
            Chunk::Few(cells) => {
                let within = found.unwrap_or_else(|within| {
                    cells.insert(within, (at as u16, T::default()));
                    within
                });
                &mut cells[within].1
            }
        }
    }

    /// Where the chunk begins in the big array, in which it is given a stretch if it has none.
    fn spread(&mut self, place: usize) -> usize {
        let few = match self.chunks.at(place) {
            Chunk::Dense(base) => return *base,
            Chunk::Few(cells) => std::mem::take(cells),
        };
        let base = self.dense.len();
        *self.chunks.at(place) = Chunk::Dense(base);
        self.dense.resize(base + CHUNK, T::default());
        few.into_iter().for_each(|(at, cell)| self.dense[base + usize::from(at)] = cell);
        base
    }

    /// The cells from `position` to the end of its chunk, if that is dense and was used a moment ago.
    #[inline]
    pub fn neighbours(&mut self, position: u64) -> Option<&mut [T]> {
        let (key, at) = split(position);
        let recent = self.recent[key as usize % RECENT];
        (recent.0 == key).then(|| &mut self.dense[recent.1 + at..recent.1 + CHUNK])
    }

    /// The cell at `position`, or the default one.
    pub fn get(&self, position: u64) -> T {
        let (key, at) = split(position);
        match self.chunks.place(key).map(|place| &self.chunks.entries()[place].1) {
            None => T::default(),
            Some(Chunk::Dense(base)) => self.dense[base + at],
            Some(Chunk::Few(cells)) => {
                let found = cells.binary_search_by_key(&(at as u16), |c| c.0);
                found.map_or(T::default(), |within| cells[within].1)
            }
        }
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
            Chunk::Dense(from) => {
                Cells { base, few: [].iter(), full: self.dense[*from..from + CHUNK].iter().enumerate() }
            }
            Chunk::Few(cells) => Cells { base, few: cells.iter(), full: [].iter().enumerate() },
        }
    }

    /// Every cell that was made, and some that were not (default ones), by rising position.
    pub fn rising(&self) -> impl Iterator<Item = (u64, T)> + '_ {
        self.order().into_iter().flat_map(|chunk| self.cells(chunk))
    }

    /// Visits the same cells by falling position.
    pub fn each_falling(&self, mut visit: impl FnMut(u64, T)) {
        for chunk in self.order().into_iter().rev() {
            let Cells { base, few, full } = self.cells(chunk);
            full.rev().for_each(|(at, cell)| visit(base + at as u64, *cell));
            few.rev().for_each(|(at, cell)| visit(base + u64::from(*at), *cell));
        }
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
        let few = self.chunks.entries().iter().map(|c| match &c.1 {
            Chunk::Few(cells) => cells.capacity() * size_of::<(u16, T)>(),
            Chunk::Dense(_) => 0,
        });
        self.chunks.bytes() + few.sum::<usize>() + size_of_val(self.dense.as_slice())
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

    #[inline]
    fn fold<B, F: FnMut(B, (u64, T)) -> B>(self, start: B, mut visit: F) -> B {
        let Cells { base, few, full } = self;
        let so_far = full.fold(start, |so_far, (at, cell)| visit(so_far, (base + at as u64, *cell)));
        few.fold(so_far, |so_far, (at, cell)| visit(so_far, (base + u64::from(*at), *cell)))
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
        let mut falling = Vec::new();
        table.each_falling(|position, cell| falling.push((position, cell)));
        assert_eq!(kept(falling), want.iter().rev().copied().collect::<Vec<_>>());
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
