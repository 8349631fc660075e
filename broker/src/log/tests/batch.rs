//! The batch parser: what it accepts, what it names, and that nothing makes it panic.

use super::super::batch::{Batch, BatchError, Batches, Codec, Header, add_sequence, set_append_time, sub_sequence};
use super::super::batch::{set_base_offset, set_leader_epoch};
use super::super::{LeaderEpoch, ProducerId, TimestampType};
use super::*;
use proptest::prelude::*;

#[test]
fn every_field_of_a_header_is_read() {
    let bytes = Spec::of(77, 3, 40, 5).transactional().at(1000, 9).timed(&[5, 9, 7, 1, 2]).bytes();
    let batch = Batch::first(&bytes).unwrap();
    let header = batch.header;
    assert_eq!(
        (header.base_offset, header.last_offset(), header.next_offset()),
        (Offset(1000), Offset(1004), Offset(1005))
    );
    assert_eq!((header.leader_epoch(), header.size()), (Some(LeaderEpoch(9)), bytes.len()));
    assert_eq!((header.base_timestamp, header.max_timestamp), (5, 9));
    assert_eq!((header.producer_id(), header.producer_epoch), (Some(ProducerId(77)), 3));
    assert_eq!((header.base_sequence, header.last_sequence(), header.record_count), (40, 44, 5));
    assert_eq!((header.is_transactional(), header.is_control()), (true, false));
    assert_eq!((header.codec(), header.timestamp_type()), (Codec::None, TimestampType::CreateTime));
    assert_eq!(batch.check_crc(), Ok(()));
    assert_eq!(batch.records().len(), bytes.len() - 61);
}

type Change = Box<dyn Fn(&mut Vec<u8>)>;

#[test]
fn what_is_wrong_with_a_header_has_a_name() {
    let set =
        |at: usize, with: &'static [u8]| move |bytes: &mut Vec<u8>| bytes[at..at + with.len()].copy_from_slice(with);
    let table: [(Change, BatchError); 12] = [
        (Box::new(|bytes| bytes.truncate(16)), BatchError::Incomplete { have: 16, need: 61 }),
        (Box::new(|bytes| bytes.truncate(60)), BatchError::Incomplete { have: 60, need: 61 }),
        (Box::new(|bytes| bytes.truncate(70)), BatchError::Incomplete { have: 70, need: 73 }),
        (Box::new(set(16, &[1])), BatchError::Magic(1)),
        (Box::new(set(16, &[0xff])), BatchError::Magic(-1)),
        (Box::new(set(8, &[0, 0, 0, 48])), BatchError::Length(48)),
        (Box::new(set(8, &[0xff; 4])), BatchError::Length(-1)),
        (Box::new(set(0, &[0xff; 8])), BatchError::Offsets { base: -1, delta: 0 }),
        (
            Box::new(set(0, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
            BatchError::Offsets { base: i64::MAX, delta: 0 },
        ),
        (Box::new(set(57, &[0xff; 4])), BatchError::Count { count: -1, delta: 0 }),
        (Box::new(set(57, &[0, 0, 0, 2])), BatchError::Count { count: 2, delta: 0 }),
        (Box::new(set(22, &[5])), BatchError::Codec(5)),
    ];
    for (change, expected) in table {
        let mut bytes = Spec::plain(1).bytes();
        change(&mut bytes);
        assert_eq!(Batch::first(&bytes).unwrap_err(), expected);
    }
}

#[test]
fn a_batch_with_fewer_records_than_offsets_is_a_compacted_one_and_fine() {
    let mut bytes = Spec::plain(3).bytes();
    bytes[57..61].copy_from_slice(&1_i32.to_be_bytes());
    assert!(Batch::first(&bytes).is_ok());
}

#[test]
fn the_checksum_covers_everything_from_the_attributes_on_and_nothing_before() {
    let original = Spec::plain(2).bytes();
    for at in (0..8).chain(12..original.len()) {
        let mut bytes = original.clone();
        bytes[at] ^= 1;
        let Ok(batch) = Batch::first(&bytes) else { continue };
        assert_eq!(batch.check_crc().is_err(), at >= 17, "byte {at}");
    }
}

#[test]
fn offset_and_epoch_can_be_set_without_touching_the_checksum_and_append_time_with_it() {
    let mut bytes = Spec::plain(2).timed(&[10, 20]).bytes();
    set_base_offset(&mut bytes, Offset(55));
    set_leader_epoch(&mut bytes, LeaderEpoch(6));
    let batch = Batch::first(&bytes).unwrap();
    assert_eq!((batch.check_crc(), batch.header.base_offset), (Ok(()), Offset(55)));
    assert_eq!(batch.header.leader_epoch(), Some(LeaderEpoch(6)));
    set_append_time(&mut bytes, 99);
    let batch = Batch::first(&bytes).unwrap();
    assert_eq!((batch.check_crc(), batch.header.max_timestamp, batch.header.base_timestamp), (Ok(()), 99, 10));
    assert_eq!(batch.header.timestamp_type(), TimestampType::LogAppendTime);
}

#[test]
fn batches_come_one_after_another_and_an_error_is_the_last() {
    let mut bytes = Spec::plain(2).bytes();
    bytes.extend(Spec::plain(3).bytes());
    let counts: Vec<_> = Batches::new(&bytes).map(|batch| batch.unwrap().header.record_count).collect();
    assert_eq!(counts, [2, 3]);
    bytes.push(0);
    let results: Vec<_> = Batches::new(&bytes).map(|batch| batch.is_ok()).collect();
    assert_eq!(results, [true, true, false]);
    assert_eq!(Batches::new(&[]).count(), 0);
}

#[test]
fn sequences_wrap_after_the_largest_number() {
    let table = [(0, 0, 0), (5, 3, 8), (i32::MAX, 1, 0), (i32::MAX, 0, i32::MAX), (i32::MAX - 1, 5, 3)];
    for (first, records, last) in table {
        assert_eq!((add_sequence(first, records), sub_sequence(last, records)), (last, first));
    }
}

proptest! {
    #[test]
    fn any_bytes_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Header::parse(&bytes);
        for batch in Batches::new(&bytes).flatten() {
            let _ = (batch.check_crc(), batch.header.last_sequence(), batch.records());
        }
    }

    #[test]
    fn a_batch_changed_anywhere_parses_or_is_refused(at in 0..61_usize, byte in any::<u8>()) {
        let mut bytes = Spec::of(1, 0, 0, 4).bytes();
        bytes[at] = byte;
        if let Ok(batch) = Batch::first(&bytes) {
            prop_assert!(batch.bytes.len() <= bytes.len());
            prop_assert!(batch.header.next_offset() > batch.header.base_offset);
        }
    }
}
