//! Input that nobody sends by accident: the checker answers, in bounded time and memory, and does not panic.

use checker::notation::read;
use checker::synth::rng::Rng;
use checker::synth::{Shape, correct};
use checker::{AnomalyKind, Contract, Judgement, Promises, Verdict, judge};
use history::{History, Kind, LogId, Nanos, Offset, Op, Outcome, ProcessId, Record, Value, WriterId};

fn judged(history: &History) -> Judgement {
    judge(history, &[], &Contract::durable(), &Promises::strict())
}

fn append(log: u32, writer: u32, sequence: u64, offset: i64) -> Op {
    let op = Op::invoke(Kind::Append, ProcessId(writer), LogId(log), Nanos(sequence));
    op.with_detail(Value::new(WriterId(writer), sequence).0).complete(Outcome::Ok, Nanos(sequence + 1), Offset(offset))
}

/// Most memory this process has held, bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
}

#[test]
fn offsets_at_every_end_of_their_range_are_judged() {
    let mut history = History::default();
    for (i, offset) in [0, 1, i64::MAX - 1, i64::MAX, i64::MIN, -1, -2].into_iter().enumerate() {
        history.ops.push(append(0, 1, i as u64, offset));
        let read =
            Op::invoke(Kind::Poll, ProcessId(2), LogId(0), Nanos(50)).complete(Outcome::Ok, Nanos(60), Offset(offset));
        history.push_read(read, &[Record { offset: Offset(offset), value: Value::new(WriterId(1), i as u64) }]);
        for kind in [Kind::EndOffset, Kind::StableEnd, Kind::LogStart, Kind::Epoch, Kind::Fetch] {
            let ask =
                Op::invoke(kind, ProcessId(3), LogId(0), Nanos(70)).complete(Outcome::Ok, Nanos(80), Offset(offset));
            history.ops.push(ask);
        }
    }
    assert_eq!(judged(&history).verdict(), Verdict::Violation);
}

#[test]
fn a_hundred_thousand_strewn_offsets_cost_no_more_than_their_number() {
    let mut history = History::default();
    history.ops.extend((0..100_000).map(|i| append(0, 1, i, (i as i64) << 40)));
    let before = peak_bytes();
    let found: Vec<AnomalyKind> = judged(&history).anomalies.iter().map(|a| a.kind).collect();
    assert_eq!(found, [AnomalyKind::UnownedOffset]);
    assert!(peak_bytes() - before < 200 << 20, "{}", peak_bytes() - before);
}

#[test]
fn a_million_logs_are_judged() {
    let mut history = History::default();
    history.ops.extend((0..1_000_000).map(|i| append(i as u32 * 4096 / 4095, 1, i, 0)));
    let before = peak_bytes();
    assert_eq!(judged(&history).counts.logs, 1_000_000);
    assert!(peak_bytes() - before < 2 << 30, "{}", peak_bytes() - before);
}

#[test]
fn a_million_unknown_operations_of_one_process_are_judged() {
    let mut history = History::default();
    for i in 0..1_000_000 {
        let op = Op::invoke(Kind::Append, ProcessId(0), LogId(0), Nanos(i));
        history.ops.push(op.with_detail(Value::new(WriterId(0), i).0));
    }
    history.ops.push(append(0, 1, 0, 999_000));
    let judgement = judged(&history);
    assert!(judgement.anomalies.is_empty());
    let unowned = judged(&History { ops: vec![append(0, 1, 0, i64::MAX - 1)], ..History::default() });
    assert!(unowned.anomalies.is_empty());
}

#[test]
fn an_end_offset_at_the_end_of_the_range_is_refuted_without_counting_up_to_it() {
    let start = Op::invoke(Kind::LogStart, ProcessId(0), LogId(0), Nanos(0)).complete(Outcome::Ok, Nanos(0), Offset(0));
    let end =
        Op::invoke(Kind::EndOffset, ProcessId(0), LogId(0), Nanos(1)).complete(Outcome::Ok, Nanos(2), Offset(i64::MAX));
    let judgement = judged(&History { ops: vec![start, end], ..History::default() });
    assert_eq!(judgement.anomalies.iter().map(|a| a.kind).collect::<Vec<_>>(), [AnomalyKind::UnownedOffset]);
}

