//! Segments written, cut, garbled and read again.

use super::*;

fn samples() -> Vec<Entry<'static>> {
    let (process, log) = (ProcessId(3), LogId(1));
    let (invoked, returned, outcome, error) = (Nanos(10), Nanos(20), Outcome::Ok, 0);
    vec![
        Entry::Invoke { process, kind: Kind::Append, log, detail: 5, invoked, intended: Nanos(9) },
        Entry::Read {
            process,
            kind: Kind::Poll,
            log,
            from: Offset(7),
            invoked,
            returned,
            outcome,
            error,
            records: &[7, 5, 8, 6],
        },
        Entry::Return {
            process,
            kind: Kind::Append,
            log,
            detail: 5,
            returned,
            outcome: Outcome::Unknown,
            error: -185,
            offset: Offset(-1),
        },
        Entry::Observe {
            process,
            kind: Kind::EndOffset,
            log,
            detail: 0,
            invoked,
            returned,
            outcome,
            error,
            offset: Offset(9),
        },
    ]
}

fn segment(entries: &[Entry<'_>]) -> Vec<u64> {
    let mut words = Header { run: 1, mono: Nanos(1), wall: 2 }.encode().to_vec();
    for entry in entries {
        let at = words.len();
        words.resize(at + entry.words(), 0);
        words[at] = entry.encode(&mut words[at..]);
    }
    words
}

#[test]
fn what_was_written_is_read() {
    let mut words = segment(&samples());
    words.extend([0; 16]);
    let mut seen = Vec::new();
    assert_eq!(decode(&words, |e| seen.push(e)), End::Whole);
    assert_eq!(seen, samples());
}

#[test]
fn a_segment_cut_anywhere_gives_a_prefix() {
    let words = segment(&samples());
    for cut in HEADER_WORDS..words.len() {
        let mut seen = Vec::new();
        let end = decode(&words[..cut], |e| seen.push(e));
        assert_eq!(seen, samples()[..seen.len()]);
        assert!(seen.len() < 4 && (end == End::Whole || matches!(end, End::Torn { word } if word < cut)));
    }
}

#[test]
fn random_words_are_never_a_panic() {
    let mut state = 1u64;
    for _ in 0..2000 {
        let words: Vec<u64> = (0..64)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                state >> (state >> 58)
            })
            .collect();
        decode(&words, |_| ());
    }
}

fn append(detail: u64, at: u64) -> Entry<'static> {
    let (process, log, invoked) = (ProcessId(3), LogId(detail as u32 % 3), Nanos(at));
    Entry::Invoke { process, kind: Kind::Append, log, detail, invoked, intended: invoked }
}

/// A loaded producer's segment: invocations in brief, replies in runs, other entries between them; and what it says.
fn brief_segment() -> (Vec<u64>, Vec<Entry<'static>>) {
    let mut words = Header { run: 1, mono: Nanos(1), wall: 2 }.encode().to_vec();
    let (mut anchor, mut said) = (Anchor::default(), Vec::new());
    let whole = |words: &mut Vec<u64>, entry: &Entry<'_>| {
        let at = words.len();
        words.resize(at + entry.words(), 0);
        words[at] = entry.encode(&mut words[at..]);
    };
    for n in 0..600 {
        let entry = append(n, 100 + n / 16);
        match anchor.brief(&entry) {
            Some(word) => words.push(word),
            None => whole(&mut words, &entry),
        }
        said.push(entry);
        if n % 100 == 99 {
            let (process, log, returned, offset) = (ProcessId(3), LogId(0), Nanos(200 + n), Offset(n as i64));
            let run = Run { process, log, returned, count: 33, detail: n - 99, step: 3, offset };
            let at = words.len();
            words.resize(at + RUN_WORDS, 0);
            words[at] = run.encode(&mut words[at..]);
            said.extend((0..33).map(|m| Entry::Return {
                process,
                kind: Kind::Append,
                log,
                detail: n - 99 + 3 * m,
                returned,
                outcome: Outcome::Ok,
                error: 0,
                offset: Offset(n as i64 + m as i64),
            }));
            samples().iter().skip(1).for_each(|entry| whole(&mut words, entry));
            said.extend(samples().into_iter().skip(1));
        }
    }
    (words, said)
}

#[test]
fn entries_in_brief_are_read_as_they_were_given_and_take_a_fraction() {
    let (words, said) = brief_segment();
    let mut seen = Vec::new();
    assert_eq!(decode(&words, |e| seen.push(e)), End::Whole);
    assert_eq!(seen, said);
    let whole: usize = said.iter().map(Entry::words).sum();
    assert!((words.len() - HEADER_WORDS) * 4 < whole, "{} of {whole} words", words.len());
}

#[test]
fn a_segment_in_brief_is_followed_in_pieces_and_cut_anywhere_gives_a_prefix() {
    let (words, said) = brief_segment();
    for piece in [7, 64, 250] {
        let (mut anchor, mut at, mut seen) = (Anchor::default(), HEADER_WORDS, Vec::new());
        let mut end = at;
        while at < words.len() {
            end = (end + piece).min(words.len());
            at = decode_from(&words[..end], at, &mut anchor, |e| seen.push(e)).0;
            assert_eq!(seen, said[..seen.len()]);
        }
        assert_eq!(seen.len(), said.len());
    }
    for cut in HEADER_WORDS..words.len() {
        let mut seen = 0;
        decode(&words[..cut], |e| {
            assert_eq!(e, said[seen]);
            seen += 1;
        });
    }
}

#[test]
fn a_damaged_word_never_multiplies() {
    let (words, said) = brief_segment();
    let mut state = 7u64;
    for n in 0..20_000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let mut damaged = words.clone();
        let at = HEADER_WORDS + (state >> 33) as usize % (words.len() - HEADER_WORDS);
        damaged[at] = if n % 2 == 0 { state } else { damaged[at] ^ 1 << (state & 63) };
        let mut seen = 0;
        decode(&damaged, |_| seen += 1);
        assert!(seen <= RUN_MAX * words.len() && said.len() > 600);
    }
}

#[test]
fn a_word_in_brief_without_an_anchor_is_torn_and_version_1_is_read() {
    let mut words = Header { run: 1, mono: Nanos(1), wall: 2 }.encode().to_vec();
    words.push(0xC1);
    assert_eq!(decode(&words, |e| panic!("{e:?}")), End::Torn { word: HEADER_WORDS });
    let mut old = segment(&samples());
    old[0] = u64::from_le_bytes(*b"SGJRNL\x01\x00");
    assert_eq!(Header::decode(&old), Header::decode(&segment(&samples())));
    old[0] = u64::from_le_bytes(*b"SGJRNL\x03\x00");
    assert_eq!(Header::decode(&old), None);
}
