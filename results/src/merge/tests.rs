//! Journals as entries and as bytes, and what they merge to.

use super::*;
use crate::file::Place;
use history::journal::{Anchor, HEADER_WORDS, Header, RUN_WORDS, Run};
use history::{Record, Value};

const RUN: u64 = 77;

fn words(entries: &[Entry<'_>]) -> Vec<u64> {
    let mut words = Header { run: RUN, mono: Nanos(1), wall: 2 }.encode().to_vec();
    for entry in entries {
        let at = words.len();
        words.resize(at + entry.words(), 0);
        words[at] = entry.encode(&mut words[at..]);
    }
    words
}

fn bytes(entries: &[Entry<'_>]) -> Vec<u8> {
    words(entries).iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn merged(segments: &[Vec<u8>]) -> (Recording, Problems) {
    let dir = tempfile::tempdir().unwrap();
    for (n, segment) in segments.iter().enumerate() {
        fs::write(dir.path().join(format!("{n}.sgj")), segment).unwrap();
    }
    fs::write(dir.path().join("notes.txt"), "not a segment").unwrap();
    merge(dir.path(), Names { run: RUN, ..Names::default() }).unwrap()
}

fn invoke(process: u32, detail: u64, at: u64) -> Entry<'static> {
    let (process, kind, log) = (ProcessId(process), Kind::Append, LogId(0));
    Entry::Invoke { process, kind, log, detail, invoked: Nanos(at), intended: Nanos(at - 1) }
}

fn reply(process: u32, detail: u64, at: u64) -> Entry<'static> {
    let (process, kind, log, outcome) = (ProcessId(process), Kind::Append, LogId(0), Outcome::Ok);
    Entry::Return { process, kind, log, detail, returned: Nanos(at), outcome, error: -5, offset: Offset(detail as i64) }
}

fn read(process: u32, at: u64, records: &[u64]) -> Entry<'_> {
    let (process, kind, log, outcome, error) = (ProcessId(process), Kind::Poll, LogId(0), Outcome::Ok, 0);
    let (invoked, returned) = (Nanos(at), Nanos(at + 1));
    Entry::Read { process, kind, log, from: Offset(0), invoked, returned, outcome, error, records }
}

fn observe(at: u64) -> Entry<'static> {
    Entry::Observe {
        process: ProcessId(9),
        kind: Kind::EndOffset,
        log: LogId(0),
        detail: 3,
        invoked: Nanos(at),
        returned: Nanos(at + 1),
        outcome: Outcome::Unknown,
        error: -1,
        offset: Offset(12),
    }
}

fn append(process: u32, value: u64, at: u64) -> Op {
    Op::invoke(Kind::Append, ProcessId(process), LogId(0), Nanos(at)).with_detail(value)
}

#[test]
fn an_invocation_and_its_reply_become_one_operation_and_one_alone_stays_open() {
    let (recording, problems) = merged(&[bytes(&[invoke(1, 7, 10), invoke(1, 8, 11), reply(1, 7, 20)])]);
    let ops = [append(1, 7, 10).complete(Outcome::Ok, Nanos(20), Offset(7)), append(1, 8, 11)];
    assert_eq!(recording.history.ops, ops);
    assert_eq!((ops[1].outcome(), ops[1].returned), (Outcome::Unknown, Nanos::NEVER));
    assert_eq!(
        (recording.intended.as_slice(), [0, 1].map(|op| recording.error(op))),
        ([Nanos(9), Nanos(10)].as_slice(), [-5, 0])
    );
    assert!(problems.is_empty());
}

#[test]
fn reads_and_observations_stand_for_themselves() {
    let (recording, problems) = merged(&[bytes(&[read(2, 5, &[0, 7, 1, 8]), read(2, 6, &[]), observe(7)])]);
    let [first, empty, told] = recording.history.ops[..] else { panic!("three operations") };
    let records = [(0, 7), (1, 8)].map(|(offset, value)| Record { offset: Offset(offset), value: Value(value) });
    assert_eq!((recording.history.records_of(&first), recording.history.records_of(&empty)), (&records[..], &[][..]));
    assert_eq!((told.offset, told.detail, told.outcome(), recording.error(2)), (Offset(12), 3, Outcome::Unknown, -1));
    assert!(problems.is_empty());
}

#[test]
fn a_reply_is_found_in_whichever_segment_it_lies() {
    let halves = [bytes(&[reply(1, 7, 20)]), bytes(&[invoke(1, 7, 10)])];
    for segments in [[halves[0].clone(), halves[1].clone()], [halves[1].clone(), halves[0].clone()]] {
        let (recording, problems) = merged(&segments);
        assert_eq!(recording.history.ops, [append(1, 7, 10).complete(Outcome::Ok, Nanos(20), Offset(7))]);
        assert!(problems.is_empty());
    }
}

