//! The file `%020d.snapshot`: the producers of a log as of an offset, in Kafka's format (version 1).
//!
//! Layout, big endian: version i16, CRC-32C u32 of all that follows it, count i32, and 46 bytes per producer: id i64,
//! epoch i16, last sequence i32, last offset i64, offset delta i32, timestamp i64, coordinator epoch i32, first offset
//! of the open transaction i64 (-1 for none). Only the last batch of a producer is kept.

use super::Offset;
use super::producers::{Producer, ProducerId, Recent, Remembered};
use bytes::{Buf, BufMut};
use thiserror::Error;

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const CRC_START: usize = 6;
const ENTRY_BYTES: usize = 46;

/// Why a snapshot cannot be used. Nothing is lost by it: the log is read instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// The file ends early, or late.
    #[error("{have} bytes, {need} were expected")]
    Size {
        /// Bytes there are.
        have: usize,
        /// Bytes there should be.
        need: usize,
    },
    /// Some other format.
    #[error("version {0}, only 1 is known")]
    Version(i16),
    /// The checksum does not fit.
    #[error("CRC-32C is {computed:#010x}, the file says {stored:#010x}")]
    Crc {
        /// The checksum in the file.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A count below zero.
    #[error("a count of {0}")]
    Count(i32),
}

/// The file's bytes for these producers.
pub(super) fn encode<'a>(producers: impl Iterator<Item = (ProducerId, &'a Producer)>) -> Vec<u8> {
    let mut sorted: Vec<_> = producers.collect();
    sorted.sort_by_key(|(id, _)| *id);
    let mut bytes = Vec::with_capacity(CRC_START + 4 + sorted.len() * ENTRY_BYTES);
    bytes.put_i16(VERSION);
    bytes.put_u32(0);
    bytes.put_i32(i32::try_from(sorted.len()).unwrap_or(i32::MAX));
    for (id, producer) in sorted {
        encode_one(&mut bytes, id, producer);
    }
    let crc = crc32c::crc32c(&bytes[CRC_START..]);
    bytes[CRC_AT..CRC_START].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn encode_one(out: &mut Vec<u8>, id: ProducerId, producer: &Producer) {
    let none = Remembered { last_sequence: -1, last_offset: Offset(-1), offset_delta: 0, timestamp_ms: -1 };
    let last = producer.recent.as_slice().last().unwrap_or(&none);
    out.put_i64(id.0);
    out.put_i16(producer.epoch);
    out.put_i32(last.last_sequence);
    out.put_i64(last.last_offset.0);
    out.put_i32(last.offset_delta);
    out.put_i64(producer.timestamp_ms);
    out.put_i32(producer.coordinator_epoch);
    out.put_i64(producer.transaction.map_or(-1, |first| first.0));
}

/// The producers in a file's bytes.
pub fn decode(bytes: &[u8]) -> Result<Vec<(ProducerId, Producer)>, SnapshotError> {
    let size = |need| SnapshotError::Size { have: bytes.len(), need };
    let mut at = bytes;
    let version = at.try_get_i16().map_err(|_| size(CRC_START + 4))?;
    if version != VERSION {
        return Err(SnapshotError::Version(version));
    }
    let stored = at.try_get_u32().map_err(|_| size(CRC_START + 4))?;
    let computed = crc32c::crc32c(at);
    if stored != computed {
        return Err(SnapshotError::Crc { stored, computed });
    }
    let count = at.try_get_i32().map_err(|_| size(CRC_START + 4))?;
    let entries = usize::try_from(count).map_err(|_| SnapshotError::Count(count))?;
    let need = entries.saturating_mul(ENTRY_BYTES);
    if at.len() != need {
        return Err(size(need.saturating_add(CRC_START + 4)));
    }
    Ok(at.chunks_exact(ENTRY_BYTES).map(decode_one).collect())
}

fn decode_one(mut at: &[u8]) -> (ProducerId, Producer) {
    let (id, epoch) = (ProducerId(at.get_i64()), at.get_i16());
    let (last_sequence, last_offset, offset_delta) = (at.get_i32(), Offset(at.get_i64()), at.get_i32().max(0));
    let (timestamp_ms, coordinator_epoch, first) = (at.get_i64(), at.get_i32(), at.get_i64());
    let mut recent = Recent::default();
    if last_offset.0 >= 0 {
        recent.push(Remembered { last_sequence, last_offset, offset_delta, timestamp_ms }, 1);
    }
    let transaction = (first >= 0).then_some(Offset(first));
    (id, Producer { epoch, coordinator_epoch, timestamp_ms, transaction, recent })
}
