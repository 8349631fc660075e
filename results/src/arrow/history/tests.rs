//! Histories written, read, cut and bent.

use super::*;
use history::{ProcessName, Role, WriterId};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use std::fs;

/// Operations of every kind with numbers from everywhere.
fn random(ops: usize, seed: u64) -> Recording {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut recording = Recording::default();
    let process = ProcessName { name: "producer-1".into(), role: Role::Producer, writer: Some(WriterId(1)) };
    let (logs, processes) = (vec!["stormglass-0".into()], vec![process]);
    recording.history.names = Names { run: u64::MAX, logs, processes, ..Names::default() };
    for at in 0..ops {
        let outcome = [Outcome::Ok, Outcome::Fail, Outcome::Unknown][rng.random_range(0..3)];
        let kind = Kind::ALL[rng.random_range(0..Kind::ALL.len())];
        let process = ProcessId(rng.random_range(0..=Op::PROCESS_MAX));
        let returned = if rng.random() { Nanos::NEVER } else { Nanos(rng.random()) };
        let op = Op::invoke(kind, process, LogId(rng.random()), Nanos(rng.random()));
        let op = op.complete(outcome, returned, Offset(rng.random())).with_detail(rng.random());
        let mut record = || Record { offset: Offset(rng.random()), value: Value(rng.random()) };
        match kind.reads_records() {
            true => recording.history.push_read(op, &vec![(); at % 5].iter().map(|()| record()).collect::<Vec<_>>()),
            false => recording.history.ops.push(op),
        }
        recording.intended.push(Nanos(rng.random()));
        if rng.random() {
            recording.errors.push((at as u32, rng.random_range(1..=i16::MAX)));
        }
    }
    recording
}

fn temp() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.arrow");
    (dir, path)
}

#[test]
fn a_history_is_read_as_it_was_written() {
    let (_dir, path) = temp();
    for (ops, seed) in [(0, 0), (1, 1), (2, 2), (100, 3), (BATCH_ROWS_MAX + 1, 4)] {
        let recording = random(ops, seed);
        write_history(&path, &recording).unwrap();
        assert!(read_history(&path).unwrap() == recording, "{ops} operations");
    }
}

#[test]
fn a_history_is_read_batch_by_batch() {
    let (_dir, path) = temp();
    let recording = random(BATCH_ROWS_MAX * 2, 5);
    write_history(&path, &recording).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    for batch in recording.history.ops.chunks(BATCH_ROWS_MAX) {
        let mut part = Recording::default();
        assert!(reader.read_into(&mut part).unwrap());
        assert_eq!(part.history.ops.len(), batch.len());
    }
    assert!(!reader.read_into(&mut Recording::default()).unwrap());
}

#[test]
fn the_library_reads_what_we_wrote() {
    let (_dir, path) = temp();
    write_history(&path, &random(100, 6)).unwrap();
    let reader = arrow_ipc::reader::FileReader::try_new(fs::File::open(&path).unwrap(), None).unwrap();
    assert_eq!(reader.schema().fields(), &shape());
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 100);
}

#[test]
fn a_file_cut_anywhere_is_an_error_with_its_place() {
    let (_dir, path) = temp();
    write_history(&path, &random(20, 7)).unwrap();
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let error = read_history(&path).unwrap_err();
        assert!(matches!(error.problem, Problem::Foreign(_) | Problem::Truncated(_)), "{error}");
        assert!(matches!(error.place, Place::Byte(byte) if byte <= cut as u64));
    }
}

#[test]
fn a_file_with_any_byte_changed_is_read_or_refused() {
    let (_dir, path) = temp();
    write_history(&path, &random(20, 8)).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for at in 0..whole.len() {
        let mut bad = whole.clone();
        bad[at] ^= [0x01, 0x80, 0xFF][at % 3];
        fs::write(&path, bad).unwrap();
        refused += u32::from(read_history(&path).is_err());
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn random_bytes_before_an_honest_end_are_never_a_panic() {
    let (_dir, path) = temp();
    write_history(&path, &random(50, 9)).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut rng = Pcg64::seed_from_u64(10);
    for _ in 0..2000 {
        let mut bad = whole.clone();
        for _ in 0..rng.random_range(1..40) {
            let at = rng.random_range(8..bad.len() - 10);
            bad[at] = rng.random();
        }
        fs::write(&path, bad).unwrap();
        let _ = read_history(&path);
    }
}

#[test]
fn a_lie_about_a_row_is_named_with_the_row() {
    let (_dir, path) = temp();
    let mut recording = random(2, 11);
    recording.history.ops[1] = Op::invoke(Kind::Append, ProcessId(0x12_3456), LogId(0), Nanos(1));
    write_history(&path, &recording).unwrap();
    let mut bad = fs::read(&path).unwrap();
    let at = bad.windows(4).position(|window| window == [0x56, 0x34, 0x12, 0]).unwrap();
    bad[at + 3] = 1;
    fs::write(&path, bad).unwrap();
    let error = read_history(&path).unwrap_err();
    assert!(error.to_string().contains("row 1, byte") && error.to_string().contains("beyond the largest"), "{error}");
}
