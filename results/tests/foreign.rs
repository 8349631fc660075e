//! Histories of others, judged: every file of `data/foreign` with the verdict and the findings it must get, in pairs of what
//! must be caught and its innocent near-miss. Each file says in its first line what it shows.

use results::foreign::{self, ForeignJudgement, Format};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PASS: &str = "PASS";
const VIOLATION: &str = "VIOLATION";
const INCONCLUSIVE: &str = "INCONCLUSIVE";

/// A file, its verdict, and the names of all its findings.
#[rustfmt::skip]
const TABLE: &[(&str, &str, &[&str])] = &[
    // The situations of Jepsen's Kafka checker that end in an exception, a lost finding or a wrong verdict.
    ("phantom.edn", VIOLATION, &["phantom"]),
    ("phantom-innocent.edn", PASS, &[]),
    ("misrouted.edn", VIOLATION, &["misrouted", "unseen"]),
    ("misrouted-innocent.edn", PASS, &[]),
    ("empty-poll-list.edn", PASS, &[]),
    ("empty-poll-list-only.edn", INCONCLUSIVE, &["unseen"]),
    ("nothing-succeeded.edn", INCONCLUSIVE, &[]),
    ("only-assigns.edn", INCONCLUSIVE, &[]),
    ("one-succeeded.edn", PASS, &[]),
    ("never-read.edn", INCONCLUSIVE, &["unseen"]),
    ("never-read-final-read.edn", VIOLATION, &["lost-postfix"]),
    ("never-read-innocent.edn", PASS, &[]),
    ("nil-offset-passed-over.edn", VIOLATION, &["lost-middle"]),
    ("nil-offset-undecided.edn", INCONCLUSIVE, &["unseen"]),
    ("nil-offset-innocent.edn", PASS, &[]),
    ("info-send-passed-over.edn", PASS, &[]),
    ("ok-send-passed-over.edn", VIOLATION, &["lost-middle"]),
    ("wrong-ack-offset.edn", VIOLATION, &["wrong-ack-offset"]),
    ("wrong-ack-offset-innocent.edn", PASS, &[]),
    ("two-acks-one-offset.edn", VIOLATION, &["inconsistent-offset", "late-append", "wrong-ack-offset"]),
    ("two-acks-two-offsets.edn", PASS, &[]),
    ("ack-minus-one.edn", PASS, &[]),
    ("ack-minus-seven.edn", VIOLATION, &["negative-ack-offset"]),
    ("two-readers-one-offset.edn", PASS, &[]),
    ("reader-goes-back.edn", VIOLATION, &["nonmonotonic-poll"]),
    ("reader-seeks-back.edn", PASS, &[]),
    ("reader-reassigned.edn", PASS, &[]),
    ("subscriber-goes-back.edn", PASS, &["nonmonotonic-poll"]),
    ("stale-poll.edn", PASS, &[]),
    ("producers-inverted.edn", VIOLATION, &["late-append"]),
    ("producers-concurrent.edn", PASS, &[]),
    ("read-before-send.edn", VIOLATION, &["read-before-send"]),
    ("read-during-send.edn", PASS, &[]),
    ("only-info-writes.edn", PASS, &[]),
    ("only-failed-writes.edn", VIOLATION, &["failed-append-read"]),
    ("huge-offset.edn", PASS, &[]),
    ("largest-offset.edn", PASS, &[]),
    // What it finds as well.
    ("failed-send-read.edn", VIOLATION, &["failed-append-read"]),
    ("failed-send-unread.edn", PASS, &[]),
    ("duplicate.edn", VIOLATION, &["duplicate"]),
    ("reread-after-failed-poll.edn", PASS, &[]),
    ("changed-offset.edn", VIOLATION, &["changed-offset", "inconsistent-offset"]),
    ("poll-skip.edn", VIOLATION, &["poll-skip"]),
    ("poll-skip-rolled-back.edn", PASS, &[]),
    ("int-poll-skip.edn", VIOLATION, &["int-poll-skip"]),
    ("int-poll-rebalanced.edn", PASS, &[]),
    ("int-nonmonotonic-poll.edn", VIOLATION, &["int-nonmonotonic-poll"]),
    ("reordered.edn", VIOLATION, &["int-nonmonotonic-send", "reordered"]),
    ("in-order.edn", PASS, &[]),
    ("int-send-skip.edn", PASS, &["g0", "int-send-skip"]),
    ("int-send-contiguous.edn", PASS, &[]),
    ("own-uncommitted-read.edn", VIOLATION, &["own-uncommitted-read"]),
    ("own-committed-read.edn", PASS, &[]),
    ("aborted-read.edn", VIOLATION, &["aborted-read"]),
    ("aborted-unread.edn", PASS, &[]),
    ("torn-transaction.edn", VIOLATION, &["torn-transaction"]),
    ("torn-undecided.edn", PASS, &[]),
    ("read-in-a-circle.edn", VIOLATION, &["g1c"]),
    ("read-one-way.edn", PASS, &[]),
    ("value-sent-twice.edn", PASS, &[]),
    ("jepsen-print.edn", PASS, &[]),
    // Registers.
    ("register-stale.edn", VIOLATION, &["stale-read"]),
    ("register-concurrent.edn", PASS, &[]),
    ("register-phantom.edn", VIOLATION, &["phantom-read"]),
    ("cas-lost.edn", VIOLATION, &["not-linearizable"]),
    ("cas-failed.edn", PASS, &[]),
    ("cas-keyed.edn", VIOLATION, &["stale-read"]),
    ("register-unread.edn", INCONCLUSIVE, &[]),
    ("mutex-held-twice.edn", VIOLATION, &["not-linearizable"]),
    ("mutex-handed-over.edn", PASS, &[]),
    ("multi-register-torn.edn", VIOLATION, &["not-linearizable"]),
    ("multi-register.edn", PASS, &[]),
    ("multi-register-initial.edn", VIOLATION, &["not-linearizable"]),
    // Lists.
    ("lists.edn", PASS, &[]),
    ("lists-incompatible.edn", VIOLATION, &["incompatible-order"]),
    ("lists-stale.edn", VIOLATION, &["G-single-realtime"]),
    ("lists-lost.edn", VIOLATION, &["lost-append"]),
    ("lists-aborted.edn", VIOLATION, &["aborted-read"]),
    ("lists-unknown.edn", PASS, &[]),
    ("lists-phantom.edn", VIOLATION, &["duplicate-element", "phantom"]),
    ("lists-internal.edn", VIOLATION, &["internal"]),
    ("lists-skew.edn", VIOLATION, &["G2"]),
    ("lists-of-nobody.edn", VIOLATION, &["G-single-realtime", "G0-realtime"]),
    ("lists-of-nobody-innocent.edn", PASS, &[]),
    // Verifiable clients, JSON Lines.
    ("verifiable.jsonl", PASS, &[]),
    ("verifiable-lost.jsonl", VIOLATION, &["lost-middle"]),
    ("verifiable-ranges.jsonl", PASS, &[]),
    ("drained.jsonl", PASS, &[]),
    ("drained-lost.jsonl", VIOLATION, &["lost-postfix", "stale-end"]),
    ("undrained.jsonl", INCONCLUSIVE, &["unseen"]),
    ("corrupt.jsonl", VIOLATION, &["corrupted"]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/foreign")
}

fn names(judgement: &ForeignJudgement) -> Vec<&str> {
    let names: BTreeSet<&str> = judgement.findings.iter().map(|finding| finding.name.as_str()).collect();
    names.into_iter().collect()
}

#[test]
fn every_file_gets_its_verdict_and_its_findings() {
    let mut wrong = Vec::new();
    for (file, verdict, findings) in TABLE {
        let judgement = foreign::check(&folder().join(file), None).unwrap();
        if judgement.verdict.to_string() != *verdict || names(&judgement) != *findings {
            wrong.push(format!("{file}, expected {verdict} {findings:?}:\n{}", judgement.text(file)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_of_the_folder_is_in_the_table() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let known: BTreeSet<String> = TABLE.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), known);
}

#[test]
fn every_violation_is_told_in_the_names_of_its_file_with_operations_and_fits_the_screen() {
    for (file, verdict, _) in TABLE {
        let judgement = foreign::check(&folder().join(file), None).unwrap();
        let text = judgement.text(file);
        assert!(text.lines().count() <= 60 && text.lines().all(|line| line.chars().count() <= 120), "{text}");
        let json = serde_json::to_value(&judgement).unwrap();
        assert_eq!(json["verdict"], *verdict, "{file}");
        for finding in &judgement.findings {
            assert!(!finding.evidence.is_empty() && finding.sentence.len() > 20, "{file}: {finding:#?}");
            let ours = finding.values.iter().any(|value| file.ends_with("edn") && value.contains('.'));
            assert!(!ours, "{file}: {text}");
            assert!(finding.evidence.iter().all(|e| e.process != "all readers together"), "{file}: {text}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_a_verdict_and_never_green_by_a_cut() {
    for (file, ..) in TABLE {
        let text = std::fs::read(folder().join(file)).unwrap();
        let format = foreign::detect(&text).unwrap();
        for cut in 0..text.len() {
            let Ok(imported) = foreign::import(&text[..cut], format) else { continue };
            let torn = imported.torn.is_some();
            if torn || cut % 5 == 0 {
                let judgement = foreign::judge(imported, format);
                assert!(!torn || judgement.verdict.to_string() != PASS, "{file} cut at {cut}");
            }
        }
    }
}

#[test]
fn the_mark_before_utf_8_and_other_ends_of_lines_change_nothing() {
    for (file, verdict, findings) in TABLE {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        let format = foreign::detect(text.as_bytes()).unwrap();
        for changed in [format!("\u{FEFF}{text}"), text.replace('\n', "\r\n")] {
            assert_eq!(foreign::detect(changed.as_bytes()), Some(format), "{file}");
            let judgement = foreign::judge(foreign::import(changed.as_bytes(), format).unwrap(), format);
            assert_eq!(
                (judgement.verdict.to_string().as_str(), &names(&judgement)[..]),
                (*verdict, *findings),
                "{file}"
            );
        }
    }
}

#[test]
fn a_columnar_file_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.arrow");
    let history = checker::synth::correct(checker::synth::Shape { ops: 30, ..checker::synth::Shape::small(1) }).history;
    results::arrow::history::write_source(&path, &history).unwrap();
    assert_eq!(foreign::check(&path, None).unwrap().verdict.to_string(), PASS);
    let bytes = std::fs::read(&path).unwrap();
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let error = foreign::check(&path, None).expect_err("a part of a file");
        assert_eq!(error.exit().code(), 65, "cut at {cut}: {error}");
    }
}

#[test]
fn texts_of_registers_and_stores_cut_anywhere_are_answers_and_never_green_by_a_cut() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../checker/src/search/samples");
    for (file, format) in [("register-ok.log", Format::RegisterText), ("kv-bad.txt", Format::StoreText)] {
        let text = std::fs::read(samples.join(file)).unwrap();
        for cut in 0..text.len().min(4096) {
            match foreign::import(&text[..cut], format) {
                Ok(imported) => {
                    let torn = text[cut - 1] != b'\n';
                    let verdict = foreign::judge(imported, format).verdict.to_string();
                    assert!(!torn || verdict != PASS, "{file} cut at {cut}");
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn the_text_forms_of_porcupine_and_knossos_are_judged() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../checker/src/search/samples");
    for (file, format, verdict) in [
        ("register-ok.log", Format::RegisterText, PASS),
        ("register-bad.log", Format::RegisterText, VIOLATION),
        ("kv-ok.txt", Format::StoreText, PASS),
        ("kv-bad.txt", Format::StoreText, VIOLATION),
    ] {
        let judgement = foreign::check(&samples.join(file), None).unwrap();
        assert_eq!((judgement.format, judgement.verdict.to_string().as_str()), (format, verdict), "{file}");
    }
}

#[test]
fn what_cannot_be_read_is_65_with_line_and_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let line = "{:type :invoke, :process 0, :f :send, :value [[:send 0 1]]}\n";
    let ok = |value: &str| format!("{line}{{:type :ok, :process 0, :f :send, :value {value}}}\n");
    let nested = format!("{{:a {}", "[".repeat(1000));
    for (text, what) in [
        ("", "no history that is known"),
        ("hello\n", "no history that is known"),
        ("{\n", "the file ends in the middle"),
        ("{:a 1}", "without a :process"),
        ("{:type :ok, :process 0, :f :send}", "line 1, byte 0"),
        ("{:type :invoke, :process 0, :f :dance}\n", "none of its operations (:dance)"),
        (&line.repeat(2), "line 2, byte 60: malformed: process 0 invokes"),
        (&ok("[[:send 0 [1.5 1]]]"), "line 2, byte 60: malformed: an offset must be"),
        (&ok("[[:send 0 [9223372036854775808 1]]]"), "an offset must be"),
        (&ok("[[:jump 0 1]]"), "not a micro-operation"),
        (&ok("7"), ""),
        (&nested, "nested deeper"),
        ("{\"op\":\"append\",\"process\":\"w\",\"invoked_ns\":-1}\n", "line 1, byte"),
        ("{\"op\":\"append\",\"process\":\"w\",\"invoked_ns\":1}\n", "without a log"),
        (
            "{\"op\":\"poll\",\"process\":\"w\",\"log\":\"l\",\"invoked_ns\":2,\"returned_ns\":1}\n",
            "before it was invoked",
        ),
        (
            "{\"op\":\"append\",\"process\":\"w\",\"log\":\"l\",\"invoked_ns\":2,\"writer\":16777214,\"sequence\":0}\n",
            "beyond",
        ),
        ("{\"stormglass_history\":2}\n", "version 2"),
        ("{\"name\":\"producer_send_success\",\"timestamp\":1}\n", "without a topic"),
    ] {
        std::fs::write(&path, text).unwrap();
        match foreign::check(&path, None) {
            Ok(judgement) => assert_eq!(what, "", "{text}: {judgement:#?}"),
            Err(error) => {
                assert!(error.to_string().contains(what) && !what.is_empty(), "{text}: {error}");
                assert_eq!(error.exit().code(), 65);
            }
        }
    }
}
