//! Record batches, version 2: the 61-byte header, and the bytes it stands before.
//!
//! Pure: bytes in, views out. A [`Header`] that exists has passed every check that needs no look at the records; the
//! CRC is a separate step ([`Batch::check_crc`]) because a leader, a follower and a recovery want it and a fetch does not.
//!
//! Deliberately not here: records. A batch travels from producer to disk to consumer as it is, compressed or not.
//! Layout: <https://kafka.apache.org/documentation/#recordbatch>.

use super::{LeaderEpoch, Offset, ProducerId, TimestampType};
use bytes::Buf;
use thiserror::Error;

/// Bytes of a batch's header.
pub const HEADER_BYTES: usize = 61;
/// Bytes before what `batchLength` counts: the base offset and the length itself.
pub const PREFIX_BYTES: usize = 12;
/// Bytes needed to know a batch's version.
const MAGIC_END: usize = 17;
const EPOCH_AT: usize = 12;
const CRC_AT: usize = 17;
/// Where the bytes begin that the CRC covers.
pub(super) const CRC_START: usize = 21;
const ATTRIBUTES_AT: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;

const CODEC_MASK: i16 = 0x07;
const CODEC_LAST: i16 = 4;
const APPEND_TIME: i16 = 0x08;
pub(crate) const TRANSACTIONAL: i16 = 0x10;
pub(super) const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;
const BASE_TIMESTAMP_AT: usize = 27;
const COUNT_AT: usize = 57;

/// What is wrong with bytes that should be a record batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The bytes end before the batch does: a torn tail.
    #[error("batch incomplete: {have} bytes of {need}")]
    Incomplete {
        /// Bytes there are.
        have: usize,
        /// Bytes there should be.
        need: usize,
    },
    /// Not version 2.
    #[error("record format version {0} is not supported")]
    Magic(i8),
    /// The length cannot even hold a header.
    #[error("batch length {0} is too small for a header")]
    Length(i32),
    /// The base offset is negative, or the last offset is not a number.
    #[error("base offset {base} with last offset delta {delta} is no range of offsets")]
    Offsets {
        /// Base offset as written.
        base: i64,
        /// Last offset delta as written.
        delta: i32,
    },
    /// A negative number of records, or more records than offsets.
    #[error("{count} records with last offset delta {delta}")]
    Count {
        /// Record count as written.
        count: i32,
        /// Last offset delta as written.
        delta: i32,
    },
    /// A compression codec that does not exist.
    #[error("unknown compression codec {0}")]
    Codec(i16),
    /// The checksum does not fit the bytes.
    #[error("CRC-32C is {computed:#010x}, the batch says {stored:#010x}")]
    Crc {
        /// The checksum in the batch.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
}

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy, in Xerial's framing.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// The first 61 bytes of a batch, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Bytes after the length field.
    length: i32,
    leader_epoch: i32,
    crc: u32,
    attributes: i16,
    /// Offset of the last record, relative to the first.
    pub last_offset_delta: i32,
    /// Timestamp of the first record in milliseconds since 1970, or -1.
    pub base_timestamp: i64,
    /// Largest timestamp of the batch in milliseconds since 1970, or -1.
    pub max_timestamp: i64,
    producer_id: i64,
    /// Epoch of the producer, or -1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records; fewer than offsets once a batch has been compacted.
    pub record_count: i32,
}

impl Header {
    /// Reads a header off the front of `bytes`.
    ///
    /// # Errors
    /// [`BatchError`], every one but `Crc`.
    pub fn parse(bytes: &[u8]) -> Result<Header, BatchError> {
        if let Some(&magic) = bytes.get(MAGIC_END - 1)
            && magic != 2
        {
            return Err(BatchError::Magic(magic.cast_signed()));
        }
        let Some(mut at) = bytes.get(..HEADER_BYTES) else {
            return Err(BatchError::Incomplete { have: bytes.len(), need: HEADER_BYTES });
        };
        let base_offset = Offset(at.get_i64());
        let length = at.get_i32();
        let leader_epoch = at.get_i32();
        at.advance(1);
        let header = Header {
            base_offset,
            length,
            leader_epoch,
            crc: at.get_u32(),
            attributes: at.get_i16(),
            last_offset_delta: at.get_i32(),
            base_timestamp: at.get_i64(),
            max_timestamp: at.get_i64(),
            producer_id: at.get_i64(),
            producer_epoch: at.get_i16(),
            base_sequence: at.get_i32(),
            record_count: at.get_i32(),
        };
        header.checked()
    }

    fn checked(self) -> Result<Header, BatchError> {
        let (base, delta, count) = (self.base_offset.0, self.last_offset_delta, self.record_count);
        let header_rest = (HEADER_BYTES - PREFIX_BYTES) as i32;
        if self.length < header_rest {
            return Err(BatchError::Length(self.length));
        }
        if base < 0 || delta < 0 || base.checked_add(i64::from(delta) + 1).is_none() {
            return Err(BatchError::Offsets { base, delta });
        }
        if count < 0 || i64::from(count) > i64::from(delta) + 1 {
            return Err(BatchError::Count { count, delta });
        }
        if self.attributes & CODEC_MASK > CODEC_LAST {
            return Err(BatchError::Codec(self.attributes & CODEC_MASK));
        }
        Ok(self)
    }

    /// Bytes of the whole batch, header and prefix included.
    #[must_use]
    pub fn size(&self) -> usize {
        PREFIX_BYTES + usize::try_from(self.length).expect("checked: not below the header's size")
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    /// Offset after the last record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.last_offset().plus(1)
    }

