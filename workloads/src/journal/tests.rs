//! A journal written, cut, shared and read again.

use super::*;
use history::Value;
use history::journal::End;

const APPEND: Subject = Subject { process: ProcessId(3), kind: Kind::Append, log: LogId(1), detail: 5 };

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("client-1.sgj");
    (dir, path)
}

fn count(path: &Path) -> (u64, u32, End) {
    let s = read(path, |_| ()).expect("a journal");
    (s.entries, s.segments, s.end)
}

#[test]
fn what_was_appended_is_read_while_the_writer_lives_and_after() {
    let (_dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    journal.invoke(APPEND, Nanos(1)).unwrap();
    journal.complete(APPEND, Answer::ok(Offset(9))).unwrap();
    assert_eq!(count(&path), (2, 1, End::Whole));
    drop(journal);
    assert_eq!(count(&path), (2, 1, End::Whole));
    assert_eq!(path.metadata().unwrap().len(), ((HEADER_WORDS + 2 * ENTRY_WORDS) * WORD) as u64);
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let (_dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    let per_segment = ((SEGMENT_WORDS - HEADER_WORDS) / ENTRY_WORDS) as u64;
    for n in 0..2 * per_segment + 1 {
        journal.invoke(Subject { detail: n, ..APPEND }, Nanos(0)).unwrap();
    }
    let mut next = 0;
    let summary = read(&path, |entry| match entry {
        Entry::Invoke { detail, .. } if detail == next => next += 1,
        other => panic!("{other:?} is not invocation {next}"),
    });
    assert_eq!(summary.unwrap().segments, 3);
    assert_eq!(next, 2 * per_segment + 1);
}

#[test]
fn a_successor_made_ahead_is_seen_only_once_it_is_written_to() {
    let (dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    let files = || std::fs::read_dir(dir.path()).unwrap().count();
    let per_segment = ((SEGMENT_WORDS - HEADER_WORDS) / ENTRY_WORDS) as u64;
    (0..per_segment).for_each(|detail| assert!(journal.invoke(Subject { detail, ..APPEND }, Nanos(0)).is_ok()));
    assert_eq!(files(), 1);
    journal.complete(APPEND, Answer::ok(Offset(9))).unwrap();
    assert_eq!((files(), count(&path)), (2, (per_segment + 1, 2, End::Whole)));
    drop(journal);
    assert_eq!((files(), count(&path)), (2, (per_segment + 1, 2, End::Whole)));
}

#[test]
fn replies_concluded_together_span_segments_and_share_a_time_after_the_question() {
    let (_dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    let replies: Vec<_> = (0..3).map(|detail| (Subject { detail, ..APPEND }, Answer::ok(Offset(9)))).collect();
    let per_segment = ((SEGMENT_WORDS - HEADER_WORDS) / ENTRY_WORDS) as u64;
    (1..per_segment).for_each(|detail| assert!(journal.invoke(Subject { detail, ..APPEND }, Nanos(0)).is_ok()));
    let before = clock::now();
    journal.complete_all(&replies).unwrap();
    let mut seen = Vec::new();
    let each = |entry: Entry<'_>| {
        if let Entry::Return { detail, returned, .. } = entry {
            seen.push((detail, returned));
        }
    };
    assert_eq!(read(&path, each).unwrap().segments, 2);
    let at = seen[0].1;
    assert!(at >= before);
    assert_eq!(seen, [(0, at), (1, at), (2, at)]);
}

#[test]
fn threads_share_a_journal_and_lose_nothing() {
    let (_dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    std::thread::scope(|scope| {
        for process in 0..4 {
            let (journal, process) = (&journal, ProcessId(process));
            scope.spawn(move || {
                (0..50_000).for_each(|detail| {
                    journal.invoke(Subject { process, detail, ..APPEND }, Nanos(0)).unwrap();
                })
            });
        }
    });
    let mut next = [0; 4];
    read(&path, |entry| {
        let Entry::Invoke { process, detail, .. } = entry else { panic!("{entry:?}") };
        assert_eq!(detail, next[process.0 as usize]);
        next[process.0 as usize] += 1;
    })
    .unwrap();
    assert_eq!(next, [50_000; 4]);
}

#[test]
fn a_read_too_long_for_one_entry_becomes_adjoining_windows() {
    let (_dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    let total = 2 * RECORDS_PER_READ_MAX + 3;
    let records: Vec<Record> =
        (0..total).map(|n| Record { offset: Offset(100 + n as i64), value: Value(n as u64) }).collect();
    let fetch = Subject { kind: Kind::Fetch, detail: 100, ..APPEND };
    journal.read(fetch, Nanos(1), &records).unwrap();
    journal.read(fetch, Nanos(1), &[]).unwrap();
    let (mut seen, mut windows) = (Vec::new(), Vec::new());
    read(&path, |entry| {
        let Entry::Read { from, records, .. } = entry else { panic!("{entry:?}") };
        windows.push(from.0);
        seen.extend(history::journal::records(records));
    })
    .unwrap();
    let step = RECORDS_PER_READ_MAX as i64;
    assert_eq!(windows, [100, 100 + step, 100 + 2 * step, 100]);
    assert_eq!(seen, records);
}

#[test]
fn a_foreign_file_is_refused_and_one_cut_anywhere_gives_a_prefix() {
    let (_dir, path) = place();
    std::fs::write(&path, b"not a journal at all").unwrap();
    assert!(matches!(read(&path, |_| ()), Err(JournalError::Foreign { .. })));
    std::fs::remove_file(&path).unwrap();
    let journal = Journal::create(&path, 7).unwrap();
    for detail in 0..10 {
        journal.invoke(Subject { detail, ..APPEND }, Nanos(0)).unwrap();
    }
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for cut in (HEADER_WORDS * WORD..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let mut next = 0;
        read(&path, |entry| {
            assert!(matches!(entry, Entry::Invoke { detail, .. } if detail == next));
            next += 1;
        })
        .unwrap();
        assert!(next <= 10);
    }
}

#[test]
fn a_successor_killed_while_it_was_made_holds_nothing() {
    let (_dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    journal.invoke(APPEND, Nanos(1)).unwrap();
    for unfinished in [&[][..], &[0; 4096][..]] {
        std::fs::write(segment_path(&path, 1), unfinished).unwrap();
        assert_eq!(count(&path), (1, 1, End::Whole));
    }
}

#[test]
fn a_successor_of_another_run_is_refused() {
    let (_dir, path) = place();
    drop(Journal::create(&path, 7).unwrap());
    drop(Journal::create(&segment_path(&path, 1), 8).unwrap());
    assert!(matches!(read(&path, |_| ()), Err(JournalError::OtherRun { found: 8, run: 7, .. })));
}

#[test]
fn an_existing_journal_is_never_written_over() {
    let (_dir, path) = place();
    drop(Journal::create(&path, 7).unwrap());
    assert!(matches!(Journal::create(&path, 7), Err(JournalError::Io { what: "create", .. })));
}

#[test]
#[ignore = "prints what an event costs; run with --ignored --nocapture"]
fn the_cost_of_an_event() {
    let (_dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    let (events, start) = (5_000_000, clock::now());
    for detail in 0..events / 2 {
        let subject = Subject { detail, ..APPEND };
        journal.invoke(subject, Nanos(0)).unwrap();
        journal.complete(subject, Answer::ok(Offset(1))).unwrap();
    }
    let spent = clock::now().since(start);
    println!("one thread: {} ns, {} B per event", spent / events, ENTRY_WORDS * WORD);
    let start = clock::now();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..events / 2).for_each(|n| drop(journal.invoke(Subject { detail: n, ..APPEND }, Nanos(0)))));
        scope.spawn(|| (0..events / 2).for_each(|_| drop(journal.complete(APPEND, Answer::ok(Offset(1))))));
    });
    println!("two threads: {} ns per event", clock::now().since(start) / events);
}

/// A subject and answer of a producer's record number `n`, over three logs in turn.
fn record(n: u64) -> (Subject, Answer) {
    let subject = Subject { log: LogId(n as u32 % 3), detail: n, ..APPEND };
    (subject, Answer::ok(Offset(n as i64 / 3)))
}

#[test]
fn a_loaded_producer_s_events_are_read_as_they_were_across_segments_and_take_little() {
    let (_dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    let (rounds, mut expected, mut times) = (9_000u64, Vec::new(), Vec::new());
    for round in 0..rounds {
        let first = round * 192;
        for n in first..first + 192 {
            let at = Nanos(1_000 + n * 700);
            journal.invoke_at(record(n).0, at, at).unwrap();
            expected.push((record(n).0, None));
            times.push(at);
        }
        for log in 0..3 {
            let replies: Vec<_> = (first..first + 192).filter(|n| n % 3 == log).map(record).collect();
            journal.complete_all(&replies).unwrap();
            expected.extend(replies.iter().map(|(subject, answer)| (*subject, Some(*answer))));
        }
    }
    drop(journal);
    let (mut at, mut invoked) = (0, times.iter());
    let summary = read(&path, |entry| {
        let (subject, answer) = match entry {
            Entry::Invoke { process, kind, log, detail, invoked: told, intended } => {
                assert_eq!((Some(&told), told), (invoked.next(), intended));
                (Subject { process, kind, log, detail }, None)
            }
            Entry::Return { process, kind, log, detail, outcome, error, offset, .. } => {
                (Subject { process, kind, log, detail }, Some(Answer { outcome, error, offset }))
            }
            other => panic!("{other:?}"),
        };
        assert_eq!((subject, answer), expected[at]);
        at += 1;
    })
    .unwrap();
    assert_eq!((at, summary.end), (expected.len(), End::Whole));
    assert!(summary.segments > 3, "{} segments", summary.segments);
    assert!(u64::from(summary.segments) * SEGMENT_BYTES as u64 <= 6 * summary.entries);
}

#[test]
fn replies_that_are_no_run_are_written_each_as_it_is() {
    let (_dir, path) = place();
    let journal = Journal::create(&path, 7).unwrap();
    let refused = |n| (record(n).0, Answer::error(Outcome::Unknown, -185));
    let replies =
        [record(0), record(3), record(6), refused(9), record(12), record(1), record(7), record(4), refused(5)];
    journal.complete_all(&replies).unwrap();
    let mut seen = Vec::new();
    read(&path, |entry| {
        let Entry::Return { process, kind, log, detail, outcome, error, offset, .. } = entry else {
            panic!("{entry:?}")
        };
        seen.push((Subject { process, kind, log, detail }, Answer { outcome, error, offset }));
    })
    .unwrap();
    assert_eq!(seen, replies);
}
