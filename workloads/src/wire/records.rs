//! Record batches v2, as they come in a fetch and go in a produce request (KIP-98).
//!
//! ```text
//! base offset i64 | length i32 | leader epoch i32 | magic i8 | crc u32 | attributes i16 | last offset delta i32
//! | first, max timestamp 2×i64 | producer id i64 | producer epoch i16 | base sequence i32 | count i32 | records …
//! ```
//! The CRC-32C covers everything from the attributes on. **Invariants:** nothing is allocated by what a count claims; a
//! batch that does not match its checksum is a finding ([`BatchBody::Corrupt`]), not an error.

use super::data::Append;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use history::{LeaderEpoch, Offset};
use kafka_protocol::compression::{Decompressor, Gzip, Lz4, Snappy, Zstd};

const HEADER_BYTES: usize = 61;
const LENGTH_END: usize = 12;
const CRC_END: usize = 21;
const CONTROL: i16 = 1 << 5;
const TRANSACTIONAL: i16 = 1 << 4;
/// The smallest record: length, attributes, timestamp, offset, key, value, headers, one byte each.
const RECORD_BYTES_MIN: usize = 7;

/// One batch of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// Its first offset.
    pub base: Offset,
    /// Its last offset; those in between may have been compacted away.
    pub last: Offset,
    /// The reign under which it was appended.
    pub epoch: LeaderEpoch,
    /// Who appended it, if it was appended idempotently.
    pub producer: Option<Producer>,
    /// True if it belongs to a transaction.
    pub transactional: bool,
    /// What it holds.
    pub body: BatchBody,
}

/// An idempotent producer, as a batch names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Producer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Sequence of the batch's first record.
    pub sequence: i32,
}

/// What a batch holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BatchBody {
    /// Records: offset and value (`None` where null).
    Records(Vec<(Offset, Option<Bytes>)>),
    /// A marker of the broker's own, e.g. of a transaction's end.
    Control,
    /// Its bytes do not match its checksum, or cannot be read; why.
    Corrupt(&'static str),
}

/// The batches in the bytes of a fetch, and how many bytes of an unfinished one follow.
pub fn batches(mut bytes: Bytes) -> (Vec<Batch>, usize) {
    let mut found = Vec::new();
    while let Some(whole) = next_batch(&mut bytes) {
        found.push(read_batch(whole));
    }
    (found, bytes.len())
}

fn next_batch(bytes: &mut Bytes) -> Option<Bytes> {
    let length = i32::from_be_bytes(bytes.get(8..LENGTH_END)?.try_into().ok()?);
    let whole = LENGTH_END.checked_add(usize::try_from(length).ok()?)?;
    (whole <= bytes.len() && whole >= HEADER_BYTES).then(|| bytes.split_to(whole))
}

/// Reads a batch of at least `HEADER_BYTES`.
fn read_batch(whole: Bytes) -> Batch {
    let records_max = (whole.len() - HEADER_BYTES) / RECORD_BYTES_MIN;
    let crc_holds =
        crc32c::crc32c(&whole[CRC_END..]) == u32::from_be_bytes([whole[17], whole[18], whole[19], whole[20]]);
    let mut head = whole.slice(..HEADER_BYTES);
    let base = head.get_i64();
    head.advance(4);
    let epoch = LeaderEpoch(head.get_i32());
    let magic = head.get_i8();
    head.advance(4);
    let (attributes, last_delta) = (head.get_i16(), head.get_i32());
    head.advance(16);
    let (id, producer_epoch, sequence, count) = (head.get_i64(), head.get_i16(), head.get_i32(), head.get_i32());
    let body = match (magic, crc_holds) {
        (2, true) if attributes & CONTROL != 0 => BatchBody::Control,
        (2, true) => read_body(whole.slice(HEADER_BYTES..), attributes, base, count),
        (2, false) => BatchBody::Corrupt("checksum"),
        _ => BatchBody::Corrupt("magic"),
    };
    let last_delta = match &body {
        // What a corrupt header claims is bounded by what its bytes could have held.
        BatchBody::Corrupt(_) => i64::from(last_delta).clamp(0, records_max.max(1) as i64 - 1),
        _ => i64::from(last_delta).max(0),
    };
    let producer = (id >= 0).then_some(Producer { id, epoch: producer_epoch, sequence });
    let last = Offset(base.saturating_add(last_delta));
    Batch { base: Offset(base), last, epoch, producer, transactional: attributes & TRANSACTIONAL != 0, body }
}

