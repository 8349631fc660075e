//! Round trips: what is exported is read back, and judged as it was.

use super::{Content, Format, Logs, export, import, jsonl, judge};
use crate::verdict::Verdict;
use checker::synth::{Shape, correct, injury};
use checker::{AnomalyKind, Claim};
use history::{History, Kind, Op, Outcome, Record};

fn logs(bytes: &[u8], format: Format) -> Logs {
    match import(bytes, format).unwrap().content {
        Content::Logs(logs) => *logs,
        other => panic!("{other:?}"),
    }
}

fn as_jsonl(history: &History) -> Vec<u8> {
    let mut out = Vec::new();
    jsonl::write(history, &mut out).unwrap();
    out
}

fn as_edn(history: &History) -> Vec<u8> {
    let mut out = Vec::new();
    export::edn::write(history, &mut out).unwrap();
    out
}

/// An operation with its records in place of their range.
fn whole(history: &History, op: &Op) -> (Op, Vec<Record>) {
    let records = history.records_of(op).to_vec();
    (if op.kind().reads_records() { op.with_detail(0) } else { *op }, records)
}

#[test]
fn json_lines_are_read_back_as_they_were_written() {
    for seed in 0..200 {
        let history = correct(Shape::small(seed)).history;
        let back = logs(&as_jsonl(&history), Format::Jsonl).history;
        assert_eq!(back.names, history.names, "seed {seed}");
        let all = |history: &History| history.ops.iter().map(|op| whole(history, op)).collect::<Vec<_>>();
        assert_eq!(all(&back), all(&history), "seed {seed}");
    }
}

#[test]
fn names_of_registers_go_with_the_history_and_a_file_without_them_is_read_as_ever() {
    let text = "
        w1 append 1.0 @0 [1 2]
        c1 poll 0:1.0 [3 4]
    ";
    let mut history = checker::notation::read(text).unwrap().history;
    assert!(!String::from_utf8(as_jsonl(&history)).unwrap().contains("registers"));
    history.names.registers.insert(103, "the number of partitions of t".into());
    let written = as_jsonl(&history);
    assert_eq!(logs(&written, Format::Jsonl).history.names, history.names);
    let schema: serde_json::Value = serde_json::from_str(jsonl::SCHEMA).unwrap();
    let header = written.split(|b| *b == b'\n').next().unwrap();
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).unwrap();
    let known = &schema["$defs"]["header"]["properties"];
    assert!(header.contains_key("registers") && header.keys().all(|member| known.get(member).is_some()));
}

#[test]
fn every_line_written_has_only_members_of_the_published_schema() {
    let schema: serde_json::Value = serde_json::from_str(jsonl::SCHEMA).unwrap();
    let operation = &schema["$defs"]["operation"]["properties"];
    let kinds: Vec<Kind> = serde_json::from_value(operation["op"]["enum"].clone()).unwrap();
    assert_eq!(kinds, Kind::ALL);
    let outcomes: Vec<Outcome> = serde_json::from_value(operation["outcome"]["enum"].clone()).unwrap();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Fail, Outcome::Unknown]);
    let text = as_jsonl(&correct(Shape::small(1)).history);
    for (nth, line) in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let line: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).unwrap();
        let known = if nth == 0 { &schema["$defs"]["header"]["properties"] } else { operation };
        assert!(line.keys().all(|member| known.get(member).is_some()), "{line:?}");
    }
}

#[test]
fn a_correct_history_is_green_in_every_format() {
    for seed in 0..200 {
        let history = correct(Shape { unknown_per_mille: 50, ..Shape::small(seed) }).history;
        let jsonl = judge(import(&as_jsonl(&history)[..], Format::Jsonl).unwrap(), Format::Jsonl);
        let edn = judge(import(&as_edn(&history)[..], Format::Edn).unwrap(), Format::Edn);
        for (name, judged) in [("jsonl", jsonl), ("edn", edn)] {
            assert!(judged.findings.is_empty(), "seed {seed}, {name}: {}", judged.text(name));
            assert_ne!(judged.verdict, Verdict::Violation);
        }
    }
}

