//! What is promised of a log: loss, order, duplicates.

use super::effective::{Effective, client, of_broker, of_topic};
use super::traits::{Resends, Traits};
use crate::settings::{Owner, Settings};
use checker::{Claim, Contract};

/// What every loss may break.
const OF_LOSS: [Claim; 3] = [Claim::NoAckedLoss, Claim::OneValuePerOffset, Claim::LinearizableLog];
/// What the loss of a record that consumers have read may break beside. Order, too: a record that was not lost may come to stand
/// where an earlier one of its writer, read and then lost, stood or before it.
const OF_REWRITING: [Claim; 5] =
    [Claim::StablePrefix, Claim::MonotoneObservables, Claim::NoSkip, Claim::ConsumerOrder, Claim::ProducerOrder];

/// The contract with what the settings allow of single logs.
pub(super) fn allow(mut contract: Contract, settings: &Settings, traits: &Traits) -> Contract {
    let allow = |contract: Contract, claims: &[Claim], because: &str| {
        claims.iter().fold(contract, |contract, claim| contract.allow(*claim, because))
    };
    if let Some(because) = loses(settings, traits) {
        contract = allow(contract, &OF_LOSS, &because);
    }
    if let Some(because) = rewrites(settings, traits) {
        contract = allow(contract, &OF_REWRITING, &because);
    }
    if let Some(because) = trims(settings, traits) {
        contract = contract.allow(Claim::NoUnreadTrim, because);
    } else {
        contract = contract.forbid(Claim::NoUnreadTrim);
    }
    if let Some(because) = compacts(settings) {
        contract = allow(contract, &[Claim::NoAckedLoss, Claim::GroupAtLeastOnce], &because);
    }
    if let Some(because) = duplicates(settings, traits) {
        contract = allow(contract, &[Claim::NoDuplicate, Claim::TrueAck], &because);
    }
    if let Some(because) = reorders(settings, traits) {
        contract = contract.allow(Claim::ProducerOrder, because);
    }
    let crcs = client(settings, traits.client, Owner::Consumer, "check.crcs");
    match traits.damage.corrupts && !crcs.on() {
        true => contract.allow(Claim::NoCorruption, format!("{}, and faults change bytes on disks", crcs.because)),
        false => contract,
    }
}

/// Why an acknowledged record may be lost, if it may.
pub(super) fn loses(settings: &Settings, traits: &Traits) -> Option<String> {
    let acks = client(settings, traits.client, Owner::Producer, "acks");
    match matches!(acks.value.as_str(), "all" | "-1") {
        false => Some(acks.because),
        true => rewrites(settings, traits),
    }
}

/// Why even a record that consumers have read may be lost, if it may.
pub(super) fn rewrites(settings: &Settings, traits: &Traits) -> Option<String> {
    let of = |name| of_topic(settings, name);
    fragile(&of("min.insync.replicas"), &of("unclean.leader.election.enable"), &of("flush.messages"), traits)
}

/// Why the faults alone destroy more of a log than its settings keep, if they do.
pub(super) fn of_faults(settings: &Settings, traits: &Traits) -> Option<String> {
    let of = |name| of_topic(settings, name);
    let in_sync = of("min.insync.replicas");
    overdrawn(in_sync.number(1), &in_sync, &of("flush.messages"), traits)
}

/// Why a replicated log with these settings may lose what all in-sync replicas had, if it may.
pub(super) fn fragile(in_sync: &Effective, unclean: &Effective, flush: &Effective, traits: &Traits) -> Option<String> {
    let copies = in_sync.number(1);
    if unclean.on() {
        return Some(unclean.because.clone());
    }
    if copies <= 1 {
        return Some(in_sync.because.clone());
    }
    overdrawn(copies, in_sync, flush, traits)
}

/// Why the faults destroy more than the settings can pay for, if they do.
fn overdrawn(copies: u64, in_sync: &Effective, flush: &Effective, traits: &Traits) -> Option<String> {
    let damage = traits.damage;
    let unflushed = if flush.is("1") { 0 } else { damage.unflushed_nodes };
    let lost = u64::from(unflushed) + u64::from(damage.flushed_nodes);
    let how = match unflushed {
        0 => "disks".to_owned(),
        _ => format!("unflushed tails, {}", flush.because),
    };
    if lost >= copies {
        let promised = &in_sync.because;
        return Some(format!("the faults destroy {lost} copies at once ({how}); {promised} makes no more sure"));
    }
    let last = lost > 0 && damage.down_nodes >= traits.replicas;
    last.then(|| {
        format!("with all {} replicas down, one that lost its copy ({how}) may be the last in sync", traits.replicas)
    })
}

