//! Summaries as text.

use super::*;
use crate::anomalies::tests::anomaly;
use crate::manifest::tests::manifest;
use crate::verdict::Circumstances;
use checker::judge::KindCount;
use checker::{Claim, Counts, Judgement};
use history::{Kind, LogId, NodeId};

fn judgement(loss: Finding) -> Judgement {
    let result = |claim| ClaimResult {
        claim,
        status: match (claim, &loss) {
            (Claim::NoAckedLoss, Finding::Permitted { .. }) => {
                Status::Allowed { because: "acks=1 in producer.properties:4".into() }
            }
            _ => Status::Forbidden,
        },
        verdict: if claim == Claim::NoAckedLoss { loss.clone() } else { Finding::Held },
        count: u64::from(claim == Claim::NoAckedLoss) * 3,
        examples: Vec::new(),
    };
    let kind = |kind, ok| KindCount { kind, ok, fail: 0, unknown: 130 };
    let ops = vec![kind(Kind::Append, 29_870), kind(Kind::Poll, 1_234)];
    let counts = Counts { ops, acked: 29_870, ..Counts::default() };
    Judgement { claims: Claim::ALL.into_iter().map(result).collect(), anomalies: Vec::new(), counts }
}

fn circumstances() -> Circumstances {
    let ms = 1_000_000;
    let figures =
        Figures { count: 9, p50_ns: ms, p90_ns: 2 * ms, p99_ns: 31 * ms, p999_ns: 456 * ms, max_ns: 1_204 * ms };
    let gap = |from: u64, ns: u64| Gap { from: Nanos(7 + from * ms), ns: ns * ms };
    let timing = Timing {
        produce: figures,
        sends: 30_000,
        late_sends: 6,
        longest_gap: Some(gap(12_345, 1_204)),
        longest_gaps: vec![(LogId(0), gap(1, 2)), (LogId(1), gap(11_000, 2_000))],
        ..Timing::default()
    };
    let tally = FaultTally {
        asked: 5,
        installed: 5,
        effective: 4,
        exposed: 3,
        acks_at_risk: 812,
        evidence: [("leader-moved".to_owned(), 4), ("exited".to_owned(), 5)].into(),
    };
    let total = FaultTally { evidence: Default::default(), ..tally.clone() };
    let coverage = Coverage { total, faults: [("kill-leader".to_owned(), tally)].into() };
    let disks = Some(Disks { replicas: 12, records: 89_601, flaws: 0, acked: 29_867 });
    Circumstances { coverage, timing, disks, ..Circumstances::default() }
}

fn text(loss: Finding, circumstances: Circumstances, first: Option<&Anomaly>) -> String {
    let verdict = VerdictFile::new(&manifest(), &judgement(loss), circumstances, []);
    let names = Names {
        nodes: vec![NodeId(1), NodeId(2), NodeId(3)],
        logs: vec!["stormglass-0".into(), "stormglass-1".into()],
        epoch: Nanos(7),
        ..Names::default()
    };
    let repeat = "stormglass run --seed 0x9f3c51ab";
    let folder = "runs/queue/20261121T023114Z-51ab";
    Summary { verdict: &verdict, version: "0.1.0", names: &names, first, told: Told::default(), repeat, folder }.text()
}

#[test]
fn a_violation_is_shown_with_its_operations() {
    let anomaly = anomaly(Claim::NoAckedLoss, 12_000_000_000);
    let shown = text(Finding::Violated, circumstances(), Some(&anomaly));
    let expected = "\
stormglass 0.1.0  queue on embedded  seed 0xffffffffffffffff  1970-01-01T00:00:00.000Z
cluster               3 nodes, 2 logs
faults                asked 5, installed 5, effective 4, exposed 3; 812 acknowledged records at risk
  kill-leader         asked 5, installed 5, effective 4, exposed 3  exited 5, leader-moved 4
operations                        ok          fail       unknown
  append                      29 870             0           130
  poll                         1 234             0           130
latency                        p50         p90         p99       p99.9         max   from the intended send
  produce→ack              1.00 ms     2.00 ms     31.0 ms      456 ms      1.20 s
  produce→deliver     none
longest gap           1.20 s without an ack, 12.345000 s into the load
  of one log          2.00 s without an ack, 11.000000 s into the load on stormglass-1
late sends            0.02 % of 30 000 sends
disks                 29 867 of 29 870 acknowledged records on disk; 12 replicas, 89 601 records, 0 flaws
VIOLATION             claims: 25 held, 1 violated, 0 permitted, 0 not judged, 0 out of scope (exit 1)
                      no-acked-loss broken 3 times: it says that every acknowledged record can still be read at the end
first anomaly         lost-postfix on stormglass-2: 1 acknowledged record is gone and nothing after it is left
                      producer-1 append stormglass-2 ok  12.000000 s – 12.002000 s  offset 77  value 3.12
repeat                stormglass run --seed 0x9f3c51ab
folder                runs/queue/20261121T023114Z-51ab
";
    assert_eq!(shown, expected);
}

#[test]
fn a_permitted_loss_is_shown_with_the_line_that_permits_it() {
    let shown = text(Finding::Permitted { count: 3 }, circumstances(), None);
    assert!(shown.contains("\nPASS                  claims: 25 held, 0 violated, 1 permitted"), "{shown}");
    assert!(shown.contains("no-acked-loss broken 3 times, allowed: acks=1 in producer.properties:4"), "{shown}");
}

#[test]
fn a_run_that_fell_short_says_of_what() {
    let short_of = vec!["0 effective episodes, the floor is 1".to_owned()];
    let shown = text(Finding::Held, Circumstances { short_of, ..Circumstances::default() }, None);
    assert!(shown.contains("INCONCLUSIVE") && shown.contains("  short of            0 effective episodes"), "{shown}");
    assert!(shown.contains("longest gap           no appends"), "{shown}");
}

#[test]
fn whatever_the_data_the_summary_stays_on_one_screen_and_harmless() {
    let long = "\u{1b}[31mword ".repeat(500);
    let mut around = circumstances();
    let tally = around.coverage.total.clone();
    around.coverage.faults = (0..50).map(|i| (format!("{i}{long}"), tally.clone())).collect();
    around.short_of = vec![long.clone(); 50];
    let mut anomaly = anomaly(Claim::NoAckedLoss, i64::MIN);
    anomaly.sentence = long.clone();
    anomaly.ops = vec![anomaly.ops[0].clone(); 50];
    let mut judgement = judgement(Finding::Violated);
    judgement.claims.iter_mut().for_each(|claim| claim.verdict = Finding::Violated);
    judgement.counts.ops = Kind::ALL.map(|kind| KindCount { kind, ok: u64::MAX, fail: 1, unknown: 1 }).to_vec();
    let verdict = VerdictFile::new(&manifest(), &judgement, around, []);
    let (names, version, folder) = (Names::default(), "0.1.0", "runs/x");
    let summary = Summary {
        verdict: &verdict,
        version,
        names: &names,
        first: Some(&anomaly),
        told: Told::default(),
        repeat: &long,
        folder,
    };
    let shown = summary.text();
    assert!(shown.lines().count() <= LINES_MAX, "{} lines", shown.lines().count());
    assert!(shown.lines().filter(|line| line.chars().count() > COLUMNS_MAX).count() <= 1, "only the command's end");
    assert!(!shown.lines().any(|line| line.chars().any(char::is_control)));
}
