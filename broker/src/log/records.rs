//! The records inside a batch, as far as this module wants to know them: offset, timestamp, key and value.
//!
//! Off the hot path: only a question about timestamps, a transaction marker, a compaction and a change of compression
//! come here. Lengths are checked against
//! the bytes there are; nothing is allocated for uncompressed records.

use super::batch::Batch;
use super::decompress::decompress;
use super::{Offset, TimestampType};
use bytes::Buf;
use std::borrow::Cow;

/// Batches that are larger without their compression are not looked into.
const PLAIN_BYTES_MAX: usize = 64 << 20;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub offset: Offset,
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    attributes: u8,
    timestamp_delta: i64,
    /// Everything behind the timestamp.
    tail: &'a [u8],
}

/// Appends a record whose batch's base timestamp is `shift` lower than before.
pub(super) fn put(out: &mut Vec<u8>, record: &Record<'_>, shift: i64) {
    let mut delta = Vec::with_capacity(10);
    put_varint(&mut delta, record.timestamp_delta.wrapping_add(shift));
    put_varint(out, (1 + delta.len() + record.tail.len()) as i64);
    out.push(record.attributes);
    out.extend_from_slice(&delta);
    out.extend_from_slice(record.tail);
}

fn put_varint(out: &mut Vec<u8>, number: i64) {
    let mut raw = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while raw >= 0x80 {
        out.push((raw & 0x7f) as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// The records of `batch` without their compression; `None` if they cannot be decompressed within the limit.
pub(crate) fn decompressed<'a>(batch: &Batch<'a>) -> Option<Cow<'a, [u8]>> {
    decompress(batch.header.codec(), batch.records(), PLAIN_BYTES_MAX)
}

/// The records in `plain`, the decompressed records of `batch`, up to the first that makes no sense.
pub(crate) fn records<'a>(batch: &Batch<'_>, plain: &'a [u8]) -> impl Iterator<Item = Record<'a>> {
    let header = batch.header;
    let mut rest = plain;
    let mut left = header.record_count;
    std::iter::from_fn(move || {
        left = left.checked_sub(1).filter(|left| *left >= 0)?;
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let mut body = rest.get(..length)?;
        rest = &rest[length..];
        let attributes = body.try_get_u8().ok()?;
        let timestamp_delta = varint(&mut body)?;
        let tail = body;
        let offset_delta = varint(&mut body)?;
        let timestamp_ms = match header.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp.checked_add(timestamp_delta)?,
            TimestampType::LogAppendTime => header.max_timestamp,
        };
        let offset = Offset(header.base_offset.0.checked_add(offset_delta)?);
        let (key, value) = (field(&mut body)?, field(&mut body)?);
        Some(Record { offset, timestamp_ms, key, value, attributes, timestamp_delta, tail })
    })
}

/// A zig-zag encoded number of at most ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut raw = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        raw |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed());
        }
    }
    None
}

/// A length, -1 for a null, and that many bytes.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint(bytes)?;
    if length < 0 {
        return Some(None);
    }
    let length = usize::try_from(length).ok()?;
    let field = bytes.get(..length)?;
    *bytes = &bytes[length..];
    Some(Some(field))
}
