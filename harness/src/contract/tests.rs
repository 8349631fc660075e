//! Pairs: a setting or a trait that lets a claim break, and its near-miss that does not.

use super::*;
use crate::scenario::preset;
use crate::settings::Origin;
use checker::Claim;

fn durable() -> Settings {
    preset::durable()
}

fn plain() -> Traits {
    Traits::plain(3)
}

fn set(mut settings: Settings, owner: Owner, name: &str, value: &str) -> Settings {
    settings.set(owner, name, value, Origin::Flag);
    settings
}

fn unset(mut settings: Settings, owner: Owner, name: &str) -> Settings {
    settings.remove(owner, name);
    settings
}

/// Why the claim may break; empty if it may not.
fn why(settings: &Settings, traits: &Traits, claim: Claim) -> String {
    match derive(settings, traits).status(claim) {
        Status::Allowed { because } => because.clone(),
        Status::Forbidden => String::new(),
        Status::OutOfScope { because } => format!("out of scope: {because}"),
    }
}

#[test]
fn the_durable_preset_forbids_every_loss() {
    let claims = [Claim::NoAckedLoss, Claim::NoDuplicate, Claim::ProducerOrder, Claim::StablePrefix];
    assert!(claims.into_iter().all(|claim| why(&durable(), &plain(), claim).is_empty()));
    assert!(why(&durable(), &plain(), Claim::AtomicTxn).starts_with("out of scope"));
    assert!(why(&durable(), &plain(), Claim::GroupAtLeastOnce).starts_with("out of scope"));
}

#[test]
fn acks_1_allows_loss_but_not_a_changed_prefix() {
    let settings = set(durable(), Owner::Producer, "acks", "1");
    assert_eq!(why(&settings, &plain(), Claim::NoAckedLoss), "acks=1 (-X producer:acks=1)");
    assert!(why(&settings, &plain(), Claim::StablePrefix).is_empty());
    assert_eq!(promises(&settings, &plain()).acks, Bind::Free);
    let settings = set(durable(), Owner::Producer, "acks", "-1");
    assert!(why(&settings, &plain(), Claim::NoAckedLoss).is_empty());
}

#[test]
fn a_log_that_keeps_its_records_for_longer_than_a_run_trims_none_and_a_short_or_small_one_may() {
    let trims = |owner, name, value| why(&set(durable(), owner, name, value), &plain(), Claim::NoUnreadTrim);
    assert!(why(&durable(), &plain(), Claim::NoUnreadTrim).is_empty());
    for kept in ["3600000", "-1"] {
        assert!(trims(Owner::Topic, "retention.ms", kept).is_empty(), "{kept}");
    }
    for (owner, name, value) in [
        (Owner::Topic, "retention.ms", "3599999"),
        (Owner::Topic, "retention.bytes", "1000000"),
        (Owner::Broker, "log.retention.minutes", "1"),
        (Owner::Topic, "cleanup.policy", "compact"),
    ] {
        assert!(trims(owner, name, value).starts_with(name), "{name}");
    }
    let clocks = plain().with_damage(Damage { clocks: true, ..Damage::default() });
    assert!(why(&durable(), &clocks, Claim::NoUnreadTrim).contains("wall clocks"));
}

#[test]
fn one_replica_that_acknowledges_alone_allows_both() {
    for (name, value) in [("min.insync.replicas", "1"), ("unclean.leader.election.enable", "true")] {
        let settings = set(durable(), Owner::Topic, name, value);
        assert!(why(&settings, &plain(), Claim::NoAckedLoss).starts_with(name), "{name}");
        assert!(why(&settings, &plain(), Claim::StablePrefix).starts_with(name), "{name}");
        assert!(why(&settings, &plain(), Claim::ProducerOrder).starts_with(name), "{name}");
    }
}

#[test]
fn a_topic_setting_hides_the_brokers_and_a_missing_one_is_the_default() {
    let hidden = set(durable(), Owner::Broker, "min.insync.replicas", "1");
    assert!(why(&hidden, &plain(), Claim::NoAckedLoss).is_empty());
    let shown = unset(hidden.clone(), Owner::Topic, "min.insync.replicas");
    assert!(why(&shown, &plain(), Claim::NoAckedLoss).contains("-X broker"));
    let nobody = unset(shown, Owner::Broker, "min.insync.replicas");
    assert_eq!(why(&nobody, &plain(), Claim::NoAckedLoss), "min.insync.replicas=1 (the broker's default)");
}

