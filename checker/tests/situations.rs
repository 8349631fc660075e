//! The situations that checkers of logs are known to stumble over, each with the verdict it must get here.
//!
//! The first part is `checking.md` A 2.6, where Jepsen's Kafka checker answers `:unknown`, falls over, or finds nothing.

use checker::notation::read;
use checker::{AnomalyKind as K, Bind, Claim, Contract, Finding, Judgement, Promises, Verdict, judge};

fn judged(text: &str) -> Judgement {
    let told = read(text).expect("the test's own text can be read");
    judge(&told.history, &told.replicas, &Contract::durable(), &Promises::strict())
}

#[track_caller]
fn finds(text: &str, kinds: &[K]) {
    let mut found: Vec<K> = judged(text).anomalies.iter().map(|a| a.kind).collect();
    found.sort();
    found.dedup();
    assert_eq!(found, kinds, "{text}");
}

#[track_caller]
fn not_judged(text: &str, claim: Claim, why: &str) {
    let judgement = judged(text);
    let found = judgement.claim(claim).expect("every claim has a result");
    assert!(matches!(&found.verdict, Finding::NotJudged { why: said } if said.contains(why)), "{found:?}");
    assert_ne!(judgement.verdict(), Verdict::Pass);
}

#[test]
fn a_value_that_nobody_sent_is_a_finding_and_hides_no_other() {
    finds(
        "w1 append 1.0 @0 [1 2]
         w1 append 1.1 @1 [3 4]
         c1 poll 0:1.0 1:1.9 [5 6]",
        &[K::InconsistentOffset, K::Phantom],
    );
}

#[test]
fn a_value_on_the_wrong_log_is_a_finding_and_hides_no_other() {
    finds(
        "w1 append/0 1.0 @0 [1 2]
         w1 append/0 1.1 @1 [3 4]
         c1 poll/1 0:1.0 [5 6]
         d1 drain/0 0:1.0 [7 8]",
        &[K::LostPostfix, K::Misrouted, K::StaleEnd],
    );
}

#[test]
fn an_empty_poll_is_ordinary() {
    finds("w1 append 1.0 @0 [1 2]\n c1 poll [3 4]", &[]);
    finds("c1 poll [3 4]", &[]);
}

#[test]
fn no_success_at_all_is_inconclusive_and_says_why() {
    not_judged("w1 append 1.0 ? [1 -]\n w1 append 1.1 ! [2 3]", Claim::NoAckedLoss, "nothing was acknowledged");
    not_judged("c1 assign [1 2]", Claim::NoSkip, "no reader was handed two records");
    not_judged("", Claim::LinearizableLog, "no reply said anything");
}

#[test]
fn acknowledged_and_never_read_is_lost_only_if_the_drain_was_there() {
    let acked = "w1 append 1.0 @0 [1 2]";
    finds(acked, &[]);
    not_judged(acked, Claim::NoAckedLoss, "was not read to its end");
    finds(&format!("{acked}\n d1 drain from 0 to 0 [3 4]"), &[K::LostPostfix, K::StaleRead, K::StaleEnd]);
}

#[test]
fn acknowledged_without_an_offset_and_skipped_by_readers_is_lost() {
    finds(
        "w1 append 1.0 @none [1 2]
         w1 append 1.1 @0 [3 4]
         d1 drain 0:1.1 [5 6]",
        &[K::LostPostfix],
    );
}

#[test]
fn an_unknown_append_with_an_offset_told_may_be_skipped() {
    finds(
        "w1 append 1.0 @0 ? [1 -]
         w1 append 1.1 @0 [3 4]
         d1 drain 0:1.1 [5 6]",
        &[],
    );
}

#[test]
fn an_acknowledged_offset_that_is_not_where_the_record_stands_is_named_so() {
    finds("w1 append 1.0 @1 [1 2]\n c1 poll 0:1.0 [3 4]", &[K::WrongAckOffset]);
    finds("w1 append 1.0 @5 [1 2]\n c1 poll 0:1.0 [3 4]", &[K::WrongAckOffset, K::UnownedOffset]);
}

#[test]
fn two_acknowledgements_of_one_offset_are_named_whatever_was_read() {
    finds(
        "w1 append 1.0 @0 [1 2]
         w2 append 2.0 @0 [1 2]
         c1 poll 0:1.0 1:2.0 [3 4]",
        &[K::InconsistentOffset, K::WrongAckOffset],
    );
}

#[test]
fn an_acknowledgement_of_minus_one_tells_no_offset_and_one_below_is_impossible() {
    finds("w1 append 1.0 @-1 [1 2]\n c1 poll 0:1.0 [3 4]", &[]);
    finds("w1 append 1.0 @-2 [1 2]\n c1 poll 0:1.0 [3 4]", &[K::NegativeAckOffset]);
}

