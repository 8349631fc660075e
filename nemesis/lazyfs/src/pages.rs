//! The content of a file: sparse pages, shared between what a program sees and what a power loss would leave.
//!
//! **Invariants:** no page lies wholly beyond the end; the part of the last page beyond the end is zero. Copying a file's
//! content copies no data: pages are shared until one of the two changes them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Bytes of a page.
pub const PAGE_BYTES: u64 = 4096;
const SIZE: usize = PAGE_BYTES as usize;

type Page = Arc<[u8; SIZE]>;

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    pages: BTreeMap<u64, Page>,
    len: u64,
}

/// The parts of `[at, at + len)` by page: page, first byte in it, how many.
fn parts(at: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = at.saturating_add(len as u64);
    let mut next = at;
    std::iter::from_fn(move || {
        let (page, from) = (next / PAGE_BYTES, (next % PAGE_BYTES) as usize);
        let count = (end - next).min(PAGE_BYTES - from as u64) as usize;
        next += count as u64;
        (count > 0).then_some((page, from, count))
    })
}

impl Pages {
    /// Its length, bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True if it has no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes in pages that exist.
    pub fn stored(&self) -> u64 {
        self.pages.len() as u64 * PAGE_BYTES
    }

    /// What is at `at`, at most `len` bytes, fewer at the end.
    pub fn read(&self, at: u64, len: usize) -> Vec<u8> {
        let len = self.len.saturating_sub(at).min(len as u64) as usize;
        let mut out = vec![0; len];
        let mut done = 0;
        for (page, from, count) in parts(at, len) {
            if let Some(page) = self.pages.get(&page) {
                out[done..done + count].copy_from_slice(&page[from..from + count]);
            }
            done += count;
        }
        out
    }

    /// Writes, growing it as needed; to write nothing changes nothing.
    pub fn write(&mut self, at: u64, data: &[u8]) {
        let mut done = 0;
        for (page, from, count) in parts(at, data.len()) {
            let page = self.pages.entry(page).or_insert_with(|| Arc::new([0; SIZE]));
            Arc::make_mut(page)[from..from + count].copy_from_slice(&data[done..done + count]);
            done += count;
        }
        if done > 0 {
            self.len = self.len.max(at + done as u64);
        }
    }

    /// Cuts it, or lengthens it by zeros.
    pub fn set_len(&mut self, len: u64) {
        if len < self.len {
            let whole = len.div_ceil(PAGE_BYTES);
            self.pages.split_off(&whole);
            if let (Entry::Occupied(mut last), true) =
                (self.pages.entry(len / PAGE_BYTES), !len.is_multiple_of(PAGE_BYTES))
            {
                Arc::make_mut(last.get_mut())[(len % PAGE_BYTES) as usize..].fill(0);
            }
        }
        self.len = len;
    }

    /// Makes every page that `[at, at + len)` touches the one of `other`; the length is left to the caller.
    pub fn share(&mut self, other: &Pages, at: u64, len: usize) {
        for (page, _, _) in parts(at, len) {
            self.share_page(other, page);
        }
    }

    /// Makes one page that of `other`.
    pub fn share_page(&mut self, other: &Pages, page: u64) {
        match other.pages.get(&page) {
            Some(shared) => _ = self.pages.insert(page, shared.clone()),
            None => _ = self.pages.remove(&page),
        }
    }

    /// The pages that exist, by number.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.pages.keys().copied()
    }

    /// How many bytes differ from `other`, bytes that only one has included.
    pub fn differing(&self, other: &Pages) -> u64 {
        let (short, long) = (self.len.min(other.len), self.len.max(other.len));
        let mut numbers: Vec<u64> = self.numbers().chain(other.numbers()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let common = |n: &u64| n * PAGE_BYTES < short;
        let inside: u64 = numbers.iter().filter(|n| common(n)).map(|n| self.differing_in(other, *n, short)).sum();
        inside + (long - short)
    }

    fn differing_in(&self, other: &Pages, page: u64, end: u64) -> u64 {
        const NOTHING: &[u8; SIZE] = &[0; SIZE];
        let (mine, theirs) = (self.pages.get(&page), other.pages.get(&page));
        if let (Some(mine), Some(theirs)) = (mine, theirs)
            && Arc::ptr_eq(mine, theirs)
        {
            return 0;
        }
        let count = (end - page * PAGE_BYTES).min(PAGE_BYTES) as usize;
        let of = |page: Option<&Page>| page.map_or(NOTHING.as_slice(), |page| page.as_slice())[..count].to_vec();
        of(mine).iter().zip(of(theirs)).filter(|(a, b)| *a != b).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_across_pages_and_holes_are_zeros() {
        let mut pages = Pages::default();
        pages.write(4090, b"across the border");
        pages.write(20_000, b"far");
        assert_eq!(pages.read(4090, 17), b"across the border");
        assert_eq!(pages.read(19_998, 100), b"\0\0far");
        assert_eq!((pages.len(), pages.stored()), (20_003, 3 * PAGE_BYTES));
        pages.write(30_000, b"");
        assert!(pages.read(20_003, 1).is_empty() && pages.read(u64::MAX, 1).is_empty());
    }

    #[test]
    fn what_was_cut_does_not_come_back_when_it_grows_again() {
        for cut in [0, 1, 4095, 4096, 4097, 8000] {
            let mut pages = Pages::default();
            pages.write(0, &[7; 9000]);
            pages.set_len(cut);
            pages.set_len(9000);
            let read = pages.read(0, 9000);
            assert!(read[..cut as usize].iter().all(|b| *b == 7) && read[cut as usize..].iter().all(|b| *b == 0));
        }
    }

    #[test]
    fn copies_share_until_one_changes_and_differences_are_counted() {
        let mut kept = Pages::default();
        kept.write(0, &[1; 10_000]);
        let mut now = kept.clone();
        assert_eq!(now.differing(&kept), 0);
        now.write(5000, &[1, 2, 3]);
        now.write(10_000, &[9; 50]);
        assert_eq!((now.differing(&kept), kept.differing(&now)), (52, 52));
        kept.share(&now, 5000, 3);
        kept.share(&now, 10_000, 50);
        kept.set_len(now.len());
        assert_eq!(now.differing(&kept), 0);
    }
}
