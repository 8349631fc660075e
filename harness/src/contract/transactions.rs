//! What is promised of transactions.

use super::effective::{client, of_broker};
use super::logs::{fragile, loses};
use super::traits::{Traits, Transactions};
use crate::settings::{Owner, Settings};
use checker::{Claim, Contract};

/// What holds of transactions for a reader of committed records.
const ATOMIC: [Claim; 3] = [Claim::AtomicTxn, Claim::NoOwnUncommittedRead, Claim::TxnCycles];
const NOT_SERIALIZABLE: &str =
    "transactions write atomically and read whatever is committed by then: nothing orders them";

/// Markers of a healed cluster are written within this time after the decision.
const MARKERS_MS_MAX: u64 = 5_000;

/// The contract with the claims of transactions.
pub(super) fn scope(mut contract: Contract, settings: &Settings, traits: &Traits) -> Contract {
    if traits.transactions == Transactions::None {
        let all = ATOMIC.into_iter().chain([Claim::TxnSerializable]);
        return all.fold(contract, |contract, claim| contract.out_of_scope(claim, "the workload has no transactions"));
    }
    contract = contract.allow(Claim::TxnSerializable, NOT_SERIALIZABLE);
    let isolation = client(settings, traits.client, Owner::Consumer, "isolation.level");
    let dirty = (!isolation.is("read_committed")).then_some(isolation.because);
    if let Some(because) = &dirty {
        contract = contract.allow(Claim::NoAbortedRead, because.clone());
    }
    let forgets = dirty.or_else(|| loses(settings, traits)).or_else(|| forgets_decisions(settings, traits));
    ATOMIC.into_iter().fold(contract, |contract, claim| match &forgets {
        Some(because) => contract.allow(claim, because.clone()),
        None => contract.forbid(claim),
    })
}

/// How long a transaction may hold the last stable offset where its timeout is given: until it is over, seen to be and ended.
pub(super) fn stall_ms_max(settings: &Settings) -> Option<u64> {
    const PATIENCE_MS: u64 = 5_000;
    let timeout_ms: u64 = settings.get(Owner::Producer, "transaction.timeout.ms")?.value.parse().ok()?;
    let look_ms = of_broker(settings, "transaction.abort.timed.out.transaction.cleanup.interval.ms").number(10_000);
    Some(timeout_ms.saturating_add(look_ms.saturating_mul(2)).saturating_add(PATIENCE_MS))
}

/// How long a transaction that has ended may hold the last stable offset once everything is healed: until its markers are written. For
/// ever where the decision or a marker may be lost.
pub(super) fn ended_ms_max(settings: &Settings, traits: &Traits) -> Option<u64> {
    let lost = loses(settings, traits).or_else(|| forgets_decisions(settings, traits));
    (traits.transactions != Transactions::None && lost.is_none()).then_some(MARKERS_MS_MAX)
}

/// Why the coordinators' own log may lose a decision, if it may.
fn forgets_decisions(settings: &Settings, traits: &Traits) -> Option<String> {
    let of = |name| of_broker(settings, name);
    let replicas = of("transaction.state.log.replication.factor");
    let in_sync = of("transaction.state.log.min.isr");
    let traits = Traits { replicas: replicas.number(1).min(u64::from(u16::MAX)) as u16, ..*traits };
    fragile(&in_sync, &of("unclean.leader.election.enable"), &of("log.flush.interval.messages"), &traits)
}
