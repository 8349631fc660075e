//! Transaction markers: the control batches that end a transaction (KIP-98).

use super::batch::{self, Batch, HEADER_BYTES, PREFIX_BYTES};
use super::{ProducerId, records};
use bytes::{Buf, BufMut};

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its records are to be ignored by read-committed readers.
    Abort,
    /// Its records count.
    Commit,
}

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// How the transaction ended.
    pub outcome: Outcome,
    /// Epoch of the coordinator that decided it.
    pub coordinator_epoch: i32,
}

impl Marker {
    /// Reads the marker in a control batch; `None` if it is some other control record, or not to be understood.
    #[must_use]
    pub fn parse(batch: &Batch<'_>) -> Option<Marker> {
        let plain = records::decompressed(batch)?;
        let record = records::records(batch, &plain).next()?;
        let (mut key, mut value) = (record.key?, record.value?);
        let (_version, kind) = (key.try_get_i16().ok()?, key.try_get_i16().ok()?);
        let outcome = match kind {
            0 => Outcome::Abort,
            1 => Outcome::Commit,
            _ => return None,
        };
        let _version = value.try_get_i16().ok()?;
        Some(Marker { outcome, coordinator_epoch: value.try_get_i32().ok()? })
    }

    /// A control batch with this marker, ready to be appended by [`super::Log::append_as_leader`].
    #[must_use]
    pub fn batch(&self, producer: ProducerId, producer_epoch: i16, now_ms: i64) -> Vec<u8> {
        let record = self.record();
        let length = HEADER_BYTES - PREFIX_BYTES + record.len();
        let mut bytes = Vec::with_capacity(PREFIX_BYTES + length);
        bytes.put_i64(0);
        bytes.put_i32(i32::try_from(length).expect("a marker is some eighty bytes"));
        bytes.put_i32(-1);
        bytes.put_i8(2);
        bytes.put_u32(0);
        bytes.put_i16(batch::TRANSACTIONAL | batch::CONTROL);
        bytes.put_i32(0);
        bytes.put_i64(now_ms);
        bytes.put_i64(now_ms);
        bytes.put_i64(producer.0);
        bytes.put_i16(producer_epoch);
        bytes.put_i32(-1);
        bytes.put_i32(1);
        bytes.extend_from_slice(&record);
        batch::set_crc(&mut bytes);
        bytes
    }

    /// Length 16, no attributes, deltas 0, a key of 4 bytes, a value of 6, no headers; all lengths zig-zag.
    fn record(&self) -> Vec<u8> {
        let mut record = vec![32, 0, 0, 0, 8];
        record.put_i16(0);
        record.put_i16(if self.outcome == Outcome::Commit { 1 } else { 0 });
        record.put_u8(12);
        record.put_i16(0);
        record.put_i32(self.coordinator_epoch);
        record.put_u8(0);
        record
    }
}
