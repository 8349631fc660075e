//! Batches for tests, built byte by byte and not by the code under test.

use bytes::BufMut;

/// What a batch should say.
#[derive(Clone, Debug)]
pub struct Spec {
    pub base_offset: i64,
    pub epoch: i32,
    pub attributes: i16,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    /// One record for each, with this timestamp.
    pub timestamps: Vec<i64>,
    /// What every record holds.
    pub value: Vec<u8>,
    /// Keys and values instead, one for each record; a tombstone has no value.
    pub pairs: Vec<(&'static str, Option<String>)>,
}

impl Spec {
    /// `count` records without a producer.
    pub fn plain(count: usize) -> Spec {
        Spec {
            base_offset: 0,
            epoch: -1,
            attributes: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            timestamps: vec![super::NOW_MS; count],
            value: b"value".to_vec(),
            pairs: Vec::new(),
        }
    }

    /// `count` records of a producer from a sequence number on.
    pub fn of(producer_id: i64, producer_epoch: i16, base_sequence: i32, count: usize) -> Spec {
        Spec { producer_id, producer_epoch, base_sequence, ..Spec::plain(count) }
    }

    /// The same, in a transaction.
    pub fn transactional(self) -> Spec {
        Spec { attributes: self.attributes | 0x10, ..self }
    }

    /// The same as it comes from a leader.
    pub fn at(self, base_offset: i64, epoch: i32) -> Spec {
        Spec { base_offset, epoch, ..self }
    }

    /// The same with records of these times.
    pub fn timed(self, timestamps: &[i64]) -> Spec {
        Spec { timestamps: timestamps.to_vec(), ..self }
    }

    /// The same with `bytes` in every record.
    pub fn sized(self, bytes: usize) -> Spec {
        Spec { value: vec![7; bytes], ..self }
    }

    /// Records with these keys and values.
    pub fn keyed(pairs: &[(&'static str, Option<&str>)]) -> Spec {
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (*key, value.map(str::to_owned))).collect();
        Spec { pairs: pairs.clone(), ..Spec::plain(pairs.len()) }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let base_timestamp = self.timestamps.first().copied().unwrap_or(-1);
        let mut records = Vec::new();
        for (delta, timestamp) in (0..).zip(&self.timestamps) {
            self.record(&mut records, delta, timestamp - base_timestamp);
        }
        let count = self.timestamps.len() as i32;
        let mut batch = Vec::new();
        batch.put_i64(self.base_offset);
        batch.put_i32(49 + records.len() as i32);
        batch.put_i32(self.epoch);
        batch.put_i8(2);
        batch.put_u32(0);
        batch.put_i16(self.attributes);
        batch.put_i32(count - 1);
        batch.put_i64(base_timestamp);
        batch.put_i64(self.timestamps.iter().copied().max().unwrap_or(-1));
        batch.put_i64(self.producer_id);
        batch.put_i16(self.producer_epoch);
        batch.put_i32(self.base_sequence);
        batch.put_i32(count);
        batch.extend_from_slice(&records);
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    }

    fn record(&self, out: &mut Vec<u8>, offset_delta: i64, timestamp_delta: i64) {
        let mut body = vec![0];
        zig_zag(&mut body, timestamp_delta);
        zig_zag(&mut body, offset_delta);
        match self.pairs.get(offset_delta as usize) {
            None => {
                field(&mut body, None);
                field(&mut body, Some(&self.value));
            }
            Some((key, value)) => {
                field(&mut body, Some(key.as_bytes()));
                field(&mut body, value.as_ref().map(String::as_bytes));
            }
        }
        zig_zag(&mut body, 0);
        zig_zag(out, body.len() as i64);
        out.extend_from_slice(&body);
    }
}

fn field(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    zig_zag(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

fn zig_zag(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