#[test]
fn a_reader_that_jumps_across_the_whole_range_a_thousand_times_is_judged() {
    let mut history = History::default();
    for i in 0..1000 {
        let op =
            Op::invoke(Kind::Poll, ProcessId(0), LogId(0), Nanos(i)).complete(Outcome::Ok, Nanos(i + 1), Offset(0));
        let record = |offset| Record { offset: Offset(offset), value: Value::MARKER };
        history.push_read(op, &[record(i64::MIN), record(i64::MAX)]);
    }
    assert_eq!(judged(&history).anomalies[0].kind, AnomalyKind::NonmonotonicPoll);
}

#[test]
fn operations_of_arbitrary_bits_are_judged() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut history = correct(Shape::small(seed)).history;
        for _ in 0..60 {
            let kind = Kind::ALL[rng.below(14) as usize];
            let op = Op::invoke(kind, ProcessId(rng.word() as u32), LogId(rng.below(3) as u32), Nanos(rng.word()));
            let outcome = [Outcome::Ok, Outcome::Fail, Outcome::Unknown][rng.below(3) as usize];
            let detail = if kind.reads_records() { rng.below(1 << 30) } else { rng.word() };
            history.ops.push(op.complete(outcome, Nanos(rng.word()), Offset(rng.word() as i64)).with_detail(detail));
        }
        for record in history.records.iter_mut().step_by(7) {
            *record = Record { offset: Offset(rng.word() as i64), value: Value(rng.word()) };
        }
        let judgement = judged(&history);
        let failed = judgement.claims.iter().any(|c| format!("{:?}", c.verdict).contains("the checker failed"));
        assert!(!failed, "seed {seed}");
    }
}

#[test]
fn everything_lost_out_of_a_hundred_thousand_is_judged() {
    let mut history = History::default();
    history.ops.extend((0..100_000).map(|i| append(0, 1, i, i as i64)));
    let names = &mut history.names.processes;
    names.resize_with(4, || history::ProcessName { name: "p".into(), role: history::Role::Drain, writer: None });
    for (kind, told) in [(Kind::LogStart, 0), (Kind::EndOffset, 0)] {
        let op = Op::invoke(kind, ProcessId(3), LogId(0), Nanos(1 << 40));
        history.ops.push(op.complete(Outcome::Ok, Nanos(1 << 41), Offset(told)));
    }
    let judgement = judged(&history);
    assert_eq!(judgement.counts.lost, 100_000);
    let lost = judgement.anomalies.iter().filter(|a| a.kind == AnomalyKind::LostPostfix);
    let shown: Vec<usize> = lost.map(|a| a.ops.len()).collect();
    assert!(shown.len() > 1 && shown.iter().sum::<usize>() == 100_000, "{shown:?}");
}

#[test]
fn text_cut_or_garbled_anywhere_is_an_error_with_its_line_or_a_history() {
    let text =
        "w1 append/1 1.0 @0 [1 2]\nc1 poll 0:1.0 1:corrupt [3 4]\nd1 drain from 0 to 2 0:1.0 [5 -]\nn1 disk hw 2 0:1.0";
    for cut in 0..text.len() {
        if let Err(error) = read(&text[..cut]) {
            assert!((1..=4).contains(&error.line));
        }
    }
    let mut rng = Rng::new(1);
    for _ in 0..20_000 {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..3 {
            bytes[rng.below(text.len() as u64) as usize] = b" \n[]@:.-?!/09az#"[rng.below(16) as usize];
        }
        if let Ok(told) = read(&String::from_utf8_lossy(&bytes)) {
            judge(&told.history, &told.replicas, &Contract::durable(), &Promises::strict());
        }
    }
}