#[test]
fn an_injury_is_found_in_every_format_that_can_tell_it() {
    use AnomalyKind::{
        Duplicate, FailedAppendRead, InconsistentOffset, IntNonmonotonicPoll, LateAppend, LostMiddle, Phantom,
        ReadBeforeSend, WrongAckOffset,
    };
    let told = [
        LostMiddle,
        Duplicate,
        InconsistentOffset,
        WrongAckOffset,
        IntNonmonotonicPoll,
        FailedAppendRead,
        Phantom,
        ReadBeforeSend,
        LateAppend,
    ];
    for kind in told {
        let mut inflicted = 0;
        for seed in 0..40 {
            let mut made = correct(Shape { replicas: 0, ..Shape::small(seed) });
            if !injury::inflict(&mut made, kind, seed) {
                continue;
            }
            inflicted += 1;
            let jsonl = judge(import(&as_jsonl(&made.history)[..], Format::Jsonl).unwrap(), Format::Jsonl);
            let named = jsonl.findings.iter().any(|finding| finding.name == kind.name());
            assert!(named, "seed {seed}, {kind}: {}", jsonl.text("jsonl"));
            let edn = judge(import(&as_edn(&made.history)[..], Format::Edn).unwrap(), Format::Edn);
            assert_eq!(edn.verdict, Verdict::Violation, "seed {seed}, {kind}: {}", edn.text("edn"));
        }
        assert!(inflicted > 10, "{kind}");
    }
}

#[test]
fn a_reader_of_two_logs_keeps_its_position_in_each() {
    let text = "
        w1 append/0 1.0 @0 [1 2]
        w1 append/1 1.1 @0 [1 2]
        w1 append/0 1.2 @1 [3 4]
        w1 append/1 1.3 @1 [3 4]
        c1 assign/0 [5 6]
        c1 assign/1 [5 6]
        c1 poll/0 0:1.0 [7 8]
        c1 poll/1 0:1.1 [7 8]
        c1 poll/0 1:1.2 [7 9]
        c1 poll/1 1:1.3 [8 9]
        c1 assign/0 [10 11]
        c1 poll/0 0:1.0 1:1.2 [12 13]
    ";
    let history = checker::notation::read(text).unwrap().history;
    let judged = judge(import(&as_edn(&history)[..], Format::Edn).unwrap(), Format::Edn);
    assert_eq!((judged.verdict, judged.held.processes), (Verdict::Pass, 4), "{}", judged.text("edn"));
}

#[test]
fn exported_edn_is_what_jepsen_expects() {
    let history = correct(Shape::small(3)).history;
    let text = String::from_utf8(as_edn(&history)).unwrap();
    let mut open = std::collections::BTreeSet::new();
    let mut last = 0;
    for (nth, line) in text.lines().enumerate() {
        let number = |name: &str| -> u64 {
            let rest = line.split_once(name).unwrap().1;
            rest.split([',', '}']).next().unwrap().trim().parse().unwrap()
        };
        assert_eq!(number(":index "), nth as u64);
        assert!(number(":time ") >= last, "{line}");
        last = number(":time ");
        let process = number(":process ");
        match line.contains(":type :invoke") {
            true => assert!(open.insert(process), "one operation a process at a time: {line}"),
            false => assert!(open.remove(&process), "{line}"),
        }
    }
    assert!(open.is_empty());
}

#[test]
fn hostile_sizes_are_judged_in_bounded_memory() {
    let mut text = String::new();
    for n in 0..20_000 {
        let offset = i64::MAX - n * 450_000_000_000_000;
        text += &format!("{{:type :invoke, :process {n}, :f :send, :value [[:send {n} {n}]]}}\n");
        text += &format!("{{:type :info, :process {n}, :f :send, :value [[:send {n} [{offset} {n}]]]}}\n");
        text += &format!("{{:type :invoke, :process {n}, :f :poll, :value [[:poll]]}}\n");
        text += &format!("{{:type :ok, :process {n}, :f :poll, :value [[:poll {{{n} [[{offset} {n}] [-3 7]]}}]]}}\n");
    }
    let judged = judge(import(text.as_bytes(), Format::Edn).unwrap(), Format::Edn);
    assert_eq!(judged.verdict, Verdict::Violation);
    assert!(judged.findings.iter().any(|finding| finding.name == "phantom"));
    let lost = judged.claims.iter().find(|claim| claim.claim == Claim::NoAckedLoss);
    assert!(lost.is_some(), "{:?}", judged.short_of);
}
