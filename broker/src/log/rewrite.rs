//! A batch written anew: with other compression, or with some of its records taken out.
//!
//! Pure. **Invariant:** base offset, last offset, producer, sequence and epoch of a batch stay, whatever is taken out, so
//! that whoever knows the batch by them finds it again. The CRC is fitted last.
//!
//! Layout of the delete horizon: KIP-534; it stands in the place of the base timestamp, and the records' deltas count
//! from it.

use super::batch::{self, Batch, Codec, HEADER_BYTES, Header, PREFIX_BYTES};
use super::compress::compress;
use super::records::{self, Record};
use super::{AppendError, TimestampType};

const NO_TIMESTAMP: i64 = -1;

/// What a batch is to become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rewrite {
    /// Compression of the records.
    pub codec: Codec,
    /// When its tombstones or its marker may go, in milliseconds since 1970; `None` leaves that as it is.
    pub delete_horizon_ms: Option<i64>,
}

/// `batch` with only the records that `keep` picks.
///
/// # Errors
/// [`AppendError::Refused`] if its records cannot be read or compressed.
pub(super) fn rewritten(
    batch: &Batch<'_>,
    plain: &[u8],
    to: Rewrite,
    keep: impl Fn(&Record<'_>) -> bool,
) -> Result<Vec<u8>, AppendError> {
    let base_timestamp = to.delete_horizon_ms.unwrap_or(batch.header.base_timestamp);
    let shift = batch.header.base_timestamp.wrapping_sub(base_timestamp);
    let (mut payload, mut count, mut max_timestamp) = (Vec::with_capacity(plain.len()), 0, NO_TIMESTAMP);
    let mut read = 0;
    for record in records::records(batch, plain) {
        read += 1;
        if keep(&record) {
            records::put(&mut payload, &record, shift);
            count += 1;
            max_timestamp = max_timestamp.max(record.timestamp_ms);
        }
    }
    if read != batch.header.record_count {
        return Err(AppendError::Refused("the records of a batch cannot be read"));
    }
    if count == 0 || batch.header.timestamp_type() == TimestampType::LogAppendTime {
        max_timestamp = batch.header.max_timestamp;
    }
    let codec = if count == 0 { Codec::None } else { to.codec };
    let payload =
        compress(codec, &payload).map_err(|_| AppendError::Refused("the records of a batch cannot be compressed"))?;
    let stamps = batch::Stamps { codec, base_timestamp, max_timestamp, horizon: to.delete_horizon_ms.is_some(), count };
    Ok(assembled(batch, &payload, stamps))
}

/// The batch without any record: what is left of a producer's last one.
pub(super) fn emptied(batch: &Batch<'_>) -> Vec<u8> {
    let Header { base_timestamp, max_timestamp, .. } = batch.header;
    let stamps = batch::Stamps { codec: Codec::None, base_timestamp, max_timestamp, horizon: false, count: 0 };
    assembled(batch, &[], stamps)
}

fn assembled(batch: &Batch<'_>, payload: &[u8], stamps: batch::Stamps) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&batch.bytes[..HEADER_BYTES]);
    bytes.extend_from_slice(payload);
    let length = i32::try_from(bytes.len() - PREFIX_BYTES).unwrap_or(i32::MAX);
    bytes[8..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    batch::set_stamps(&mut bytes, stamps);
    batch::set_crc(&mut bytes);
    bytes
}

/// `batches` with the compression a topic asks for; `None` if they have it already. Control batches stay as they are.
///
/// # Errors
/// [`AppendError`]: a batch makes no sense, or cannot be read.
pub fn recompressed(batches: &[u8], codec: Codec) -> Result<Option<Vec<u8>>, AppendError> {
    let other = |header: &Header| header.codec() != codec && !header.is_control();
    let all: Vec<Batch<'_>> = batch::Batches::new(batches).collect::<Result<_, _>>()?;
    if !all.iter().any(|batch| other(&batch.header)) {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(batches.len());
    for batch in all {
        if other(&batch.header) {
            batch.check_crc()?;
            let plain = records::decompressed(&batch);
            let plain = plain.ok_or(AppendError::Refused("the records of a batch cannot be decompressed"))?;
            bytes.extend(rewritten(&batch, &plain, Rewrite { codec, delete_horizon_ms: None }, |_| true)?);
        } else {
            bytes.extend_from_slice(batch.bytes);
        }
    }
    Ok(Some(bytes))
}