#[test]
fn clients_differ_in_what_they_promise_where_nothing_is_set() {
    let settings = unset(durable(), Owner::Producer, "enable.idempotence");
    let by_java = plain().with_client(Client::Java);
    assert_eq!(why(&settings, &plain(), Claim::NoDuplicate), "enable.idempotence=false (librdkafka's default)");
    assert!(why(&settings, &by_java, Claim::NoDuplicate).is_empty());
    let many = set(settings, Owner::Producer, "max.in.flight.requests.per.connection", "6");
    assert!(why(&many, &by_java, Claim::NoDuplicate).contains("without a word"));
}

#[test]
fn without_idempotence_one_request_in_flight_keeps_the_order_and_no_retry_makes_no_copy() {
    let off = set(durable(), Owner::Producer, "enable.idempotence", "false");
    assert!(
        !why(&off, &plain(), Claim::NoDuplicate).is_empty() && !why(&off, &plain(), Claim::ProducerOrder).is_empty()
    );
    let one = set(off.clone(), Owner::Producer, "max.in.flight.requests.per.connection", "1");
    assert!(
        !why(&one, &plain(), Claim::NoDuplicate).is_empty() && why(&one, &plain(), Claim::ProducerOrder).is_empty()
    );
    assert_eq!(promises(&one, &plain()).retries, Retries::Duplicate);
    let never = set(off, Owner::Producer, "retries", "0");
    assert!(why(&never, &plain(), Claim::NoDuplicate).is_empty());
    assert_eq!(promises(&never, &plain()).retries, Retries::Once);
}

#[test]
fn a_broker_that_forgets_producers_sooner_than_they_give_up_may_take_a_copy_and_one_that_does_not_may_not() {
    let forgetful = set(durable(), Owner::Broker, "producer.id.expiration.ms", "1000");
    let because = why(&forgetful, &plain(), Claim::NoDuplicate);
    assert!(because.contains("producer.id.expiration.ms=1000") && because.contains("message.timeout.ms="), "{because}");
    let patient = set(forgetful, Owner::Broker, "producer.id.expiration.ms", "3600000");
    assert!(why(&patient, &plain(), Claim::NoDuplicate).is_empty());
}

#[test]
fn an_application_that_sends_again_makes_copies_whatever_the_producer_does() {
    let resending = Traits { resends: Resends::Unknown, ..plain() };
    assert!(why(&durable(), &resending, Claim::NoDuplicate).contains("application"));
}

#[test]
fn power_may_be_lost_where_a_copy_survives_or_every_append_is_flushed() {
    let cut = |unflushed_nodes, down_nodes| Damage { unflushed_nodes, down_nodes, ..Damage::default() };
    let (two, one, last) = (cut(2, 2), cut(1, 1), cut(1, 3));
    let because = why(&durable(), &plain().with_damage(two), Claim::NoAckedLoss);
    assert!(because.contains("2 copies at once") && because.contains("flush.messages="), "{because}");
    assert!(why(&durable(), &plain().with_damage(one), Claim::NoAckedLoss).is_empty());
    assert!(why(&durable(), &plain().with_damage(last), Claim::NoAckedLoss).contains("last in sync"));
    let flushed = set(durable(), Owner::Topic, "flush.messages", "1");
    assert!(why(&flushed, &plain().with_damage(two), Claim::NoAckedLoss).is_empty());
    let lying = Damage { flushed_nodes: 2, ..two };
    assert!(why(&flushed, &plain().with_damage(lying), Claim::NoAckedLoss).contains("disks"));
}

#[test]
fn changed_bytes_may_reach_only_a_consumer_that_does_not_check_them() {
    let rot = plain().with_damage(Damage { corrupts: true, ..Damage::default() });
    let unchecked = set(durable(), Owner::Consumer, "check.crcs", "false");
    assert!(why(&durable(), &rot, Claim::NoCorruption).is_empty());
    assert!(why(&unchecked, &plain(), Claim::NoCorruption).is_empty());
    assert!(why(&unchecked, &rot, Claim::NoCorruption).contains("check.crcs=false"));
}

#[test]
fn compaction_removes_records_and_leaves_gaps() {
    let compacted = set(durable(), Owner::Topic, "cleanup.policy", "compact");
    assert!(why(&compacted, &plain(), Claim::NoAckedLoss).contains("compact"));
    assert_eq!(promises(&compacted, &plain()).gaps, Gaps::Possible);
    assert_eq!(promises(&durable(), &plain()).gaps, Gaps::Never);
}

