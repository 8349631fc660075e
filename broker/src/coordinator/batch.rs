//! The batches a coordinator writes: version 2, uncompressed, one batch a decision, so that a decision is in the log whole
//! or not at all.

use bytes::BufMut;

use crate::log::ProducerId;
use crate::log::batch::{self, HEADER_BYTES, PREFIX_BYTES};

/// Key and value of one record; no value is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What compaction goes by.
    pub key: Vec<u8>,
    /// The newest word about it.
    pub value: Option<Vec<u8>>,
}

/// The transaction a batch belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InTransaction {
    /// Whose.
    pub producer: ProducerId,
    /// Of the producer.
    pub epoch: i16,
}

/// One batch with these records, ready to be appended.
pub fn encode(records: &[Stored], transaction: Option<InTransaction>, now_ms: i64) -> Vec<u8> {
    let mut body = Vec::with_capacity(records.iter().map(|record| record.key.len() + 64).sum());
    for (delta, record) in (0..).zip(records) {
        put_record(&mut body, delta, record);
    }
    let (producer, epoch) = transaction.map_or((-1, -1), |of| (of.producer.0, of.epoch));
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.put_i64(0);
    bytes.put_i32((HEADER_BYTES - PREFIX_BYTES + body.len()) as i32);
    bytes.put_i32(-1);
    bytes.put_i8(2);
    bytes.put_u32(0);
    bytes.put_i16(if transaction.is_some() { batch::TRANSACTIONAL } else { 0 });
    bytes.put_i32(records.len() as i32 - 1);
    bytes.put_i64(now_ms);
    bytes.put_i64(now_ms);
    bytes.put_i64(producer);
    bytes.put_i16(epoch);
    bytes.put_i32(-1);
    bytes.put_i32(records.len() as i32);
    bytes.extend_from_slice(&body);
    batch::set_crc(&mut bytes);
    bytes
}

fn put_record(out: &mut Vec<u8>, offset_delta: i64, record: &Stored) {
    let mut body = vec![0];
    put_varint(&mut body, 0);
    put_varint(&mut body, offset_delta);
    put_field(&mut body, Some(&record.key));
    put_field(&mut body, record.value.as_deref());
    put_varint(&mut body, 0);
    put_varint(out, body.len() as i64);
    out.extend_from_slice(&body);
}

fn put_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    put_varint(out, field.map_or(-1, |field| field.len() as i64));
    out.extend_from_slice(field.unwrap_or_default());
}

fn put_varint(out: &mut Vec<u8>, number: i64) {
    let mut raw = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::batch::Batch;
    use crate::log::records;

    #[test]
    fn a_batch_of_records_and_tombstones_reads_back_as_it_was_written() {
        let long = Stored { key: vec![7; 300], value: Some(vec![8; 70_000]) };
        let stored = [Stored { key: b"k".to_vec(), value: None }, long];
        let of = InTransaction { producer: ProducerId(9), epoch: 3 };
        let bytes = encode(&stored, Some(of), 1234);
        let batch = Batch::first(&bytes).unwrap();
        assert_eq!(batch.check_crc(), Ok(()));
        assert_eq!(batch.bytes.len(), bytes.len());
        let header = batch.header;
        assert_eq!((header.producer_id(), header.producer_epoch), (Some(of.producer), of.epoch));
        assert!(header.is_transactional() && !header.is_control());
        let plain = records::decompressed(&batch).unwrap();
        let back: Vec<Stored> = records::records(&batch, &plain)
            .map(|record| Stored { key: record.key.unwrap().to_vec(), value: record.value.map(<[u8]>::to_vec) })
            .collect();
        assert_eq!(back, stored);
    }
}
