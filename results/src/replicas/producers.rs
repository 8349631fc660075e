//! A producer snapshot: who had appended what when the next segment was begun.
//!
//! ```text
//! version i16 = 1 | crc u32 | count i32 | count × ( producerId i64 | epoch i16 | lastSequence i32 | lastOffset i64 |
//!                                        offsetDelta i32 | timestamp i64 | coordinatorEpoch i32 | txnFirstOffset i64 )
//! ```
//! Big endian; the CRC-32C covers everything after itself. Pure; the count is not believed.

use history::Offset;

/// A producer as remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerEntry {
    /// Who.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The last sequence it appended, or −1.
    pub last_sequence: i32,
    /// Where that stands.
    pub last_offset: Offset,
    /// Offsets in its last batch less one.
    pub offset_delta: i32,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Of the last marker, or −1.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins, or −1.
    pub txn_first: Offset,
}

/// Why there is no snapshot in some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Shorter than its head, or than its entries.
    #[error("it is cut short")]
    Short,
    /// Another version than 1.
    #[error("version {0}, and version 1 is read")]
    Version(i16),
    /// The CRC does not hold.
    #[error("its checksum does not hold")]
    Crc,
}

const HEAD_BYTES: usize = 10;
const ENTRY_BYTES: usize = 46;
const VERSION: i16 = 1;

/// The entries of a `.snapshot`.
pub fn read(bytes: &[u8]) -> Result<Vec<ProducerEntry>, SnapshotError> {
    let (head, entries) = bytes.split_at_checked(HEAD_BYTES).ok_or(SnapshotError::Short)?;
    let version = i16::from_be_bytes([head[0], head[1]]);
    if version != VERSION {
        return Err(SnapshotError::Version(version));
    }
    if crc32c::crc32c(&bytes[6..]) != i32_of(&head[2..6]) as u32 {
        return Err(SnapshotError::Crc);
    }
    let count = usize::try_from(i32_of(&head[6..10])).map_err(|_| SnapshotError::Short)?;
    if count.checked_mul(ENTRY_BYTES).is_none_or(|bytes| bytes > entries.len()) {
        return Err(SnapshotError::Short);
    }
    Ok(entries.chunks_exact(ENTRY_BYTES).take(count).map(entry).collect())
}

fn entry(bytes: &[u8]) -> ProducerEntry {
    ProducerEntry {
        producer_id: i64_of(&bytes[0..8]),
        epoch: i16::from_be_bytes([bytes[8], bytes[9]]),
        last_sequence: i32_of(&bytes[10..14]),
        last_offset: Offset(i64_of(&bytes[14..22])),
        offset_delta: i32_of(&bytes[22..26]),
        timestamp_ms: i64_of(&bytes[26..34]),
        coordinator_epoch: i32_of(&bytes[34..38]),
        txn_first: Offset(i64_of(&bytes[38..46])),
    }
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

    fn snapshot(count: i32, entries: usize) -> Vec<u8> {
        let mut body = count.to_be_bytes().to_vec();
        for id in 0..entries as i64 {
            body.extend([&id.to_be_bytes()[..], &3i16.to_be_bytes(), &41i32.to_be_bytes()].concat());
            body.extend([&99i64.to_be_bytes()[..], &4i32.to_be_bytes(), &1_700i64.to_be_bytes()].concat());
            body.extend([&(-1i32).to_be_bytes()[..], &(-1i64).to_be_bytes()].concat());
        }
        [&1i16.to_be_bytes()[..], &crc32c::crc32c(&body).to_be_bytes(), &body].concat()
    }

    #[test]
    fn a_snapshot_is_read_and_a_changed_byte_is_seen() {
        let bytes = snapshot(2, 2);
        let entries = read(&bytes).unwrap();
        assert_eq!((entries.len(), entries[1].producer_id, entries[1].last_offset), (2, 1, Offset(99)));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(read(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_count_that_promises_more_than_there_is_allocates_nothing() {
        assert_eq!(read(&snapshot(i32::MAX, 1)), Err(SnapshotError::Short));
        assert_eq!(read(&snapshot(-1, 0)), Err(SnapshotError::Short));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_snapshot_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read(&bytes);
        }
    }
}
