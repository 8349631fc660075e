//! One segment file: its batches, one after the other.
//!
//! ```text
//! baseOffset i64 | length i32 | leaderEpoch i32 | magic i8 | crc u32 | attributes i16 | lastOffsetDelta i32
//! baseTimestamp i64 | maxTimestamp i64 | producerId i64 | producerEpoch i16 | baseSequence i32 | count i32 | records
//! ```
//! Big endian, 61 bytes; `length` counts what follows it; the CRC-32C covers everything after itself.

use super::records::{self, Codec};
use super::{Flaw, Notes};
use crate::file::{self, FileError, unread};
use history::{LeaderEpoch, Offset, ReplicaLog, ReplicaRecord, Value, payload};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Largest batch read.
pub const BATCH_BYTES_MAX: u64 = 256 << 20;
/// Most offsets that a batch with a bad CRC is believed to own.
const CORRUPT_OFFSETS_MAX: i32 = 1 << 20;

const HEADER_BYTES: usize = 61;
/// Bytes before what `length` counts.
const PREFIX_BYTES: u64 = 12;
const CRC_COVERS_FROM: usize = 21;
const MAGIC: u8 = 2;
const CONTROL: u16 = 1 << 5;
const READ_BYTES: usize = 1 << 18;

/// A batch's header.
struct Header {
    base: i64,
    epoch: LeaderEpoch,
    crc: u32,
    attributes: u16,
    last_delta: i32,
    count: i32,
    /// Of the whole batch.
    bytes: u64,
}

impl Header {
    /// The header, unless these bytes cannot be one.
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        let length = u64::try_from(i32_at(bytes, 8)).ok()?;
        let header = Header {
            base: i64::from(i32_at(bytes, 0)) << 32 | i64::from(i32_at(bytes, 4) as u32),
            epoch: LeaderEpoch(i32_at(bytes, 12)),
            crc: i32_at(bytes, 17) as u32,
            attributes: u16::from_be_bytes([bytes[21], bytes[22]]),
            last_delta: i32_at(bytes, 23),
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

    fn end(&self) -> Offset {
        Offset(self.base + i64::from(self.last_delta) + 1)
    }
}

fn i32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Appends a segment's records to `replica`.
pub fn read(path: &Path, run: u64, replica: &mut ReplicaLog, notes: &mut Notes) -> Result<(), FileError> {
    let file = file::open(path)?;
    let bytes = file.metadata().map_err(unread(path))?.len();
    let mut file = BufReader::with_capacity(READ_BYTES, file);
    let mut buffer = Vec::new();
    let mut at = 0;
    while at < bytes {
        let Some(header) = next(path, &mut file, (at, bytes), &mut buffer, notes)? else { break };
        if header.base < replica.end.0 {
            notes.add(path, at, Flaw::OffsetsNotRising);
        }
        let end = match batch(&header, &buffer, run, &mut replica.records) {
            Ok(()) => header.end(),
            Err(flaw) => {
                notes.add(path, at, flaw);
                replica.records.last().map_or(replica.end, |record| Offset(record.offset.0 + 1))
            }
        };
        replica.end = replica.end.max(end);
        at += header.bytes;
    }
    Ok(())
}

/// The next batch, whole in `buffer`; `None`, with a note, where there is none.
fn next(
    path: &Path,
    file: &mut BufReader<File>,
    (at, end): (u64, u64),
    buffer: &mut Vec<u8>,
    notes: &mut Notes,
) -> Result<Option<Header>, FileError> {
    buffer.clear();
    file.by_ref().take(HEADER_BYTES as u64).read_to_end(buffer).map_err(unread(path))?;
    let bytes = end - at;
    let header = buffer.first_chunk().map(Header::parse);
    let flaw = match header {
        Some(Some(header)) if header.bytes <= bytes => {
            file.by_ref().take(header.bytes - HEADER_BYTES as u64).read_to_end(buffer).map_err(unread(path))?;
            return Ok(Some(header));
        }
        Some(None) if buffer.iter().all(|byte| *byte == 0) && only_zeros(file).map_err(unread(path))? => {
            Flaw::Zeros { bytes }
        }
        Some(None) => Flaw::NotABatch { bytes },
        None | Some(Some(_)) => Flaw::TornBatch { bytes },
    };
    notes.add(path, at, flaw);
    Ok(None)
}

fn only_zeros(file: &mut BufReader<File>) -> std::io::Result<bool> {
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let bytes = bytes.len();
        file.consume(bytes);
    }
}

/// Appends a batch's records to `out`; of a batch that cannot be read, its offsets with [`Value::CORRUPT`].
fn batch(header: &Header, bytes: &[u8], run: u64, out: &mut Vec<ReplicaRecord>) -> Result<(), Flaw> {
    let (base, epoch, before) = (header.base, header.epoch, out.len());
    let corrupt = |out: &mut Vec<ReplicaRecord>| {
        out.truncate(before);
        let offsets = 0..header.count.min(CORRUPT_OFFSETS_MAX);
        let offsets = offsets.filter(|_| i64::from(header.count) == i64::from(header.last_delta) + 1);
        out.extend(offsets.map(|i| ReplicaRecord {
            offset: Offset(base + i64::from(i)),
            value: Value::CORRUPT,
            epoch,
        }));
    };
    if bytes.len() as u64 != header.bytes || crc32c::crc32c(&bytes[CRC_COVERS_FROM..]) != header.crc {
        corrupt(out);
        return Err(Flaw::BadCrc);
    }
    let control = header.attributes & CONTROL != 0;
    let read = records::each(&bytes[HEADER_BYTES..], Codec::of(header.attributes), header.count, |delta, value| {
        let value = if control { Value::MARKER } else { payload::decode(run, value).value() };
        out.push(ReplicaRecord { offset: Offset(base + i64::from(delta)), value, epoch });
    });
    read.ok_or(Flaw::BadRecords).inspect_err(|_| corrupt(out))
}
