//! A record batch v2's header, and what Kafka's own `DumpLogSegments` says of it.
//!
//! ```text
//! baseOffset i64 | length i32 | leaderEpoch i32 | magic i8 | crc u32 | attributes i16 | lastOffsetDelta i32
//! baseTimestamp i64 | maxTimestamp i64 | producerId i64 | producerEpoch i16 | baseSequence i32 | count i32 | records
//! ```
//! Big endian, 61 bytes; `length` counts what follows it; the CRC-32C covers everything after itself.

use super::records::Codec;
use history::{LeaderEpoch, Offset};
use std::fmt;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 61;
/// Largest batch read.
pub const BATCH_BYTES_MAX: u64 = 256 << 20;

/// Bytes before what `length` counts.
const PREFIX_BYTES: u64 = 12;
const CRC_COVERS_FROM: usize = 21;
const MAGIC: u8 = 2;
const LOG_APPEND_TIME: u16 = 1 << 3;
const TRANSACTIONAL: u16 = 1 << 4;
const CONTROL: u16 = 1 << 5;
const DELETE_HORIZON: u16 = 1 << 6;

/// A batch's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Offset of its first record.
    pub base: i64,
    /// The reign under which it was appended.
    pub epoch: LeaderEpoch,
    /// Its CRC-32C, as written.
    pub crc: u32,
    /// Codec, timestamp type, transactional, control, delete horizon.
    pub attributes: u16,
    /// Its last record's offset less `base`.
    pub last_delta: i32,
    /// Milliseconds since 1970, or the delete horizon.
    pub base_timestamp: i64,
    /// Milliseconds since 1970.
    pub max_timestamp: i64,
    /// Its producer, or −1.
    pub producer_id: i64,
    /// The producer's epoch, or −1.
    pub producer_epoch: i16,
    /// Its first record's sequence, or −1.
    pub base_sequence: i32,
    /// Records in it, as written.
    pub count: i32,
    /// Bytes of the whole batch.
    pub bytes: u64,
}

impl Header {
    /// The header, unless these bytes cannot be one.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        let length = u64::try_from(i32_at(bytes, 8)).ok()?;
        let header = Header {
            base: i64_at(bytes, 0),
            epoch: LeaderEpoch(i32_at(bytes, 12)),
            crc: i32_at(bytes, 17) as u32,
            attributes: u16::from_be_bytes([bytes[21], bytes[22]]),
            last_delta: i32_at(bytes, 23),
            base_timestamp: i64_at(bytes, 27),
            max_timestamp: i64_at(bytes, 35),
            producer_id: i64_at(bytes, 43),
            producer_epoch: i16::from_be_bytes([bytes[51], bytes[52]]),
            base_sequence: i32_at(bytes, 53),
            count: i32_at(bytes, 57),
            bytes: length + PREFIX_BYTES,
        };
        let fits = bytes[16] == MAGIC
            && (HEADER_BYTES as u64..=BATCH_BYTES_MAX).contains(&header.bytes)
            && header.base >= 0
            && header.last_delta >= 0
            && header.base < i64::MAX - i64::from(i32::MAX);
        fits.then_some(header)
    }

    /// One past its last offset.
    pub fn end(&self) -> Offset {
        Offset(self.base + i64::from(self.last_delta) + 1)
    }

    /// How its records are compressed.
    pub fn codec(&self) -> Codec {
        Codec::of(self.attributes)
    }

    /// True if it holds a marker and no user's record.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// True if it is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// True if the whole batch in `bytes` is what its CRC says.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.bytes && bytes.get(CRC_COVERS_FROM..).is_some_and(|b| crc32c::crc32c(b) == self.crc)
    }

    /// Its last record's sequence; they go round from 2³¹−1 to 0.
    fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.last_delta);
        if self.base_sequence < 0 { -1 } else { (last & i64::from(i32::MAX)) as i32 }
    }

    /// The line that `DumpLogSegments` prints of it.
    pub fn line(&self, position: u64, valid: bool) -> String {
        let horizon = match self.attributes & DELETE_HORIZON {
            0 => "OptionalLong.empty".to_owned(),
            _ => format!("OptionalLong[{}]", self.base_timestamp),
        };
        let time = if self.attributes & LOG_APPEND_TIME == 0 { "CreateTime" } else { "LogAppendTime" };
        format!(
            "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
             partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon} position: {position} \
             {time}: {} size: {} magic: {MAGIC} compresscodec: {} crc: {} isvalid: {valid}",
            self.base,
            self.end().0 - 1,
            self.count,
            self.base_sequence,
            self.last_sequence(),
            self.producer_id,
            self.producer_epoch,
            self.epoch.0,
            self.is_transactional(),
            self.is_control(),
            self.max_timestamp,
            self.bytes,
            self.codec(),
            self.crc,
        )
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Codec::Plain => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
            Codec::Other => "unknown",
        })
    }
}

fn i32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn i64_at(bytes: &[u8; HEADER_BYTES], at: usize) -> i64 {
    i64::from(i32_at(bytes, at)) << 32 | i64::from(i32_at(bytes, at + 4) as u32)
}