/// A log that keeps its records for so long keeps them for the whole of a run, milliseconds.
const KEPT_MS_MIN: u64 = 3_600_000;

/// Why retention may remove a record before the run is over, if it may.
fn trims(settings: &Settings, traits: &Traits) -> Option<String> {
    let of = |name| of_topic(settings, name);
    let (policy, age, size) = (of("cleanup.policy"), of("retention.ms"), of("retention.bytes"));
    if !policy.is("delete") {
        return Some(policy.because);
    }
    if !size.is("-1") {
        return Some(size.because);
    }
    if !age.is("-1") && age.number(0) < KEPT_MS_MIN {
        return Some(age.because);
    }
    // The brokers' other names for it: which of them counts where several are set is theirs to know.
    let others = ["log.retention.minutes", "log.retention.hours"];
    let other = others.into_iter().find(|name| settings.get(Owner::Broker, name).is_some());
    if let Some(name) = other.filter(|_| settings.get(Owner::Topic, "retention.ms").is_none()) {
        return Some(settings.cite(Owner::Broker, name));
    }
    traits.damage.clocks.then(|| format!("{}, and faults change wall clocks", age.because))
}

fn compacts(settings: &Settings) -> Option<String> {
    let policy = of_topic(settings, "cleanup.policy");
    policy.value.contains("compact").then(|| format!("{}: of each key only the last record is kept", policy.because))
}

/// Why a record may stand twice, if it may.
fn duplicates(settings: &Settings, traits: &Traits) -> Option<String> {
    if traits.resends == Resends::Unknown {
        return Some("the application sends a record again when it does not know what became of it".into());
    }
    let retries = client(settings, traits.client, Owner::Producer, "retries");
    let off = idempotence_off(settings, traits).filter(|_| !retries.is("0"));
    off.map(|off| off.because).or_else(|| forgets(settings, traits))
}

/// Why the broker may have forgotten by what it knows a repetition, if it may: its memory of a producer is shorter than that one's
/// patience.
fn forgets(settings: &Settings, traits: &Traits) -> Option<String> {
    let remembers = of_broker(settings, "producer.id.expiration.ms");
    let patience = client(settings, traits.client, Owner::Producer, "message.timeout.ms");
    // 0 is without end.
    let patience_ms = match patience.number(0) {
        0 => u64::MAX,
        ms => ms,
    };
    let shorter = remembers.number(u64::MAX) < patience_ms.min(u64::from(u32::MAX));
    shorter.then(|| format!("{} is shorter than {}", remembers.because, patience.because))
}

fn reorders(settings: &Settings, traits: &Traits) -> Option<String> {
    if traits.resends == Resends::Unknown {
        return Some("the application sends a record again after those that it had handed over later".into());
    }
    let in_flight = client(settings, traits.client, Owner::Producer, "max.in.flight.requests.per.connection");
    let because = duplicates(settings, traits)?;
    (!in_flight.is("1")).then(|| format!("{because} and {}", in_flight.because))
}

/// Idempotence if it is off. The Java client turns its default off without a word where another setting forbids it; a
/// transactional producer is always idempotent.
fn idempotence_off(settings: &Settings, traits: &Traits) -> Option<Effective> {
    let of = |name| client(settings, traits.client, Owner::Producer, name);
    if !of("transactional.id").value.is_empty() {
        return None;
    }
    let idempotence = of("enable.idempotence");
    if !idempotence.on() {
        return Some(idempotence);
    }
    let chosen = settings.get(Owner::Producer, "enable.idempotence").is_some();
    let (acks, in_flight, retries) = (of("acks"), of("max.in.flight.requests.per.connection"), of("retries"));
    let against = [
        (!matches!(acks.value.as_str(), "all" | "-1"), acks),
        (in_flight.number(0) > 5, in_flight),
        (retries.is("0"), retries),
    ];
    let against = against.into_iter().find(|(against, _)| *against && !chosen)?.1;
    Some(Effective {
        value: "false".into(),
        because: format!("idempotence is off without a word: {}", against.because),
    })
}
