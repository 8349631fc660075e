//! Checkpoints: what is written is read back, and every way to be malformed has a name with its line.

use super::super::checkpoint::{read_epochs, read_offsets, write_atomic, write_epochs, write_offsets};
use super::*;
use crate::ids::TopicPartition;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;

fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), index }
}

#[test]
fn offsets_are_written_as_kafka_writes_them_and_read_back() {
    let dir = folder();
    let path = dir.path().join("recovery-point-offset-checkpoint");
    assert!(read_offsets(&path).unwrap().is_empty());
    let offsets = BTreeMap::from([(partition("a", 0), Offset(5)), (partition("b-c.d_e", 11), Offset(i64::MAX))]);
    write_offsets(&path, offsets.iter().map(|(partition, offset)| (partition, *offset))).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("0\n2\na 0 5\nb-c.d_e 11 {}\n", i64::MAX));
    assert_eq!(read_offsets(&path).unwrap(), offsets);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_malformed_offset_checkpoint_is_named_with_its_line() {
    let table = [
        ("", ":1: the file ends where the version should be"),
        ("1\n0\n", ":1: version \"1\", only 0 is known"),
        ("x\n", ":1: version \"x\""),
        ("0\n", ":2: the file ends where the count should be"),
        ("0\n-1\n", ":2: \"-1\" is not a count"),
        ("0\n99999999999999999999\n", ":2: \"99999999999999999999\" is not a count"),
        ("0\n18446744073709551615\na 0 1\n", ":4: the file ends where an entry should be"),
        ("0\n2\na 0 1\n", ":4: the file ends where an entry should be"),
        ("0\n1\na 0 1\nb 0 1\n", ":4: more lines than the count says"),
        ("0\n1\na 0\n", ":3: expected topic, partition and offset"),
        ("0\n1\na 0 1 2\n", ":3: expected topic, partition and offset"),
        ("0\n1\n\n", ":3: expected topic, partition and offset"),
        ("0\n1\na -1 1\n", ":3: \"-1\" is not a number from 0 on"),
        ("0\n1\na 2147483648 1\n", ":3: \"2147483648\" is not a number"),
        ("0\n1\na 0 -7\n", ":3: \"-7\" is not a number from 0 on"),
        ("0\n1\na 0 x\n", ":3: \"x\" is not a number"),
        ("0\n2\na 0 1\na 0 2\n", ":4: a second entry for a-0"),
    ];
    let dir = folder();
    let path = dir.path().join("checkpoint");
    for (text, expected) in table {
        fs::write(&path, text).unwrap();
        let error = read_offsets(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    fs::write(&path, b"0\n1\na\xff 0 1\n").unwrap();
    assert!(read_offsets(&path).unwrap_err().to_string().contains(":3: not text"));
}

#[test]
fn a_checkpoint_larger_than_any_honest_one_is_not_read() {
    let dir = folder();
    let path = dir.path().join("checkpoint");
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(read_offsets(&path).unwrap_err().to_string().contains("at most 67108864 are read"));
}

#[test]
fn epochs_are_read_back_and_must_grow() {
    let dir = folder();
    let path = dir.path().join("leader-epoch-checkpoint");
    assert_eq!(read_epochs(&path).unwrap(), None);
    let epochs = [(LeaderEpoch(0), Offset(0)), (LeaderEpoch(3), Offset(17))];
    write_epochs(&path, &epochs).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "0\n2\n0 0\n3 17\n");
    assert_eq!(read_epochs(&path).unwrap().unwrap(), epochs);
    let table = [
        ("0\n2\n1 0\n1 5\n", ":4: expected a later epoch"),
        ("0\n2\n1 7\n2 5\n", ":4: expected a later epoch"),
        ("0\n1\n1\n", ":3: expected epoch and start offset"),
        ("0\n1\n-1 0\n", ":3: \"-1\" is not a number"),
    ];
    for (text, expected) in table {
        fs::write(&path, text).unwrap();
        let error = read_epochs(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let dir = folder();
    let path = dir.path().join("file");
    write_atomic(&path, b"old").unwrap();
    fs::create_dir(dir.path().join("file.tmp")).unwrap();
    let error = write_atomic(&path, b"new").unwrap_err().to_string();
    assert!(error.contains("cannot create") && error.contains("file.tmp"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(0|1|-| |\n|a|9){0,40}") {
        let dir = folder();
        let path = dir.path().join("checkpoint");
        fs::write(&path, &text).unwrap();
        let _ = (read_offsets(&path), read_epochs(&path));
        fs::write(&path, format!("0\n{text}")).unwrap();
        let _ = (read_offsets(&path), read_epochs(&path));
    }
}