fn read_body(compressed: Bytes, attributes: i16, base: i64, count: i32) -> BatchBody {
    let Some(mut bytes) = decompress(compressed, attributes & 7) else { return BatchBody::Corrupt("compression") };
    let mut records = Vec::new();
    for _ in 0..count {
        match read_record(&mut bytes, base) {
            Some(record) => records.push(record),
            None => return BatchBody::Corrupt("record"),
        }
    }
    BatchBody::Records(records)
}

fn decompress(mut bytes: Bytes, codec: i16) -> Option<Bytes> {
    let take = |b: &mut Bytes| Ok(b.split_to(b.len()));
    match codec {
        0 => Some(bytes),
        1 => Gzip::decompress(&mut bytes, take).ok(),
        2 => Snappy::decompress(&mut bytes, take).ok(),
        3 => Lz4::decompress(&mut bytes, take).ok(),
        4 => Zstd::decompress(&mut bytes, take).ok(),
        _ => None,
    }
}

fn read_record(bytes: &mut Bytes, base: i64) -> Option<(Offset, Option<Bytes>)> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    if length > bytes.len() {
        return None;
    }
    let mut record = bytes.split_to(length);
    if record.is_empty() {
        return None;
    }
    record.advance(1);
    varint(&mut record)?;
    let offset = base.checked_add(varint(&mut record)?)?;
    sized(&mut record)?;
    Some((Offset(offset), sized(&mut record)?))
}

/// A length and so many bytes; −1 for null.
fn sized(bytes: &mut Bytes) -> Option<Option<Bytes>> {
    match varint(bytes)? {
        -1 => Some(None),
        n => {
            let n = usize::try_from(n).ok()?;
            (n <= bytes.len()).then(|| Some(bytes.split_to(n)))
        }
    }
}

fn varint(bytes: &mut Bytes) -> Option<i64> {
    let mut raw = 0u64;
    for shift in (0..64).step_by(7) {
        if !bytes.has_remaining() {
            return None;
        }
        let byte = bytes.get_u8();
        raw |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some((raw >> 1) as i64 ^ -((raw & 1) as i64));
        }
    }
    None
}

/// One uncompressed batch for a produce request.
pub fn encode(append: Append<'_>) -> Bytes {
    let Append { values, timestamp_ms, producer, key, transaction, .. } = append;
    let (id, epoch, sequence) = producer.map_or((-1, -1, -1), |p| (p.id, p.epoch, p.sequence));
    let mut batch = BytesMut::new();
    batch.put_i64(0);
    batch.put_i32(0);
    batch.put_i32(-1);
    batch.put_i8(2);
    batch.put_u32(0);
    batch.put_i16(if transaction.is_some() { TRANSACTIONAL } else { 0 });
    batch.put_i32(values.len() as i32 - 1);
    batch.put_i64(timestamp_ms);
    batch.put_i64(timestamp_ms);
    batch.put_i64(id);
    batch.put_i16(epoch);
    batch.put_i32(sequence);
    batch.put_i32(values.len() as i32);
    values.iter().enumerate().for_each(|(n, value)| put_record(&mut batch, n as i64, key, value));
    let length = (batch.len() - LENGTH_END) as u32;
    batch[8..LENGTH_END].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_END..]);
    batch[17..CRC_END].copy_from_slice(&crc.to_be_bytes());
    batch.freeze()
}

fn put_record(out: &mut BytesMut, delta: i64, key: Option<&[u8]>, value: &[u8]) {
    let mut record = BytesMut::new();
    record.put_i8(0);
    put_varint(&mut record, 0);
    put_varint(&mut record, delta);
    put_varint(&mut record, key.map_or(-1, |key| key.len() as i64));
    record.put_slice(key.unwrap_or(&[]));
    put_varint(&mut record, value.len() as i64);
    record.put_slice(value);
    put_varint(&mut record, 0);
    put_varint(out, record.len() as i64);
    out.put_slice(&record);
}