#[test]
fn transactions_are_atomic_for_readers_of_committed_records_only() {
    let traits = plain().with_transactions();
    let dirty = set(durable(), Owner::Consumer, "isolation.level", "read_uncommitted");
    for claim in [Claim::AtomicTxn, Claim::NoOwnUncommittedRead, Claim::TxnCycles, Claim::NoAbortedRead] {
        assert!(why(&durable(), &traits, claim).is_empty(), "{claim}");
        assert!(why(&dirty, &traits, claim).contains("read_uncommitted (-X consumer"), "{claim}");
    }
    assert!(why(&durable(), &traits, Claim::TxnSerializable).contains("nothing orders them"));
    let nothing_set = unset(durable(), Owner::Consumer, "isolation.level");
    let java = traits.with_client(Client::Java);
    assert!(why(&nothing_set, &traits, Claim::NoAbortedRead).is_empty());
    assert!(why(&nothing_set, &java, Claim::NoAbortedRead).contains("the Java client's default"));
}

#[test]
fn a_transaction_log_that_may_forget_decisions_promises_no_atomicity() {
    let traits = plain().with_transactions();
    let weak = set(durable(), Owner::Broker, "transaction.state.log.min.isr", "1");
    assert!(why(&weak, &traits, Claim::AtomicTxn).starts_with("transaction.state.log.min.isr=1"));
    let strong = set(durable(), Owner::Broker, "transaction.state.log.min.isr", "2");
    assert!(why(&strong, &traits, Claim::AtomicTxn).is_empty());
}

#[test]
fn when_a_position_is_stored_decides_what_a_group_may_miss_and_see_twice() {
    let member = |commits| plain().with_group(commits);
    let may = |settings: &Settings, traits: &Traits| {
        let may = |claim| !why(settings, traits, claim).is_empty();
        (may(Claim::GroupAtLeastOnce), may(Claim::GroupAtMostOnce))
    };
    assert_eq!(may(&durable(), &member(Commits::AfterProcessing)), (false, true));
    assert_eq!(may(&durable(), &member(Commits::BeforeProcessing)), (true, false));
    let auto = set(durable(), Owner::Consumer, "enable.auto.commit", "true");
    assert_eq!(may(&auto, &member(Commits::BySettings)), (false, true));
    let early = set(auto, Owner::Consumer, "enable.auto.offset.store", "true");
    assert_eq!(may(&early, &member(Commits::BySettings)), (true, true));
    assert_eq!(may(&early, &member(Commits::BySettings).with_client(Client::Java)), (false, true));
    let because = why(&early, &member(Commits::BySettings), Claim::GroupAtLeastOnce);
    assert!(because.contains("enable.auto.commit=true (-X") && because.contains("enable.auto.offset.store=true (-X"));
}

#[test]
fn positions_are_as_safe_as_the_brokers_own_topics() {
    let traits = plain().with_group(Commits::AfterProcessing);
    assert!(why(&durable(), &traits, Claim::CommittedOffsetMonotonic).is_empty());
    let alone = set(durable(), Owner::Broker, "offsets.topic.replication.factor", "1");
    assert!(why(&alone, &traits, Claim::CommittedOffsetMonotonic).contains("offsets.topic.replication.factor=1"));
    assert!(why(&alone, &traits, Claim::GroupAtLeastOnce).is_empty(), "earliest is where it falls back to");
    let latest = set(alone, Owner::Consumer, "auto.offset.reset", "latest");
    assert!(why(&latest, &traits, Claim::GroupAtLeastOnce).contains("auto.offset.reset=latest"));
}

#[test]
fn two_owners_for_a_moment_are_allowed_and_an_old_generation_is_not() {
    let traits = plain().with_group(Commits::AfterProcessing);
    assert!(why(&durable(), &traits, Claim::OneOwner).contains("session.timeout.ms=6000"));
    assert!(why(&durable(), &traits, Claim::GenerationFenced).is_empty());
}

#[test]
fn a_contract_is_printed_with_every_claim_once() {
    let text = lines(&derive(&durable(), &plain().with_transactions())).join("\n");
    for claim in Claim::ALL {
        let found = text.split([',', ' ', ':', '\n']).filter(|word| *word == claim.name()).count();
        assert_eq!(found, 1, "{claim} in\n{text}");
    }
    assert!(text.lines().all(|line| line.len() < 160), "{text}");
}
