//! Record batches as a producer would send them.

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

/// Who sends: producer id and the sequence number of the first record; none for a producer without identity.
pub type Producer = Option<(i64, i32)>;

/// One batch with these values.
pub fn batch(values: &[String], producer: Producer) -> Bytes {
    let (producer_id, first) = producer.unwrap_or((-1, -1));
    let producer_epoch = if producer.is_some() { 0 } else { -1 };
    encode(values, (producer_id, producer_epoch, first), false)
}

/// One batch of a transaction; the producer with its epoch and first sequence number.
pub fn transactional(values: &[String], producer: (i64, i16, i32)) -> Bytes {
    encode(values, producer, true)
}

fn encode(values: &[String], producer: (i64, i16, i32), transactional: bool) -> Bytes {
    let records: Vec<Record> =
        (0..).zip(values).map(|(delta, value)| Record { transactional, ..record(value, delta, producer) }).collect();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes.freeze()
}

fn record(value: &str, delta: i32, (producer_id, producer_epoch, first): (i64, i16, i32)) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(delta),
        sequence: first + delta,
        timestamp: broker::clock::wall_ms(),
        key: None,
        value: Some(Bytes::from(value.to_owned())),
        headers: IndexMap::<StrBytes, Option<Bytes>>::new(),
    }
}

/// The values in a run of batches with their offsets.
pub fn values(mut records: Bytes) -> Vec<(i64, String)> {
    let sets = RecordBatchDecoder::decode_all(&mut records).unwrap();
    let records = sets.into_iter().flat_map(|set| set.records).filter(|record| !record.control);
    records.map(|record| (record.offset, String::from_utf8(record.value.unwrap().to_vec()).unwrap())).collect()
}

/// `prefix-0`, `prefix-1`, …
pub fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}
