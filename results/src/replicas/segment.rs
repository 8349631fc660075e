//! One segment file: the records of its batches, one after the other.

use super::batch::{HEADER_BYTES, Header};
use super::reader::{Next, SegmentReader};
use super::{Flaw, Notes, records};
use crate::file::FileError;
use history::{Offset, ReplicaLog, ReplicaRecord, SentBatch, Value, payload};
use std::path::Path;

/// Most offsets that a batch with a bad CRC is believed to own.
const CORRUPT_OFFSETS_MAX: i32 = 1 << 20;

/// Appends a segment's records to `replica`, and its sound batches to `batches`.
pub fn read(
    path: &Path,
    run: u64,
    replica: &mut ReplicaLog,
    batches: &mut Vec<SentBatch>,
    notes: &mut Notes,
) -> Result<(), FileError> {
    let mut segment = SegmentReader::open(path)?;
    while let Some(next) = segment.step()? {
        let (at, header, bytes) = match next {
            Next::Batch(at, header, bytes) => (at, header, bytes),
            Next::Flaw(at, flaw) => {
                notes.add(path, at, flaw);
                break;
            }
        };
        if header.base < replica.end.0 {
            notes.add(path, at, Flaw::OffsetsNotRising);
        }
        let end = match batch(&header, bytes, run, &mut replica.records) {
            Ok(()) => {
                batches.push(sent(&header));
                header.end()
            }
            Err(flaw) => {
                notes.add(path, at, flaw);
                replica.records.last().map_or(replica.end, |record| Offset(record.offset.0 + 1))
            }
        };
        replica.end = replica.end.max(end);
    }
    Ok(())
}

fn sent(header: &Header) -> SentBatch {
    SentBatch {
        first: Offset(header.base),
        last: Offset(header.end().0 - 1),
        producer: header.producer_id,
        producer_epoch: header.producer_epoch,
        sequence: header.base_sequence,
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
    if !header.holds(bytes) {
        corrupt(out);
        return Err(Flaw::BadCrc);
    }
    let control = header.is_control();
    let read = records::each(&bytes[HEADER_BYTES..], header.codec(), header.count, |record| {
        let value = if control { Value::MARKER } else { payload::decode(run, record.value).value() };
        out.push(ReplicaRecord { offset: Offset(base + i64::from(record.offset_delta)), value, epoch });
    });
    read.ok_or(Flaw::BadRecords).inspect_err(|_| corrupt(out))
}