#[test]
fn an_offset_read_twice_is_no_anomaly_by_two_readers_or_after_an_assignment() {
    let acked = "w1 append 1.0 @0 [1 2]\n c1 poll 0:1.0 [3 4]\n";
    finds(&format!("{acked} c2 poll 0:1.0 [5 6]"), &[]);
    finds(&format!("{acked} c1 assign [5 6]\n c1 poll 0:1.0 [7 8]"), &[]);
    finds(&format!("{acked} c1 poll 0:1.0 [7 8]"), &[K::NonmonotonicPoll]);
}

#[test]
fn an_assignment_during_a_read_counts_before_what_the_read_returned() {
    let acked = "w1 append 1.0 @0 [1 2]\n c1 poll 0:1.0 [3 4]\n";
    finds(&format!("{acked} c1 assign [6 7]\n c1 poll 0:1.0 [5 8]"), &[]);
}

#[test]
fn a_stale_fetch_after_an_acknowledgement_is_a_finding_and_a_stale_poll_is_none() {
    let acked = "w1 append 1.0 @0 [1 2]\n";
    finds(&format!("{acked} c1 fetch @0 [3 4]"), &[K::StaleRead]);
    finds(&format!("{acked} c1 poll [3 4]"), &[]);
}

#[test]
fn appends_against_the_order_of_time_are_a_finding_across_processes() {
    finds("w1 append 1.0 @1 [1 2]\n w2 append 2.0 @0 [3 4]", &[K::LateAppend]);
}

#[test]
fn a_value_read_before_its_append_was_invoked_is_a_finding() {
    finds("c1 poll 0:1.0 [1 2]\n w1 append 1.0 @0 [3 4]", &[K::ReadBeforeSend]);
}

#[test]
fn a_log_of_unknown_and_failed_appends_first_read_by_the_last_operation_is_clean() {
    finds("w1 append 1.0 ? [1 -]\n w1 append 1.1 ! [2 3]\n c1 poll 0:1.0 [4 5]", &[]);
}

#[test]
fn one_record_at_an_offset_of_fifty_million_is_as_cheap_as_at_zero() {
    finds(
        "w1 append 1.0 @50000000 [1 2]
         c1 poll 50000000:1.0 [3 4]
         d1 drain from 50000000 to 50000001 50000000:1.0 [5 6]",
        &[],
    );
}

#[test]
fn a_trimmed_prefix_that_was_read_is_no_loss() {
    finds(
        "w1 append 1.0 @0 [1 2]
         w1 append 1.1 @1 [3 4]
         c1 poll 0:1.0 1:1.1 [5 6]
         d1 drain from 1 to 2 1:1.1 [7 8]",
        &[],
    );
}

#[test]
fn without_a_drain_the_replicas_decide_what_is_lost() {
    let acked = "w1 append 1.0 @0 [1 2]\n w1 append 1.1 @1 [3 4]\n";
    finds(&format!("{acked} n1 disk 0:1.0\n n2 disk 0:1.0 1:1.1"), &[]);
    finds(&format!("{acked} n1 disk 0:1.0\n n2 disk 0:1.0"), &[K::LostPostfix]);
    not_judged(&format!("{acked} n1 disk 0:1.0 1:1.1"), Claim::AllReadAfterHeal, "was not read to its end");
}

#[test]
fn a_loss_says_on_which_replicas_the_record_is() {
    let judgement = judged(
        "w1 append 1.0 @0 [1 2]
         w2 append 2.0 ? [1 -]
         d1 drain 0:2.0 [5 6]
         n1 disk 0:2.0
         n3 disk 0:1.0",
    );
    let lost = judgement.anomalies.iter().find(|a| a.kind == K::LostPostfix).unwrap();
    assert_eq!(lost.replicas, [history::NodeId(3)]);
    assert!(lost.sentence.contains("of its 2 replicas it is on 3"), "{}", lost.sentence);
}

#[test]
fn a_drain_that_stopped_early_proves_no_loss_behind_it() {
    let early = "w1 append 1.0 @0 [1 2]
         w1 append 1.1 @1 [3 4]
         d1 drain from 0 to 2 0:1.0 [7 8]
         d1 fetch @1 ? [9 10]";
    finds(early, &[]);
    not_judged(early, Claim::NoAckedLoss, "read only to offset 1 of 2");
}

#[test]
fn markers_and_compacted_records_are_passed_over_freely() {
    finds(
        "w1 append 1.0 @0 [1 2]
         w1 append 1.1 @2 [3 4]
         c1 poll 0:1.0 2:1.1 [5 6]
         d1 drain 0:1.0 1:marker 2:1.1 [7 8]",
        &[],
    );
    finds(
        "w1 append 1.0 @0 [1 2]
         w1 append 1.1 @2 [3 4]
         c1 poll 0:1.0 2:1.1 [5 6]
         d1 drain 0:1.0 2:1.1 [7 8]",
        &[],
    );
}