fn put_varint(out: &mut BytesMut, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.put_u8(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.put_u8(raw as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(values: &[&[u8]], timestamp_ms: i64, producer: Option<Producer>) -> Bytes {
        super::encode(Append { values, timestamp_ms, producer, ..Append::default() })
    }

    fn based(batch: &Bytes, base: i64) -> Vec<u8> {
        let mut bytes = batch.to_vec();
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes
    }

    fn values(batch: &Batch) -> Vec<(i64, Vec<u8>)> {
        match &batch.body {
            BatchBody::Records(records) => {
                records.iter().map(|(o, v)| (o.0, v.as_ref().map(|v| v.to_vec()).unwrap_or_default())).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_encoded_is_read_with_its_offsets() {
        let producer = Producer { id: 9, epoch: 1, sequence: 40 };
        let batch = encode(&[b"one", b"", b"three"], 5, Some(producer));
        let (found, rest) = batches(Bytes::from(based(&batch, 100)));
        assert_eq!((found.len(), rest), (1, 0));
        assert_eq!((found[0].base, found[0].last, found[0].producer), (Offset(100), Offset(102), Some(producer)));
        assert_eq!(values(&found[0]), [(100, b"one".to_vec()), (101, vec![]), (102, b"three".to_vec())]);
    }

    #[test]
    fn a_batch_cut_at_the_end_of_a_fetch_is_left_over() {
        let mut bytes = based(&encode(&[b"whole"], 0, None), 7);
        let whole = bytes.len();
        bytes.extend(based(&encode(&[b"cut"], 0, None), 8));
        for cut in whole..bytes.len() {
            let (found, rest) = batches(Bytes::copy_from_slice(&bytes[..cut]));
            assert_eq!((found.len(), rest), (1, cut - whole));
        }
    }

    #[test]
    fn every_flipped_bit_under_the_checksum_is_corrupt() {
        let good = based(&encode(&[b"abc", b"def"], 0, None), 7);
        for bit in CRC_END * 8..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let (found, _) = batches(Bytes::from(bad));
            assert!(matches!(found[0].body, BatchBody::Corrupt("checksum")), "bit {bit}");
            assert!(found[0].last.0 < 7 + 10, "claims more offsets than its bytes could hold");
        }
    }

    #[test]
    fn a_count_that_lies_is_corrupt_and_allocates_nothing() {
        let mut bytes = based(&encode(&[b"abc"], 0, None), 7);
        bytes[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[CRC_END..]);
        bytes[17..CRC_END].copy_from_slice(&crc.to_be_bytes());
        let (found, _) = batches(Bytes::from(bytes));
        assert_eq!(found[0].body, BatchBody::Corrupt("record"));
    }

    #[test]
    fn random_bytes_are_never_a_panic() {
        let mut state = 7u64;
        for _ in 0..5000 {
            let bytes: Vec<u8> = (0..120)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (state >> 60) as u8 * ((state >> 40) as u8 & 1)
                })
                .collect();
            batches(Bytes::from(bytes));
        }
    }

    #[test]
    fn every_codec_is_read() {
        use kafka_protocol::compression::Compressor;
        let plain = encode(&[b"one", b"two"], 0, None);
        type Pack = fn(&[u8]) -> BytesMut;
        fn pack<C: Compressor<BytesMut>>(records: &[u8]) -> BytesMut
        where
            C::BufMut: BufMut,
        {
            let mut out = BytesMut::new();
            C::compress(&mut out, |b| {
                b.put_slice(records);
                Ok(())
            })
            .unwrap();
            out
        }
        let codecs: [(i16, Pack); 4] = [(1, pack::<Gzip>), (2, pack::<Snappy>), (3, pack::<Lz4>), (4, pack::<Zstd>)];
        for (codec, pack) in codecs {
            let mut bytes = plain[..HEADER_BYTES].to_vec();
            bytes.extend_from_slice(&pack(&plain[HEADER_BYTES..]));
            bytes[CRC_END..CRC_END + 2].copy_from_slice(&codec.to_be_bytes());
            let length = (bytes.len() - LENGTH_END) as u32;
            bytes[8..LENGTH_END].copy_from_slice(&length.to_be_bytes());
            let crc = crc32c::crc32c(&bytes[CRC_END..]);
            bytes[17..CRC_END].copy_from_slice(&crc.to_be_bytes());
            let (found, _) = batches(Bytes::from(bytes));
            assert_eq!(values(&found[0]), [(0, b"one".to_vec()), (1, b"two".to_vec())], "codec {codec}");
        }
    }
}
