//! Produce 0 to 2: offered, so that old clients find their features (KAFKA-18659), and refused, as Kafka 4 does.
//!
//! The codec does not know these versions; only topic names and partition numbers are read, to say UNSUPPORTED_VERSION
//! for each. Layout: <https://kafka.apache.org/protocol#The_Messages_Produce>.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;

use crate::server::call::{Call, CallError, Reply};

const ITEMS_MAX: i32 = 10_000;

pub fn handle(call: &Call) -> Reply {
    let mut body = call.body.clone();
    match refuse(&mut body, call.version) {
        Some((0, _)) => Reply::Close(CallError::Version { api: call.api, version: call.version }),
        Some((_, answer)) => Reply::Ready(frame(call.correlation, &answer)),
        None => Reply::Close(CallError::Malformed("produce of an old version".to_owned())),
    }
}

/// The acks asked for and the answer's body; none if the request is malformed.
fn refuse(body: &mut Bytes, version: i16) -> Option<(i16, BytesMut)> {
    let acks = body.try_get_i16().ok()?;
    body.try_get_i32().ok()?;
    let topics = count(body)?;
    let mut answer = BytesMut::new();
    answer.put_i32(topics);
    for _ in 0..topics {
        let length = usize::try_from(body.try_get_i16().ok()?).ok()?;
        answer.put_i16(i16::try_from(length).ok()?);
        answer.put(take(body, length)?);
        let partitions = count(body)?;
        answer.put_i32(partitions);
        for _ in 0..partitions {
            answer.put_i32(body.try_get_i32().ok()?);
            let records = body.try_get_i32().ok()?.max(0);
            take(body, usize::try_from(records).ok()?)?;
            answer.put_i16(ResponseError::UnsupportedVersion.code());
            answer.put_i64(-1);
            if version >= 2 {
                answer.put_i64(-1);
            }
        }
    }
    if version >= 1 {
        answer.put_i32(0);
    }
    Some((acks, answer))
}

fn count(body: &mut Bytes) -> Option<i32> {
    body.try_get_i32().ok().filter(|count| (0..=ITEMS_MAX).contains(count))
}

fn take(body: &mut Bytes, length: usize) -> Option<Bytes> {
    (body.len() >= length).then(|| body.split_to(length))
}

fn frame(correlation: i32, answer: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(answer.len() + 8);
    frame.put_i32(i32::try_from(answer.len() + 4).unwrap_or(i32::MAX));
    frame.put_i32(correlation);
    frame.put_slice(answer);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"\0\x01\0\0\x03\xe8\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x07\0\0\0\x02xy";

    #[test]
    fn every_partition_is_told_that_the_version_is_not_supported() {
        let (acks, answer) = refuse(&mut Bytes::from_static(REQUEST), 0).unwrap();
        assert_eq!(acks, 1);
        let expected = b"\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x07\0\x23\xff\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(&answer[..], expected);
    }

    #[test]
    fn a_request_cut_off_anywhere_is_malformed_and_not_a_panic() {
        for length in 0..REQUEST.len() {
            assert!(refuse(&mut Bytes::from_static(&REQUEST[..length]), 2).is_none(), "{length} bytes");
        }
    }
}