#[test]
fn a_record_of_an_aborted_transaction_is_neither_lost_nor_skipped() {
    finds(
        "w1 begin 1 [1 2]
         w1 append 1.0 @0 [3 4]
         w1 abort 1 [5 6]
         w2 append 2.0 @2 [7 8]
         c1 poll 2:2.0 [9 10]
         d1 drain 1:marker 2:2.0 [11 12]",
        &[],
    );
}

#[test]
fn what_the_contract_allows_is_counted_and_passes() {
    let told = read("w1 append 1.0 @0 [1 2]\n w1 append 1.1 @1 [3 4]\n d1 drain 0:1.0 [5 6]").unwrap();
    let contract = Contract::durable().allow(Claim::NoAckedLoss, "acks=1 in producer.properties:4");
    let promises = Promises { acks: Bind::Free, ..Promises::strict() };
    let judgement = judge(&told.history, &[], &contract, &promises);
    assert_eq!(judgement.claim(Claim::NoAckedLoss).unwrap().verdict, Finding::Permitted { count: 1 });
    assert_eq!((judgement.counts.acked, judgement.counts.lost), (2, 1));
    assert_ne!(judgement.verdict(), Verdict::Violation);
}

#[test]
fn what_is_out_of_scope_is_not_looked_at() {
    let told = read("w1 append 1.0 @0 [1 2]\n d1 drain from 0 to 0 [5 6]").unwrap();
    let contract = Contract::durable().out_of_scope(Claim::NoAckedLoss, "nobody asked");
    let judgement = judge(&told.history, &[], &contract, &Promises::strict());
    assert!(!judgement.anomalies.iter().any(|a| a.claim == Claim::NoAckedLoss));
    assert!(
        matches!(&judgement.claim(Claim::NoAckedLoss).unwrap().verdict, Finding::NotJudged { why } if why == "nobody asked")
    );
}

#[test]
fn promises_that_are_not_made_bind_nothing() {
    let text = "w1 append 1.0 @0 [1 2]\n c1 fetch @0 [3 4]\n s1 end 0 [5 6]";
    let told = read(text).unwrap();
    let found = |promises| {
        let judgement = judge(&told.history, &[], &Contract::durable(), &promises);
        judgement.anomalies.into_iter().map(|a| a.kind).collect::<Vec<_>>()
    };
    let strict = Promises::strict();
    assert_eq!(found(strict), [K::StaleRead, K::StaleEnd]);
    assert_eq!(found(Promises { empty_fetches: Bind::Free, ..strict }), [K::StaleEnd]);
    assert_eq!(found(Promises { empty_fetches: Bind::Free, end_offsets: Bind::Free, ..strict }), []);
    assert_eq!(found(Promises { acks: Bind::Free, ..strict }), []);
}

#[test]
fn pipelined_appends_of_one_writer_are_judged_by_their_sequence_alone() {
    finds("w1 append 1.0 @0 [1 9]\n w1 append 1.1 @1 [2 5]\n c1 poll 0:1.0 1:1.1 [10 11]", &[]);
    finds("w1 append 1.0 @1 [1 9]\n w1 append 1.1 @0 [2 5]\n c1 poll 0:1.1 1:1.0 [10 11]", &[K::Reordered]);
}

#[test]
fn a_thousand_lost_neighbours_are_one_anomaly_that_names_them_all() {
    let mut text = String::new();
    (0..1000).for_each(|n| text += &format!("w1 append 1.{n} @{n} [{} {}]\n", 2 * n + 1, 2 * n + 2));
    let judgement = judged(&(text + "d1 drain from 0 to 1 0:1.0 [5000 5001]"));
    let lost = &judgement.anomalies[0];
    assert_eq!(judgement.anomalies[1..].iter().map(|a| a.kind).collect::<Vec<_>>(), [K::StaleEnd]);
    assert_eq!((lost.kind, lost.count, lost.offsets.len(), lost.ops.len()), (K::LostPostfix, 999, 999, 999));
    let json = serde_json::to_string(lost).unwrap();
    assert!(!json.contains('\n'));
    assert_eq!(serde_json::from_str::<checker::Anomaly>(&json).unwrap(), *lost);
}

#[test]
fn a_judgement_survives_json() {
    let judgement = judged("w1 append 1.0 @0 [1 2]\n c1 poll 0:1.0 1:1.0 [3 4]\n d1 drain 0:1.0 [5 6]");
    let json = serde_json::to_string(&judgement).unwrap();
    assert_eq!(serde_json::from_str::<Judgement>(&json).unwrap(), judgement);
}