    /// Epoch of the leader that appended it, if one did; outside the CRC.
    #[must_use]
    pub fn leader_epoch(&self) -> Option<LeaderEpoch> {
        (self.leader_epoch >= 0).then_some(LeaderEpoch(self.leader_epoch))
    }

    /// The producer, if it has an identity.
    #[must_use]
    pub fn producer_id(&self) -> Option<ProducerId> {
        (self.producer_id >= 0).then_some(ProducerId(self.producer_id))
    }

    /// Sequence number of the last record, wrapping after `i32::MAX`; -1 if the batch has no sequence.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 { -1 } else { add_sequence(self.base_sequence, self.last_offset_delta) }
    }

    /// Whether `computed` is the CRC-32C the batch should have.
    pub(super) fn fits_crc(&self, computed: u32) -> Result<(), BatchError> {
        let stored = self.crc;
        if stored == computed { Ok(()) } else { Err(BatchError::Crc { stored, computed }) }
    }

    /// Compression of the records.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self.attributes & CODEC_MASK {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            _ => Codec::Zstd,
        }
    }

    /// Whose clock the timestamps come from.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// When its tombstones or its marker may go, in milliseconds since 1970, once a compaction has said so (KIP-534).
    #[must_use]
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Whether the batch is part of a transaction (data or marker).
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch holds a control record (a transaction marker) instead of data.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }
}

/// The sequence number `records` after `sequence`; after `i32::MAX` comes 0 (KIP-98).
#[must_use]
pub fn add_sequence(sequence: i32, records: i32) -> i32 {
    sequence.checked_add(records).unwrap_or_else(|| records - (i32::MAX - sequence) - 1)
}

/// The sequence number `records` before `sequence`; before 0 comes `i32::MAX`.
#[must_use]
pub fn sub_sequence(sequence: i32, records: i32) -> i32 {
    if sequence >= records { sequence - records } else { (i32::MAX - records).wrapping_add(sequence).wrapping_add(1) }
}

/// One whole batch: its header and all its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The header.
    pub header: Header,
    /// All bytes of the batch, the header included.
    pub bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Takes the first batch off the front of `bytes`; whatever follows is not looked at.
    ///
    /// # Errors
    /// [`BatchError`], every one but `Crc`.
    pub fn first(bytes: &'a [u8]) -> Result<Batch<'a>, BatchError> {
        let header = Header::parse(bytes)?;
        match bytes.get(..header.size()) {
            Some(bytes) => Ok(Batch { header, bytes }),
            None => Err(BatchError::Incomplete { have: bytes.len(), need: header.size() }),
        }
    }

    /// Checks the bytes against the CRC-32C in the header.
    ///
    /// # Errors
    /// [`BatchError::Crc`] if they do not fit.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        self.header.fits_crc(crc32c::crc32c(&self.bytes[CRC_START..]))
    }

    /// The records as they are, behind the header.
    #[must_use]
    pub fn records(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }
}

/// The batches in a run of bytes, one after another; an error is the last item.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// Over all of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches { rest: bytes }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = Batch::first(self.rest);
        self.rest = match &batch {
            Ok(batch) => &self.rest[batch.bytes.len()..],
            Err(_) => &[],
        };
        Some(batch)
    }
}

/// Writes the base offset into the batch at the front of `bytes` (which must hold its header); outside the CRC.
pub fn set_base_offset(bytes: &mut [u8], base: Offset) {
    bytes[..8].copy_from_slice(&base.0.to_be_bytes());
}

/// Writes the leader epoch into the batch at the front of `bytes` (which must hold its header); outside the CRC.
pub fn set_leader_epoch(bytes: &mut [u8], epoch: LeaderEpoch) {
    bytes[EPOCH_AT..EPOCH_AT + 4].copy_from_slice(&epoch.0.to_be_bytes());
}

/// Makes `now_ms` the append time of the one batch that `bytes` is, and fits the CRC to it.
pub fn set_append_time(bytes: &mut [u8], now_ms: i64) {
    let attributes = i16::from_be_bytes([bytes[ATTRIBUTES_AT], bytes[ATTRIBUTES_AT + 1]]) | APPEND_TIME;
    bytes[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
    bytes[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&now_ms.to_be_bytes());
    set_crc(bytes);
}

/// What a rewritten batch says of its records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamps {
    pub codec: Codec,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    /// The base timestamp is a delete horizon from now on.
    pub horizon: bool,
    pub count: i32,
}

/// Writes what is said of the records into the batch at the front of `bytes`; the CRC is to be fitted afterwards.
pub(super) fn set_stamps(bytes: &mut [u8], stamps: Stamps) {
    let codec = match stamps.codec {
        Codec::None => 0,
        Codec::Gzip => 1,
        Codec::Snappy => 2,
        Codec::Lz4 => 3,
        Codec::Zstd => 4,
    };
    let horizon = if stamps.horizon { DELETE_HORIZON } else { 0 };
    let before = i16::from_be_bytes([bytes[ATTRIBUTES_AT], bytes[ATTRIBUTES_AT + 1]]);
    let attributes = (before & !CODEC_MASK) | codec | horizon;
    bytes[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
    bytes[BASE_TIMESTAMP_AT..BASE_TIMESTAMP_AT + 8].copy_from_slice(&stamps.base_timestamp.to_be_bytes());
    bytes[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&stamps.max_timestamp.to_be_bytes());
    bytes[COUNT_AT..COUNT_AT + 4].copy_from_slice(&stamps.count.to_be_bytes());
}

/// Fits the CRC to the one batch that `bytes` is.
pub fn set_crc(bytes: &mut [u8]) {
    let crc = crc32c::crc32c(&bytes[CRC_START..]);
    bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
}
