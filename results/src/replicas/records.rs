//! The records within a batch: zig-zag varints, decompressed first if need be.
//!
//! ```text
//! length | attributes i8 | timestampDelta | offsetDelta | keyLength | key | valueLength | value | headers …
//! ```
//! A length below 0 is an absent key or value. **Invariant:** no count allocates: records are handed out one at a time.

use super::expand::expand;

/// How a batch's records are compressed: bits 0–2 of its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// Not at all.
    Plain,
    /// Code 1.
    Gzip,
    /// Code 2, raw or in xerial's frames.
    Snappy,
    /// Code 3.
    Lz4,
    /// Code 4.
    Zstd,
    /// A code nobody has given.
    Other,
}

impl Codec {
    /// The codec of a batch's attributes.
    pub fn of(attributes: u16) -> Codec {
        match attributes & 7 {
            0 => Codec::Plain,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            _ => Codec::Other,
        }
    }
}

/// A record within its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// From the batch's base offset.
    pub offset_delta: i32,
    /// From the batch's base timestamp, milliseconds.
    pub timestamp_delta: i64,
    /// Empty if absent.
    pub key: &'a [u8],
    /// Empty if absent.
    pub value: &'a [u8],
}

/// Calls `each` with `count` records; `None` if the bytes are not exactly those.
pub fn each(bytes: &[u8], codec: Codec, count: i32, each: impl FnMut(Record<'_>)) -> Option<()> {
    if codec == Codec::Plain {
        return plain(bytes, count, each);
    }
    plain(&expand(bytes, codec)?, count, each)
}

fn plain(mut bytes: &[u8], count: i32, mut each: impl FnMut(Record<'_>)) -> Option<()> {
    for _ in 0..count {
        let length = usize::try_from(varint(&mut bytes)?).ok()?;
        let (mut record, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        each(record_of(&mut record)?);
    }
    bytes.is_empty().then_some(())
}

fn record_of<'a>(record: &mut &'a [u8]) -> Option<Record<'a>> {
    record.split_off_first()?;
    let timestamp_delta = varint(record)?;
    let offset_delta = i32::try_from(varint(record)?).ok().filter(|delta| *delta >= 0)?;
    Some(Record { offset_delta, timestamp_delta, key: field(record)?, value: field(record)? })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(bytes)?).unwrap_or(0);
    bytes.split_off(..length)
}

fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut raw = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        raw |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some((raw >> 1) as i64 ^ -((raw & 1) as i64));
        }
    }
    None
}
