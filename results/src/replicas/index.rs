//! A segment's companions: the offset index, the time index, the index of aborted transactions.
//!
//! ```text
//! .index      relativeOffset i32 | position i32                            zeros: space that is not used yet
//! .timeindex  timestamp i64 | relativeOffset i32
//! .txnindex   version i16 | producerId i64 | first i64 | last i64 | lastStable i64
//! ```
//! Big endian. Pure: bytes in, entries out; memory grows with the bytes. The end of a file that is no whole entry is left
//! unread.

use history::Offset;

/// Where a batch begins in its segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetEntry {
    /// An offset within it.
    pub offset: Offset,
    /// The byte at which it begins.
    pub position: u32,
}

/// Up to which offset records are no younger than a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeEntry {
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The offset of the record with it.
    pub offset: Offset,
}

/// A transaction that was aborted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTxn {
    /// Whose.
    pub producer_id: i64,
    /// Its first record.
    pub first: Offset,
    /// Its marker.
    pub last: Offset,
    /// The last stable offset when the marker was written.
    pub last_stable: Offset,
}

/// The entries of a `.index` of the segment that begins at `base`.
pub fn offsets(base: Offset, bytes: &[u8]) -> Vec<OffsetEntry> {
    let entries = bytes.chunks_exact(8).map(|entry| OffsetEntry {
        offset: Offset(base.0.saturating_add(i64::from(i32_of(&entry[..4])))),
        position: i32_of(&entry[4..]) as u32,
    });
    entries.take_while(|e| e.offset != base || e.position != 0).collect()
}

/// The entries of a `.timeindex` of the segment that begins at `base`.
pub fn times(base: Offset, bytes: &[u8]) -> Vec<TimeEntry> {
    let entries = bytes.chunks_exact(12).map(|entry| TimeEntry {
        timestamp_ms: i64_of(&entry[..8]),
        offset: Offset(base.0.saturating_add(i64::from(i32_of(&entry[8..])))),
    });
    entries.take_while(|e| e.timestamp_ms != 0 || e.offset != base).collect()
}

/// The entries of a `.txnindex`.
pub fn aborted(bytes: &[u8]) -> Vec<AbortedTxn> {
    let entries = bytes.chunks_exact(34).map(|entry| AbortedTxn {
        producer_id: i64_of(&entry[2..10]),
        first: Offset(i64_of(&entry[10..18])),
        last: Offset(i64_of(&entry[18..26])),
        last_stable: Offset(i64_of(&entry[26..34])),
    });
    entries.collect()
}

fn i32_of(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(bytes.try_into().unwrap_or_default())
}

fn i64_of(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_relative_to_the_segment_and_end_at_the_unused_space() {
        let bytes = [[0, 0, 0, 5, 0, 0, 16, 0], [0, 0, 0, 9, 0, 0, 32, 0], [0; 8], [0; 8]].concat();
        let entries = offsets(Offset(100), &bytes);
        let places: Vec<_> = entries.iter().map(|e| (e.offset.0, e.position)).collect();
        assert_eq!(places, [(105, 4096), (109, 8192)]);
        let time = [&1_700_000_000_000i64.to_be_bytes()[..], &7i32.to_be_bytes(), &[0; 12]].concat();
        assert_eq!(times(Offset(100), &time).iter().map(|e| e.offset.0).collect::<Vec<_>>(), [107]);
    }

    #[test]
    fn a_torn_entry_is_left_unread() {
        let mut bytes = vec![0, 0];
        bytes.extend([9i64, 3, 8, 3].map(i64::to_be_bytes).concat());
        assert_eq!(aborted(&bytes).len(), 1);
        assert_eq!(
            aborted(&bytes)[0],
            AbortedTxn { producer_id: 9, first: Offset(3), last: Offset(8), last_stable: Offset(3) }
        );
        assert!(aborted(&bytes[..33]).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_entries_of_something(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), base: i64) {
            let count = bytes.len();
            assert!(offsets(Offset(base), &bytes).len() <= count / 8);
            assert!(times(Offset(base), &bytes).len() <= count / 12);
            assert_eq!(aborted(&bytes).len(), count / 34);
        }
    }
}