#[test]
fn what_does_not_fit_is_counted_and_the_rest_is_merged() {
    let large = invoke(Op::PROCESS_MAX + 1, 1, 10);
    let entries = [invoke(1, 7, 10), invoke(1, 7, 11), reply(1, 7, 20), reply(1, 7, 21), reply(3, 9, 5), large];
    let (recording, problems) = merged(&[
        bytes(&entries),
        b"something else, and longer than a header of 64 bytes, so that it is read".to_vec(),
    ]);
    assert_eq!(recording.history.ops, [append(1, 7, 10).complete(Outcome::Ok, Nanos(20), Offset(7))]);
    let counts = (problems.invokes_repeated, problems.returns_without_invoke, problems.entries_too_large);
    assert_eq!((counts, problems.foreign.len(), problems.doubtful()), ((1, 2, 1), 1, 4));
    assert!(problems.foreign[0].to_string().ends_with("1.sgj, byte 0: not ours: no journal"));
}

#[test]
fn entries_in_brief_merge_as_whole_ones_do_in_windows_smaller_than_they_all() {
    let (process, log, kind) = (ProcessId(1), LogId(0), Kind::Append);
    let (mut words, mut anchor) = (words(&[]), Anchor::default());
    for detail in 0..400 {
        let invoked = Nanos(10 + detail);
        let entry = Entry::Invoke { process, kind, log, detail, invoked, intended: invoked };
        let at = words.len();
        match anchor.brief(&entry) {
            Some(word) => words.push(word),
            None => {
                words.resize(at + entry.words(), 0);
                words[at] = entry.encode(&mut words[at..]);
            }
        }
    }
    for detail in (0..400).step_by(50) {
        let at = words.len();
        words.resize(at + RUN_WORDS, 0);
        let (returned, offset) = (Nanos(900), Offset(detail as i64));
        words[at] = Run { process, log, returned, count: 50, detail, step: 1, offset }.encode(&mut words[at..]);
    }
    let (recording, problems) = merged(&[words.iter().flat_map(|word| word.to_le_bytes()).collect()]);
    let told = |n: u64| append(1, n, 10 + n).complete(Outcome::Ok, Nanos(900), Offset(n as i64));
    assert_eq!(recording.history.ops, (0..400).map(told).collect::<Vec<_>>());
    assert!(problems.is_empty());
}

#[test]
fn another_runs_segment_is_foreign() {
    let mut words = words(&[invoke(1, 7, 10)]);
    words[1] = RUN + 1;
    let (recording, problems) = merged(&[words.iter().flat_map(|w| w.to_le_bytes()).collect()]);
    assert_eq!((recording.history.ops.len(), problems.foreign[0].place), (0, Place::Byte(8)));
}

#[test]
fn a_segment_cut_at_any_byte_gives_a_prefix_and_the_byte_where_it_is_torn() {
    let records: Vec<u64> = (0..60).collect();
    let entries = [invoke(1, 7, 10), read(2, 5, &records), reply(1, 7, 20), observe(30), invoke(1, 8, 40)];
    let whole = bytes(&entries);
    let mut ends = vec![HEADER_WORDS * 8];
    ends.extend(entries.iter().scan(HEADER_WORDS * 8, |at, e| {
        *at += e.words() * 8;
        Some(*at)
    }));
    for cut in 0..=whole.len() {
        let (recording, problems) = merged(&[whole[..cut].to_vec()]);
        let passed = ends.iter().filter(|end| **end <= cut).count();
        let expected = [0, 0, 1, 2, 2, 3, 4][passed];
        assert_eq!(recording.history.ops.len(), expected, "cut {cut}");
        let last = *ends.iter().rfind(|end| **end <= cut).unwrap_or(&cut);
        let blank = cut == 0 || whole[last.min(cut)..cut].iter().all(|b| *b == 0) && passed > 0;
        assert_eq!(
            problems.torn.iter().map(|t| t.place).next(),
            (!blank).then_some(Place::Byte(last as u64)),
            "cut {cut}"
        );
    }
}

#[test]
fn a_preallocated_segment_ends_at_its_first_zero() {
    let mut segment = bytes(&[invoke(1, 7, 10)]);
    segment.extend([0; 4096]);
    let (recording, problems) = merged(&[segment, vec![0; 4096], Vec::new()]);
    assert_eq!((recording.history.ops.len(), problems.is_empty()), (1, true));
}

#[test]
fn random_words_after_a_header_are_never_a_panic() {
    let mut state = 1u64;
    for _ in 0..500 {
        let mut words = words(&[invoke(1, 7, 10)]);
        words.extend((0..100).map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> (state >> 58)
        }));
        merged(&[words.iter().flat_map(|w| w.to_le_bytes()).collect()]);
    }
}
